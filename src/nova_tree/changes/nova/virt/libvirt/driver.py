"""The libvirt driver can adjust servers, if libvirt runs QEMU."""
from nova_xloud.weave import append, decorate

from nova.virt.libvirt import xloud
from nova.virt.libvirt import xloud_xml
from nova.xloud import record as xloud_record


class LibvirtDriver:
    @append
    def _update_host_specific_capabilities(self):
        self.capabilities['supports_xloud_adjust'] = (
            xloud_xml.can_adjust())

    @decorate
    @xloud_xml.sizes_guest
    def _get_guest_config(self, instance): ...

    def set_current_vcpus(self, instance, vcpus):
        """Bring a running guest to a number of vCPUs."""
        guest = self._host.get_guest(instance)
        return xloud.set_vcpus(guest, self._host, vcpus)

    def set_current_memory_mb(self, instance, memory_mb):
        """Bring a running guest to an amount of memory."""
        guest = self._host.get_guest(instance)
        before = xloud_record.live(instance).memory_mb
        xloud.set_memory(guest, self._host, memory_mb, before)

    def get_current_size(self, instance):
        """Tell the figures of a guest, None if it does not run."""
        return xloud.get_size(self._host, instance)

    def get_guest_vcpus(self, instance):
        """Tell the vCPUs that a guest uses; None without an agent."""
        return xloud.get_guest_vcpus(self._host, instance)

    def check_can_adjust(self, instance, vcpus, memory_mb):
        """Check that the guest's memory is not pinned."""
        xloud.check_can_adjust(self._host, instance, memory_mb)
