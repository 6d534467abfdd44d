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

"""The intent of an adjust, saved with the instance.

nova-api saves it together with the task state of an adjust. It is there
before the guest changes and until the server action has ended, so that
:mod:`nova.xloud.compute.reconcile` finds the adjust of a killed nova-compute.
"""

from oslo_log import log as logging
from oslo_serialization import jsonutils

from nova.i18n import _
from nova.xloud import record as xloud_record
from nova.xloud import size as xloud_size

LOG = logging.getLogger(__name__)

# In the system metadata of the instance; nova.utils keeps it out of images.
_KEY = 'xloud_adjusting'


def _to_size(figures):
    """Make a Size of saved figures; None unless there are two of them."""
    if isinstance(figures, list) and len(figures) == 2:
        return xloud_size.Size(*figures)
    return None


class Intent:
    """The intent of an adjust: requested figures, persist, the request."""

    def __init__(self, vcpus, memory_mb, persist, request_id=None,
                 before=None, is_confirmed=None):
        """Take the figures of the request.

        :param vcpus: number of vCPUs, or None to leave them alone
        :param memory_mb: memory in MiB, or None to leave it alone
        :param persist: False to adjust the running guest only
        :param request_id: of the request that the server action belongs to
        :param before: nova.xloud.size.Size that the server has before; None
            where nobody has noted it
        :param is_confirmed: whether the guest has said that it uses the vCPUs
            that it has got; None as long as it has got none
        """
        self.vcpus = vcpus
        self.memory_mb = memory_mb
        self.persist = persist
        self.request_id = request_id
        self.before = before
        self.is_confirmed = is_confirmed

    @classmethod
    def of(cls, instance):
        """Read the intent that is saved with an instance, None without.

        Another release may have saved it: keys that this one does not know
        are left out, and keys that it misses are as if nothing was asked.
        """
        saved = instance.system_metadata.get(_KEY)
        if not saved:
            return None
        try:
            figures = jsonutils.loads(saved)
            return cls(figures.get('vcpus'), figures.get('memory_mb'),
                       figures.get('persist', True),
                       figures.get('request_id'),
                       _to_size(figures.get('before')),
                       figures.get('is_confirmed'))
        except (ValueError, AttributeError):
            LOG.error('The intent of an adjust cannot be read: %s', saved,
                      instance=instance)
            return cls(None, None, True)

    def write(self, instance):
        """Write the intent into the instance, to be saved by the caller."""
        instance.system_metadata[_KEY] = jsonutils.dumps(vars(self))

    def tell_success(self, instance):
        """Say in words for everybody to which size an adjust has come.

        :param instance: nova.objects.Instance with the recorded outcome
        """
        size = xloud_record.live(instance)
        words = [_('The server has %(vcpus)s vCPUs and %(memory_mb)s MiB now.'
                   ) % size._asdict()]
        if self.before is not None:
            words.append(_('It had %(vcpus)s vCPUs and %(memory_mb)s MiB '
                           'before.') % self.before._asdict())
        if self.is_confirmed:
            words.append(_('The guest says that it uses all of its vCPUs.'))
        elif self.is_confirmed is not None:
            words.append(_('The guest was not asked whether it uses its '
                           'vCPUs: no guest agent answers.'))
        if not self.persist:
            words.append(_('Its next cold start will give it %(vcpus)s vCPUs '
                           'and %(memory_mb)s MiB.'
                           ) % xloud_record.recorded(instance)._asdict())
        return ' '.join(words)

    @staticmethod
    def drop(instance):
        """Take any intent out of the instance, to be saved by the caller."""
        instance.system_metadata.pop(_KEY, None)

    def confirm(self, instance, online_vcpus):
        """Note whether the guest uses the vCPUs that it has got.

        :param instance: nova.objects.Instance, to be saved by the caller
        :param online_vcpus: number of vCPUs that it says that it uses; None
            if it was not asked
        """
        before = self.before or xloud_record.live(instance)
        if self.vcpus is not None and self.vcpus > before.vcpus:
            self.is_confirmed = online_vcpus is not None
            self.write(instance)

    def record(self, instance, now):
        """Write the outcome into the instance; the intent stays.

        Writing the same outcome again changes nothing.

        :param instance: nova.objects.Instance, to be saved by the caller
        :param now: nova.xloud.size.Size that the guest has now; only those of
            its figures count that the intent was to change
        """
        old = xloud_record.live(instance)
        changed = [
            None if asked is None or (is_now == was and is_now != asked)
            else is_now
            for asked, was, is_now in zip(
                (self.vcpus, self.memory_mb), old, now)]
        kept = xloud_record.recorded(instance)
        if self.persist:
            kept = xloud_size.replaced(kept, *changed)
        xloud_record.write(
            instance, kept, xloud_size.replaced(old, *changed))
