"""Server actions of their own: an adjust, a guest with more than is held."""

XLOUD_ADJUST = 'xloud_adjust'
XLOUD_OVERUSE = 'xloud_overuse'
