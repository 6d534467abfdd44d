"""A guest is asked for its vCPUs and memory in its configuration or live.

Its agent is asked which of the vCPUs the guest uses.

When a guest was started is noted: one that boots has no balloon driver yet.
"""
from nova_xloud.weave import prepend

from nova.virt.libvirt import xloud_boots


class Guest:
    @prepend
    def launch(self):
        xloud_boots.note(self.uuid)

    def get_current_vcpus(self):
        """Tell the number of vCPUs of the running guest."""
        return self._domain.vcpusFlags(
            libvirt.VIR_DOMAIN_AFFECT_LIVE)

    def set_current_vcpus(self, vcpus, live=True):
        """Set the vCPUs of the guest as it runs, or starts next."""
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
        if not live:
            flags = (libvirt.VIR_DOMAIN_AFFECT_CONFIG |
                     libvirt.VIR_DOMAIN_VCPU_HOTPLUGGABLE)
        self._domain.setVcpusFlags(vcpus, flags)

    def get_guest_vcpus(self):
        """Ask the agent for the vCPUs of the guest, a dict."""
        return self._domain.guestVcpus(0)

    def set_guest_vcpus(self, vcpus):
        """Have the agent bring vCPUs of the guest into use."""
        self._domain.setVcpusFlags(
            vcpus, (libvirt.VIR_DOMAIN_AFFECT_LIVE |
                    libvirt.VIR_DOMAIN_VCPU_GUEST))

    def set_agent_timeout(self, seconds):
        """Have libvirt wait so long for answers of the agent."""
        self._domain.agentSetResponseTimeout(seconds, 0)

    def get_memory_stats(self):
        """Tell the balloon's statistics, a dict of KiB."""
        stats = self._domain.memoryStats()
        stats.setdefault('actual', self._domain.info()[2])
        return stats

    def set_current_memory(self, kib, live=True):
        """Set the balloon of the guest as it runs, or starts next."""
        flags = libvirt.VIR_DOMAIN_AFFECT_LIVE
        if not live:
            flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        self._domain.setMemoryFlags(kib, flags)
