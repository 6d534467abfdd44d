"""A server that is adjusted is in a task state of its own."""

XLOUD_ADJUSTING = 'xloud_adjusting'
