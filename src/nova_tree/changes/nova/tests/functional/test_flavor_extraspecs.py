"""Floors are checked when they are set, with any microversion."""
from nova.tests.functional.api import client as api_client
from nova.tests.functional import integrated_helpers


class XloudFloorTest(integrated_helpers._IntegratedTestBase):
    """Floors of a flavor with 2 vCPUs and 2048 MiB."""

    def setUp(self):
        super().setUp()
        self.flavor_id = self._create_flavor()

    def _refused(self, specs):
        error = self.assertRaises(
            api_client.OpenStackApiException,
            self.admin_api.post_extra_spec, self.flavor_id,
            {'extra_specs': specs})
        self.assertEqual(400, error.response.status_code)
        # the same when one is replaced
        name, = list(specs)[:1]
        error = self.assertRaises(
            api_client.OpenStackApiException,
            self.admin_api.put_extra_spec, self.flavor_id, name,
            {name: specs[name]})
        self.assertEqual(400, error.response.status_code)
        return error.response.json()['badRequest']['message']

    def test_a_floor_within_the_flavor_is_set(self):
        specs = {'minimum_cpu': '1', 'minimum_memory': '1024'}
        self.admin_api.post_extra_spec(
            self.flavor_id, {'extra_specs': specs})
        self.admin_api.put_extra_spec(
            self.flavor_id, 'minimum_cpu', {'minimum_cpu': '2'})
        self.assertEqual(
            dict(specs, minimum_cpu='2'),
            self.admin_api.get_extra_specs(self.flavor_id))

    def test_a_floor_above_the_flavor_is_not(self):
        message = self._refused({'minimum_cpu': '3'})
        self.assertIn("'minimum_cpu' is 3", message)
        self.assertIn('2 vCPUs', message)
        message = self._refused({'minimum_memory': '2049'})
        self.assertIn("'minimum_memory' is 2049", message)
        self.assertIn('2048 MiB', message)
        self.assertEqual(
            {}, self.admin_api.get_extra_specs(self.flavor_id))

    def test_a_floor_is_an_integer_of_at_least_one(self):
        for value in ('0', '-1', '1.5', 'two'):
            self._refused({'minimum_cpu': value})
            self._refused({'minimum_memory': value})

    def test_memory_that_is_pinned_has_no_floor(self):
        self.admin_api.post_extra_spec(self.flavor_id, {
            'extra_specs': {'hw:mem_page_size': 'large'}})
        self._refused({'minimum_memory': '1024'})

    def test_the_namespace_of_nova_itself_is_reserved(self):
        self._refused({'xloud:current_vcpus': '2'})


class XloudFloorV286Test(XloudFloorTest):
    microversion = '2.86'
