"""Legacy notifications tell the current size of a server with a floor."""
from nova_xloud.weave import before

from nova.xloud import payloads as xloud_payloads


@before("instance_info.update")
def info_from_instance(instance, instance_info):
    xloud_payloads.tell_current_legacy(instance_info, instance)
