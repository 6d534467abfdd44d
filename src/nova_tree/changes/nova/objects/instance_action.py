"""The event of an adjust that has succeeded has details: the sizes.

Nova keeps the details of failures only, and tells no others.
"""
from nova_xloud.weave import before_return


class InstanceActionEvent:
    @before_return
    def pack_action_event_finish(exc_val, exc_tb, values):
        if exc_tb is None and exc_val:
            values['details'] = exc_val
