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

"""The failures of a server that has a floor, each with its figures.

Raised in nova-api and in nova-compute. An exception of this module that a
host raises reaches nova-api as a RemoteError, because this module is not in
the list of modules whose exceptions oslo.messaging rebuilds:
:func:`from_remote` makes ours of it again.
"""

from nova import exception
from nova.i18n import _


# The names of all refusals of an adjust begin with it, in every release
_PREFIX = 'Adjust'


def in_words(error):
    """Return the words of an error for the log; never none at all.

    :param error: exception, which may have no message, or text
    """
    if isinstance(error, AdjustError):
        return error.for_admin()
    if isinstance(error, Exception):
        return str(error) or type(error).__name__
    return str(error or '')


class AdjustError(exception.NovaException):
    """The base of all refusals of an adjust; code is the HTTP status.

    The message is for everybody who may see the server. It names no address
    of a service, no host, nothing that others have, and no text of a service
    below.

    :ivar internal: the text that only administrators and the log get; ''
        where there is no more to tell
    """
    msg_fmt = _("The size of the server cannot be adjusted.")
    code = 409

    def __init__(self, message=None, internal='', **kwargs):
        super().__init__(message, **kwargs)
        self.internal = ' '.join(in_words(internal).split())

    def for_admin(self):
        """Return the message with the text for administrators only."""
        return ' '.join(filter(None, (self.format_message(), self.internal)))

    def as_seen_by(self, context):
        """Return the message that the sender of a request may read.

        :param context: nova.context.RequestContext
        """
        return self.for_admin() if context.is_admin else self.format_message()

    def to_send(self, context):
        """Return the exception that a host answers a request with.

        Only the message of an exception reaches nova-api. Its second line is
        the text for administrators, and is sent to them only.

        :param context: nova.context.RequestContext
        """
        if not (self.internal and context.is_admin):
            return self
        return type(self)('\n'.join((self.format_message(), self.internal)))


class AdjustNothing(AdjustError):
    msg_fmt = _("Neither current_vcpus nor current_memory_mb was asked for; "
                "flavor %(flavor)s allows %(min_vcpus)s to %(max_vcpus)s "
                "vCPUs and %(min_memory_mb)s to %(max_memory_mb)s MiB.")
    code = 400


class AdjustNoFloor(AdjustError):
    msg_fmt = _("%(key)s %(asked)s was asked for, but flavor %(flavor)s has "
                "no extra spec '%(spec)s': servers of this flavor stay at "
                "%(maximum)s %(unit)s.")
    code = 400


class AdjustOutOfBounds(AdjustError):
    msg_fmt = _("%(key)s %(asked)s was asked for, but flavor %(flavor)s "
                "allows %(floor)s to %(maximum)s %(unit)s.")
    code = 400


class AdjustPausedShrink(AdjustError):
    msg_fmt = _("Server %(server)s is paused and can only grow: %(key)s "
                "%(asked)s was asked for, it has %(current)s.")


class AdjustNoGuest(AdjustError):
    msg_fmt = _("Server %(server)s is not running, so there is nothing that "
                "'persist': false could adjust.")


class AdjustHostDown(AdjustError):
    msg_fmt = _("The compute host of server %(server)s is down.")


class AdjustHostUnreachable(AdjustError):
    msg_fmt = _("The compute host of server %(server)s cannot be reached.")


class AdjustTimeout(AdjustError):
    msg_fmt = _("The compute host of server %(server)s has not answered in "
                "time. The adjust may still happen: the server action "
                "'xloud_adjust' will tell.")


class AdjustGuestSilent(AdjustError):
    msg_fmt = _("The hypervisor has not told the size of server %(server)s in "
                "time.")


class AdjustHostTooOld(AdjustError):
    msg_fmt = _("The compute host of server %(server)s runs a release that "
                "cannot adjust servers.")


class AdjustNotSupported(AdjustError):
    msg_fmt = _("The compute host cannot adjust the server: %(reason)s")


class AdjustBusy(AdjustError):
    msg_fmt = _("The compute host is at work on as many adjusts as it may "
                "be. Try again later.")


class AdjustNoCapacity(AdjustError):
    msg_fmt = _("The compute host has not the capacity: %(asked)s more "
                "%(resource)s was asked for.")


class AdjustClaimRefused(AdjustNoCapacity):
    msg_fmt = _("Placement does not accept the new size of the server, "
                "although the compute host has room for it: a resource that "
                "the server holds is over its capacity, or the capacity has "
                "changed meanwhile. Try again later.")


class AdjustNotAllocated(AdjustError):
    msg_fmt = _("Placement holds nothing for server %(server)s on its host, "
                "so it cannot grow: see 'nova-manage placement "
                "heal_allocations'.")


class AdjustFailed(AdjustError):
    msg_fmt = _("%(reason)s The server counts with %(vcpus)s vCPUs and "
                "%(memory_mb)s MiB now.")


class AdjustIncomplete(AdjustError):
    msg_fmt = _("The guest has not followed to %(asked)s %(unit)s: "
                "%(reason)s.")


class AdjustUnused(AdjustIncomplete):
    msg_fmt = _("The guest uses only %(used)s of the %(asked)s vCPUs that it "
                "was given.")


class AdjustRefused(AdjustError):
    msg_fmt = _("The hypervisor has not taken the change.")


class AdjustTakenOver(AdjustError):
    msg_fmt = _("The server was taken over by another operation while it was "
                "adjusted.")


class AdjustAbandoned(AdjustError):
    msg_fmt = _("The compute host could not end the adjust. It tries again "
                "in its next periodic task, and brings the server to a size "
                "that all views of it agree on.")


class AdjustOveruse(AdjustError):
    msg_fmt = _("The guest has %(vcpus)s vCPUs and %(memory_mb)s MiB, more "
                "than the %(held_vcpus)s vCPUs and %(held_mb)s MiB that were "
                "held for it. From now on Placement and quota count the "
                "guest's size. %(hint)s")


class AdjustAccountingFailed(AdjustError):
    msg_fmt = _("Placement could not be asked for the capacity.")
    code = 503


class FloorError(exception.ValidationError):
    """The base of the faults of a floor in a flavor."""
    msg_fmt = _("The flavor's floor is not valid.")


class FloorInvalid(FloorError):
    msg_fmt = _("Extra spec '%(spec)s' must be an integer of at least 1, "
                "not '%(value)s'.")


class FloorAboveMaximum(FloorError):
    msg_fmt = _("Extra spec '%(spec)s' is %(floor)s, more than the "
                "%(maximum)s %(unit)s of flavor %(flavor)s.")


class FloorMemoryPinned(FloorError):
    msg_fmt = _("Extra spec 'minimum_memory' cannot be combined with "
                "%(reasons)s: this pins the memory of the guest, which then "
                "cannot be given back.")


class FloorVcpusLocked(FloorError):
    msg_fmt = _("Extra spec 'minimum_cpu' cannot be combined with "
                "%(reasons)s: no vCPU can be added to such a guest while it "
                "runs.")


class FloorBelowImage(FloorError):
    msg_fmt = _("Extra spec '%(spec)s' of flavor %(flavor)s is %(floor)s, "
                "less than the %(needed)s MiB that the image needs "
                "(min_ram).")


class FloorOverridden(FloorError):
    msg_fmt = _("Extra spec '%(spec)s' cannot be combined with "
                "'%(override)s', which fixes what Placement holds for the "
                "servers of flavor %(flavor)s.")


class ReservedExtraSpec(FloorError):
    msg_fmt = _("Extra spec '%(spec)s' is reserved: Nova itself uses the "
                "namespace 'xloud'.")


def from_remote(error):
    """Rebuild the exception of this module that a host has raised.

    :param error: an oslo_messaging.RemoteError
    :returns: the exception of this module with its message, or None when the
        host has raised something else
    """
    found = globals().get(error.exc_type)
    if not (isinstance(found, type) and issubclass(found, AdjustError)):
        if not str(error.exc_type).startswith(_PREFIX):
            return None
        # A refusal that a later release of this module has
        found = AdjustError
    message, _line, internal = error.value.partition('\n')
    return found(message, internal)


def for_members(error):
    """Tell which error an event of an adjust may show to the server's owner.

    :param error: exception, or text of ours, why the adjust has failed; None
        if it has not
    :returns: the same if it is ours; else an AdjustError that says nothing of
        the cause, which the log and the traceback of the event have
    """
    if error is None or isinstance(error, (str, AdjustError)):
        return error
    return AdjustError()
