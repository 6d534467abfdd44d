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

"""Placement's side: allocations, room on hosts, and the trait."""

import time

import os_resource_classes as orc

from nova.scheduler.client import report
from nova_xloud_settle import floors

# Of these nova-xloud changes the amounts; all others stay as they are.
FOLLOWS = (orc.VCPU, orc.MEMORY_MB)

_VERSION = report.CONSUMER_GENERATION_VERSION
_ATTEMPTS = 8
_PAUSE = 0.25


class PlacementError(Exception):
    """Placement gave an answer that was not expected."""


class NoRoom(Exception):
    """A host has less free than a server needs.

    :ivar short: dict of resource class to (amount missing, amount free)
    """

    def __init__(self, short):
        super().__init__(short)
        self.short = short


class Placement:
    """The Placement service, as Nova's own account sees it."""

    def __init__(self, context):
        """Make a client.

        :param context: nova.context.RequestContext, an admin's
        """
        self._client = report.SchedulerReportClient()
        self._id = context.global_id
        self._rooms = {}

    def _get(self, url, missing=None):
        answer = self._client.get(
            url, version=_VERSION, global_request_id=self._id)
        if answer.status_code == 200:
            return answer.json()
        if missing is not None and answer.status_code in (400, 404):
            return missing
        raise PlacementError('GET %s: %s' % (url, answer.text))

    def held(self, consumer, provider):
        """Return the amounts that a consumer holds of a provider.

        :returns: dict of resource class to amount; empty if it is nothing
        """
        found = self._get('/allocations/%s' % consumer)['allocations']
        return found.get(provider, {}).get('resources', {})

    def assign(self, consumer, provider, wanted):
        """Make a consumer hold amounts, of the classes that it holds.

        One atomic step each; a change by others meanwhile is seen, by the
        generation of the allocation, and read again.

        :param wanted: dict of resource class to amount
        :raises: NoRoom, PlacementError
        """
        url = '/allocations/%s' % consumer
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE * attempt)
            allocation = self._get(url)
            held = allocation['allocations'].get(provider, {}).get(
                'resources', {})
            changes = different(held, wanted)
            if not changes:
                return
            growth = {name: amount - held[name]
                      for name, amount in changes.items()
                      if amount > held[name]}
            held.update(changes)
            answer = self._client.put(
                url, allocation, version=_VERSION,
                global_request_id=self._id)
            if answer.status_code == 204:
                return
            if answer.status_code != 409:
                raise PlacementError('PUT %s: %s' % (url, answer.text))
            codes = [error.get('code') for error in answer.json()['errors']]
            if 'placement.concurrent_update' not in codes:
                self._rooms.pop(provider, None)
                room = self.room(provider)
                short = {name: (more, room.get(name, 0))
                         for name, more in growth.items()
                         if more > room.get(name, 0)}
                # Nothing may be short any more when it is asked
                raise NoRoom(short or {
                    name: (more, room.get(name, 0))
                    for name, more in growth.items()})
        raise PlacementError('PUT %s: too many changes by others' % url)

    def room(self, provider):
        """Return the free amounts of a provider, as far as this run knows.

        :returns: dict of resource class to amount; the caller may count on it
        """
        if provider not in self._rooms:
            url = '/resource_providers/%s/' % provider
            stocks = self._get(url + 'inventories')['inventories']
            used = self._get(url + 'usages')['usages']
            self._rooms[provider] = {
                name: int((stock['total'] - stock['reserved']) *
                          stock['allocation_ratio']) - used.get(name, 0)
                for name, stock in stocks.items()}
        return self._rooms[provider]

    def with_trait(self):
        """List the providers that have the trait.

        :returns: dict of UUID to name
        """
        # A trait that Placement does not know is a bad request
        found = self._get(
            '/resource_providers?required=%s' % floors.TRAIT,
            missing={'resource_providers': []})
        return {each['uuid']: each['name']
                for each in found['resource_providers']}

    def drop_trait(self, provider):
        """Take the trait from a provider.

        :raises: PlacementError
        """
        url = '/resource_providers/%s/traits' % provider
        for attempt in range(_ATTEMPTS):
            time.sleep(_PAUSE * attempt)
            # A provider that has gone meanwhile has no traits
            about = self._get(url, missing={'traits': []})
            if floors.TRAIT not in about['traits']:
                return
            about['traits'].remove(floors.TRAIT)
            answer = self._client.put(
                url, about, version=_VERSION, global_request_id=self._id)
            if answer.status_code == 200:
                return
            if answer.status_code != 409:
                break
        raise PlacementError('PUT %s: %s' % (url, answer.text))

    def forget_trait(self):
        """Delete the trait itself, unless a provider has it."""
        self._client.delete(
            '/traits/%s' % floors.TRAIT, version=_VERSION,
            global_request_id=self._id)


def different(held, wanted):
    """Tell the wanted amounts that differ from those held.

    A class that is not held does not follow.
    """
    return {name: amount for name, amount in wanted.items()
            if held.get(name, amount) != amount}
