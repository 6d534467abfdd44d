"""A guest says how many of its vCPUs are online and what memory it has."""
from nova_xloud.weave import append, decorate

from nova.virt.libvirt import xloud_xml


class LibvirtConfigGuest:
    @append
    def __init__(self):
        self.xloud_vcpus = None
        self.xloud_current_memory = None

    @decorate
    @xloud_xml.formats_size
    def _format_basic_props(self, root): ...


class LibvirtConfigMemoryBalloon:
    @append
    def __init__(self):
        self.xloud_keeps_target = False

    @decorate
    @xloud_xml.formats_balloon
    def format_dom(self): ...
