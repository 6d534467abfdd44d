"""Servers of flavors with a floor: their hosts, and refused requests."""
from nova import context
from nova import objects
from nova.tests.functional.api import client
from nova.tests.functional import integrated_helpers


class XloudServersTest(integrated_helpers._IntegratedTestBase):
    """A host that cannot adjust servers, flavors of 2 vCPUs."""

    ADMIN_API = True

    def setUp(self):
        super().setUp()
        self.plain = self._create_flavor()
        self.elastic = self._create_flavor(
            extra_spec={'minimum_cpu': '1', 'minimum_memory': '1024',
                        'hw:mem_page_size': 'small'})
        self.image = self._make_image(
            0, {'hw_locked_memory': 'true'})
        # More than the floor, less than the maximum
        self.large_image = self._make_image(1536, {})

    def _make_image(self, min_ram, properties):
        return self.glance.create(None, {
            'name': 'image',
            'status': 'active',
            'min_ram': min_ram,
            'min_disk': 0,
            'container_format': 'raw',
            'disk_format': 'raw',
            'properties': properties,
        })['id']

    def _refused(self, call, *args, **kwargs):
        error = self.assertRaises(
            client.OpenStackApiException, call, *args, **kwargs)
        self.assertEqual(400, error.response.status_code)
        return error.response.json()['badRequest']['message']

    def _age(self, server_id, **specs):
        """Give a server a flavor that was made before its check."""
        instance = objects.Instance.get_by_uuid(
            context.get_admin_context(), server_id)
        instance.flavor.extra_specs = specs
        instance.save()

    def test_a_server_with_a_floor_needs_a_host_that_is_able(self):
        self._create_server(flavor_id=self.plain)
        self._create_server(
            flavor_id=self.elastic, expected_state='ERROR')

    def test_an_image_that_pins_the_memory_is_refused(self):
        message = self._refused(
            self._create_server, flavor_id=self.elastic,
            image_uuid=self.image)
        self.assertIn('hw_locked_memory=true', message)

    def test_a_floor_that_was_never_checked_is(self):
        """Made before Nova checked it: above the maximum."""
        server = self._create_server(flavor_id=self.plain)
        flavor = objects.Flavor.get_by_flavor_id(
            context.get_admin_context(),
            self._create_flavor(vcpu=2))
        flavor.extra_specs = {'minimum_cpu': '3'}
        flavor.save()
        for call, arguments in (
                (self._create_server, {'flavor_id': flavor.flavorid}),
                (self._resize_server, {
                    'server': server, 'flavor_id': flavor.flavorid})):
            message = self._refused(call, **arguments)
            self.assertIn("'minimum_cpu' is 3", message)
            self.assertIn('2 vCPUs', message)
        self._age(server['id'], minimum_cpu='3')
        message = self._refused(
            self._rebuild_server, server, self.image)
        self.assertIn("'minimum_cpu' is 3", message)

    def test_a_rebuild_checks_the_new_image(self):
        server = self._create_server(flavor_id=self.plain)
        self._age(server['id'], minimum_memory='1024')
        message = self._refused(
            self.api.post_server_action, server['id'],
            {'rebuild': {'imageRef': self.image}})
        self.assertIn('hw_locked_memory=true', message)

    def test_a_resize_checks_the_image_of_the_server(self):
        self.admin_api.post_extra_spec(self.plain, {
            'extra_specs': {'hw:locked_memory': 'true',
                            'hw:mem_page_size': 'small'}})
        server = self._create_server(
            flavor_id=self.plain, image_uuid=self.image)
        message = self._refused(
            self.api.post_server_action, server['id'],
            {'resize': {'flavorRef': self.elastic}})
        self.assertIn('hw_locked_memory=true', message)

    def test_a_floor_below_what_the_image_needs_is_refused(self):
        """At create, at rebuild, and at resize."""
        server = self._create_server(flavor_id=self.plain)
        large = self._create_server(
            flavor_id=self.plain, image_uuid=self.large_image)
        self._age(server['id'], minimum_memory='1024')
        rebuild = {'rebuild': {'imageRef': self.large_image}}
        resize = {'resize': {'flavorRef': self.elastic}}
        action = self.api.post_server_action
        create = self._create_server
        for call, *arguments in (
                (create, 'new', self.large_image, self.elastic),
                (action, server['id'], rebuild),
                (action, large['id'], resize)):
            message = self._refused(call, *arguments)
            self.assertIn('1024, less than the 1536 MiB', message)

    def test_metadata_of_the_user_is_no_floor(self):
        body = self._build_server(
            flavor_id=self.plain)
        body['metadata'] = {
            'minimum_cpu': '1', 'xloud_current_vcpus': '1'}
        server = self.api.post_server({'server': body})
        self._wait_for_state_change(server, 'ACTIVE')
        status = self.api.api_get(
            '/servers/%s/xloud-status' % server['id']).body
        self.assertEqual(2, status['xloud_status']['min_vcpus'])
        self.assertEqual(2, status['xloud_status']['current_vcpus'])
