"""Notifications can tell that a server is being adjusted.

The state is not one of ALL: to be there would change the fingerprints of the
notifications' objects, and so their versions.
"""


class InstanceTaskState:
    XLOUD_ADJUSTING = 'xloud_adjusting'

    def coerce(self, obj, attr, value):
        """Take the state of an adjust too."""
        if value == self.XLOUD_ADJUSTING:
            return value
        return super().coerce(obj, attr, value)
