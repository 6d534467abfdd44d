# xloud: part of nova-xloud
#
# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import fixtures
from oslo_limit import exception as limit_exceptions
from oslo_utils.fixture import uuidsentinel as uuids

from nova import context
from nova import exception
from nova.limit import utils as limit_utils
from nova import objects
from nova import test
from nova.tests.unit.xloud import base
from nova.xloud import quota
from nova.xloud.size import Size


class CheckGrowthTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        # an administrator of another project grows the server
        self.context = context.RequestContext(
            'admin', uuids.admin_project, is_admin=True)
        self.instance = base.make_instance()
        self.check_deltas = self.useFixture(fixtures.MockPatchObject(
            objects.Quotas, 'check_deltas')).mock

    def _check(self, before, after):
        quota.check_growth(self.context, self.instance, before, after)


class CountsTestCase(CheckGrowthTestCase):

    def test_what_the_server_grows_by_counts_for_its_project(self):
        self._check(Size(1, 1024), Size(3, 1536))

        self.check_deltas.assert_called_once_with(
            self.context, {'cores': 2, 'ram': 512}, uuids.project,
            user_id=uuids.user, check_project_id=uuids.project,
            check_user_id=uuids.user)

    def test_what_it_shrinks_by_does_not_pay_for_growth(self):
        # the memory is released after the vCPUs have been claimed
        self._check(Size(1, 2048), Size(2, 1024))

        self.assertEqual({'cores': 1},
                         self.check_deltas.call_args[0][1])

    def test_shrinking_is_not_checked(self):
        self._check(Size(2, 2048), Size(1, 2048))
        self._check(Size(2, 2048), Size(2, 2048))

        self.check_deltas.assert_not_called()

    def test_too_much_says_requested_used_and_allowed(self):
        self.check_deltas.side_effect = exception.OverQuota(
            overs=['cores'], quotas={'cores': 20, 'ram': 51200},
            usages={'cores': 19, 'ram': 1024})

        error = self.assertRaises(
            exception.TooManyInstances,
            self._check, Size(1, 1024), Size(3, 1024))

        self.assertEqual(
            'Quota exceeded for cores: Requested 2, but already used 19 of '
            '20 cores', error.format_message())

    def test_growth_that_is_counted_is_checked_again(self):
        quota.check_growth_again(
            self.context, self.instance, Size(1, 2048), Size(3, 1024))
        self.assertEqual({'cores': 0}, self.check_deltas.call_args[0][1])
        self.check_deltas.reset_mock()
        quota.check_growth_again(
            self.context, self.instance, Size(2, 2048), Size(1, 2048))
        self.flags(recheck_quota=False, group='quota')
        quota.check_growth_again(
            self.context, self.instance, Size(1, 2048), Size(3, 1024))
        self.check_deltas.assert_not_called()

    def test_unified_limits_are_not_asked(self):
        get_enforcer = self.useFixture(fixtures.MockPatch(
            'nova.limit.placement._get_enforcer')).mock

        self._check(Size(1, 1024), Size(2, 1024))

        get_enforcer.assert_not_called()


class UnifiedLimitsTestCase(CheckGrowthTestCase):

    def setUp(self):
        super().setUp()
        self.flags(driver=limit_utils.UNIFIED_LIMITS_DRIVER, group='quota')
        self.get_enforcer = self.useFixture(fixtures.MockPatch(
            'nova.limit.placement._get_enforcer')).mock
        self.enforce = self.get_enforcer.return_value.enforce

    def _over_limit(self, limit):
        return limit_exceptions.ProjectOverLimit(
            uuids.project, [limit_exceptions.OverLimitInfo(
                'class:VCPU', limit, 20, 1)])

    def test_what_the_server_grows_by_counts_for_its_project(self):
        self._check(Size(1, 1024), Size(2, 1024))

        self.get_enforcer.assert_called_once_with(
            self.context, uuids.project)
        self.enforce.assert_called_once_with(
            uuids.project, {'class:VCPU': 1})

    def test_memory_counts_too(self):
        self._check(Size(1, 1024), Size(1, 1536))

        self.enforce.assert_called_once_with(
            uuids.project, {'class:MEMORY_MB': 512})

    def test_too_much_says_what(self):
        over_limit = self._over_limit(20)
        self.enforce.side_effect = over_limit

        error = self.assertRaises(
            exception.TooManyInstances,
            self._check, Size(1, 1024), Size(2, 1024))

        self.assertEqual(str(over_limit), error.format_message())

    def test_a_limit_that_is_not_to_be_enforced_is_not(self):
        # releases before 31 do not have this function
        self.useFixture(fixtures.MonkeyPatch(
            'nova.limit.utils.should_enforce', lambda error: False))
        self.enforce.side_effect = self._over_limit(0)

        self._check(Size(1, 1024), Size(2, 1024))

    def test_a_release_that_enforces_all_limits_does(self):
        if hasattr(limit_utils, 'should_enforce'):
            self.useFixture(fixtures.MockPatchObject(
                limit_utils, 'should_enforce', None))
        self.enforce.side_effect = self._over_limit(0)

        self.assertRaises(
            exception.TooManyInstances,
            self._check, Size(1, 1024), Size(2, 1024))
