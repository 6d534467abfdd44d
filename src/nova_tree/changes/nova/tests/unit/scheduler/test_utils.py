"""Placement is asked for the floor, or for the size of a server."""


class XloudUtilsTestCase(test.NoDBTestCase):
    def _flavor(self):
        return objects.Flavor(
            id=1, flavorid='one', vcpus=4, memory_mb=4096, root_gb=1,
            ephemeral_gb=0, swap=0,
            extra_specs={
                'minimum_cpu': '1', 'minimum_memory': '1024'})

    def test_create_asks_for_the_floor(self):
        request = utils.ResourceRequest.from_request_spec(
            objects.RequestSpec(flavor=self._flavor(), is_bfv=True))
        self.assertEqual(
            {'VCPU': 1, 'MEMORY_MB': 1024},
            request.merged_resources())

    @mock.patch(
        'nova.compute.utils.is_volume_backed_instance',
        return_value=True)
    def test_heal_asks_for_the_size(self, mock_bfv):
        instance = objects.Instance(
            flavor=self._flavor(), system_metadata={
                'xloud_current_vcpus': '2',
                'xloud_current_memory_mb': '2048'})
        self.assertEqual(
            {'VCPU': 2, 'MEMORY_MB': 2048},
            utils.resources_from_flavor(instance, instance.flavor))
