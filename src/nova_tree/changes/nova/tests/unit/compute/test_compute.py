"""Resizes take the size of a server along."""
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size


class XloudComputeTestCase(BaseTestCase):
    def test_set_instance_info_fits_the_size(self):
        """A revert brings the old size back."""
        old = objects.Flavor(
            id=1, flavorid='one', vcpus=4, memory_mb=4096, root_gb=1,
            ephemeral_gb=0, extra_specs={'minimum_cpu': '1'})
        new = objects.Flavor(
            id=2, flavorid='two', vcpus=8, memory_mb=8192, root_gb=1,
            ephemeral_gb=0, extra_specs={'minimum_cpu': '3'})
        instance = objects.Instance(
            flavor=old, old_flavor=old, system_metadata={})
        xloud_record.write(instance, xloud_size.Size(2, 4096))
        self.compute._set_instance_info(instance, new)
        self.assertEqual(3, xloud_record.recorded(instance).vcpus)
        self.assertEqual(3, instance.vcpus)
        self.assertEqual(8192, instance.memory_mb)
        self.compute._set_instance_info(instance, old)
        self.assertEqual(2, xloud_record.recorded(instance).vcpus)
        self.assertEqual(2, instance.vcpus)
        self.assertEqual(4096, instance.memory_mb)
