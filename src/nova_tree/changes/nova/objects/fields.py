"""Notifications can tell of an adjust: the task state, and the action.

Neither is one of ALL: to be there would change the fingerprints of the
notifications' objects, and so their versions.
"""


class NotificationAction:
    XLOUD_ADJUST = 'xloud_adjust'

    def coerce(self, obj, attr, value):
        """Take an adjust too."""
        if value == self.XLOUD_ADJUST:
            return value
        return super().coerce(obj, attr, value)


class InstanceTaskState:
    XLOUD_ADJUSTING = 'xloud_adjusting'

    def coerce(self, obj, attr, value):
        """Take the state of an adjust too."""
        if value == self.XLOUD_ADJUSTING:
            return value
        return super().coerce(obj, attr, value)
