"""A server that is adjusted is in a task state of its own."""
from nova.objects import fields

XLOUD_ADJUSTING = fields.InstanceTaskState.XLOUD_ADJUSTING
