"""Nova's test that every policy is listed knows ours."""
from nova_xloud.weave import append


class RealRolePolicyTestCase:
    @append
    def setUp(self):
        self.admin_only_rules += ('os_compute_api:xloud:adjust',)
        self.admin_or_owner_rules += (
            'os_compute_api:xloud:status',
            'os_compute_api:xloud:adjust:details')
