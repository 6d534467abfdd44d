"""What a driver must do to adjust servers; by default it cannot.

Able hosts get the trait CUSTOM_XLOUD_ADJUST through the capability.
"""
from nova_xloud.weave import entries

CAPABILITY_TRAITS_MAP = entries({
    "supports_xloud_adjust": "CUSTOM_XLOUD_ADJUST",
})


class ComputeDriver:
    capabilities = entries({
        "supports_xloud_adjust": False,
    })

    def set_current_vcpus(self, instance, vcpus):
        """Bring a running guest to a number of vCPUs, live."""
        # :param instance: nova.objects.Instance with a guest
        # :param vcpus: a number within the flavor's bounds
        # :returns: the number that the guest says that it uses; None
        #     if it was not asked
        # :raises: nova.xloud.exception.AdjustIncomplete if the guest
        #     has another number afterwards; AdjustUnused if it was
        #     given vCPUs that it does not use
        raise NotImplementedError()

    def set_current_memory_mb(self, instance, memory_mb):
        """Bring a running guest to an amount of memory, live."""
        # :param instance: nova.objects.Instance with a guest
        # :param memory_mb: MiB within the flavor's bounds
        # :raises: nova.xloud.exception.AdjustIncomplete if the guest
        #     has another amount afterwards
        raise NotImplementedError()

    def get_current_size(self, instance):
        """Tell the figures of a server's guest."""
        # :param instance: nova.objects.Instance
        # :returns: nova.xloud.size.GuestSize, None without a running
        #     guest
        raise NotImplementedError()

    def get_guest_vcpus(self, instance):
        """Ask a running guest how many of its vCPUs it uses."""
        # :param instance: nova.objects.Instance
        # :returns: the number; None if the guest cannot be asked

    def check_can_adjust(self, instance, vcpus, memory_mb):
        """Check what only the host of a server knows; all is well."""
        # :param instance: nova.objects.Instance
        # :param vcpus: number asked for, None if none is
        # :param memory_mb: MiB asked for, None if none is
        # :raises: nova.xloud.exception.AdjustNotSupported
