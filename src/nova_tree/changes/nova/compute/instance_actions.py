"""An adjust is a server action of its own."""

XLOUD_ADJUST = 'xloud_adjust'
