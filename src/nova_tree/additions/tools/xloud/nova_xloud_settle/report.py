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
"""The report of the work that is left: tables, or JSON for programs."""

import prettytable

from oslo_serialization import jsonutils

NOTHING, LEFT, UNKNOWN, ONLY_HOSTS = range(4)


def code(settled):
    """Return the exit code for the work that is left.

    :param settled: nova_xloud_settle.settle.Settled
    :returns: NOTHING, LEFT, or ONLY_HOSTS when all that is left is to swap
        the packages of hosts back
    """
    if settled.servers or settled.flavors:
        return LEFT
    if not settled.hosts:
        return NOTHING
    if all(host.hindrance for host in settled.hosts):
        return ONLY_HOSTS
    return LEFT


def _figures(pair):
    return '%s / %s' % tuple(pair)


def _held(server):
    # Of a server that is being resized: here and where it came from
    return ', '.join(
        _figures((share.held.get('VCPU', '-'),
                  share.held.get('MEMORY_MB', '-')))
        for share in server.shares) or '-'


def _rows(title, names, rows):
    table = prettytable.PrettyTable(names)
    table.align = 'l'
    table.max_width = 60
    for row in rows:
        table.add_row(row)
    return '%s\n%s\n' % (title, table)


def text(settled):
    """Make the text about the work that is left.

    :param settled: nova_xloud_settle.settle.Settled
    """
    parts = []
    if settled.flavors:
        parts.append(_rows(
            'Flavors with floors', ['Flavor', 'Gives the floors back'],
            [[each.flavor.name, each.command] for each in settled.flavors]))
    if settled.servers:
        parts.append(_rows(
            'Servers (figures are vCPUs / MiB)',
            ['Server', 'Host', 'State', 'nova-xloud', 'Placement', 'Quota',
             'Stock Nova', 'To do', 'Hindrance'],
            [[each.instance.uuid, each.instance.host or '-',
              each.instance.task_state or each.instance.vm_state,
              _figures(each.recorded), _held(each),
              _figures(each.counted), _figures(each.maximum),
              '; '.join(each.to_do), each.hindrance or '']
             for each in settled.servers]))
    if settled.hosts:
        parts.append(_rows(
            'Hosts with the trait CUSTOM_XLOUD_ADJUST',
            ['Host', 'nova-compute', 'Hindrance'],
            [[each.name, each.kind, each.hindrance or '']
             for each in settled.hosts]))
    parts.append({
        NOTHING: 'Nothing is left to settle.',
        LEFT: '%s flavors, %s servers and %s hosts are left to settle.' % (
            len(settled.flavors), len(settled.servers), len(settled.hosts)),
        ONLY_HOSTS: 'Only hosts are left: swap their packages back. All '
                    'servers are settled.',
    }[code(settled)])
    return '\n'.join(parts)


def json(settled):
    """Make the JSON about the work that is left.

    :param settled: nova_xloud_settle.settle.Settled
    """
    return jsonutils.dumps({
        'flavors': [{
            'id': each.flavor.flavorid, 'name': each.flavor.name,
            'floors': each.floors} for each in settled.flavors],
        'servers': [{
            'id': each.instance.uuid, 'host': each.instance.host,
            'vm_state': each.instance.vm_state,
            'task_state': each.instance.task_state,
            'recorded': each.recorded, 'counted': each.counted,
            'placement': [{
                'consumer': share.consumer, 'provider': share.provider,
                'held': share.held, 'wanted': share.wanted}
                for share in each.shares],
            'stock': each.maximum, 'to_do': each.to_do,
            'hindrance': each.hindrance} for each in settled.servers],
        'hosts': [{
            'name': each.name, 'nova_compute': each.kind,
            'hindrance': each.hindrance} for each in settled.hosts],
        'code': code(settled),
    }, indent=2)
