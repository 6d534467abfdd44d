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

"""Assumptions of our hooks about Nova's code that no anchor checks.

Each test reads the source of Nova. A release that calls a hooked function
from another place, or with other arguments, fails here and not in a cloud.
"""

import ast
import collections
import os

import nova
from nova import test

Call = collections.namedtuple('Call', 'place arguments')

# Callers of the scheduler, and the functions that prepare the request
MANAGER = 'nova/conductor/manager.py:ComputeTaskManager.'
LIVE = 'nova/conductor/tasks/live_migrate.py:LiveMigrationTask.'
COLD = 'nova/conductor/tasks/migrate.py:MigrationTask.'
COMPUTE = 'nova/compute/manager.py:ComputeManager.'


class Functions(ast.NodeVisitor):
    """Collects the functions of a module, by their names."""

    def __init__(self):
        self.found = {}
        self._names = []

    def visit_ClassDef(self, node):
        self._names.append(node.name)
        self.generic_visit(node)
        self._names.pop()

    def visit_FunctionDef(self, node):
        # A nested function belongs to the function around it
        self.found['.'.join(self._names + [node.name])] = node


def functions(words, *packages):
    """Return {place: ast.FunctionDef} of parts of Nova, without tests.

    :param words: only modules with one of these in them are read
    :param packages: directories or modules of Nova, as 'nova/compute'
    """
    top = os.path.dirname(os.path.dirname(nova.__file__))
    found = {}
    for package in packages:
        for path in _files(os.path.join(top, package)):
            with open(path) as source:
                code = source.read()
            if not any(word in code for word in words):
                continue
            visitor = Functions()
            visitor.visit(ast.parse(code))
            name = os.path.relpath(path, top)
            found.update(('%s:%s' % (name, function), node)
                         for function, node in visitor.found.items())
    return found


def _files(path):
    if os.path.isfile(path):
        return [path]
    return [os.path.join(directory, name)
            for directory, _directories, names in os.walk(path)
            for name in names if name.endswith('.py') and
            not {'tests', 'xloud'} & set(directory.split(os.sep)[-3:])]


def named(node, name):
    """Tell whether a call is one of a function or method of a name."""
    return isinstance(node, ast.Call) and name == getattr(
        node.func, 'attr', getattr(node.func, 'id', None))


def text(node):
    """Return a name, or names with dots between; 'other' for all else."""
    if isinstance(node, ast.Attribute):
        return '%s.%s' % (text(node.value), node.attr)
    if isinstance(node, ast.List):
        return '[%s]' % ', '.join(map(text, node.elts))
    return node.id if isinstance(node, ast.Name) else 'other'


def calls(places, name):
    """Return the set of all Calls of a function or method of a name.

    :param places: see functions()
    """
    return {
        Call(place, ', '.join(map(text, node.args)))
        for place, function in places.items()
        for node in ast.walk(function) if named(node, name)}


def lines(function, name):
    """Return the lines of a function that call one of a name, in order."""
    return sorted(node.lineno for node in ast.walk(function)
                  if named(node, name))


class NetworkInformationTestCase(test.NoDBTestCase):
    """RequestSpec.ensure_network_information is called by all moves.

    The size of a server is put into the request there.
    """

    def setUp(self):
        super().setUp()
        self.places = functions(
            ('ensure_network_information', 'select_destinations',
             '_schedule_instances'), 'nova')

    def test_all_moves_call_it_with_the_server(self):
        self.assertEqual({
            Call(MANAGER + 'unshelve_instance', 'instance'),
            Call(MANAGER + 'rebuild_instance', 'instance'),
            Call(LIVE + '_get_request_spec_for_select_destinations',
                 'self.instance'),
            Call(COLD + '_execute', 'self.instance'),
        }, calls(self.places, 'ensure_network_information'))

    def test_nobody_else_asks_the_scheduler_for_a_host(self):
        self.assertEqual({
            Call(MANAGER + '_schedule_instances',
                 'context, request_spec, instance_uuids'),
            Call(LIVE + '_find_destination',
                 'self.context, request_spec, [self.instance.uuid]'),
            Call(COLD + '_schedule',
                 'self.context, self.request_spec, [self.instance.uuid]'),
        }, {call for call in calls(self.places, 'select_destinations')
            if call.place.startswith('nova/conductor')})

    def test_who_has_servers_scheduled_calls_it_before(self):
        # The first two make servers, which begin at the floor of a flavor
        self.assertEqual({
            MANAGER + name for name in (
                'build_instances', 'schedule_and_build_instances',
                'unshelve_instance', 'rebuild_instance')
        }, {call.place for call in calls(
            self.places, '_schedule_instances')})
        for place, prepare, ask in (
                (MANAGER + 'unshelve_instance',
                 'ensure_network_information', '_schedule_instances'),
                (MANAGER + 'rebuild_instance',
                 'ensure_network_information', '_schedule_instances'),
                (COLD + '_execute',
                 'ensure_network_information', '_schedule'),
                (LIVE + '_find_destination',
                 '_get_request_spec_for_select_destinations',
                 'select_destinations')):
            function = self.places[place]
            self.assertLess(lines(function, prepare)[-1],
                            lines(function, ask)[0], place)


class InstanceInfoTestCase(test.NoDBTestCase):
    """ComputeManager._set_instance_info sets the flavor of a server.

    The size of a server follows its flavor there.
    """

    def setUp(self):
        super().setUp()
        self.places = functions(
            ('_set_instance_info', 'instance.instance_type_id =',
             'instance.memory_mb =', 'instance.vcpus =',
             'instance.flavor ='),
            'nova/compute', 'nova/conductor', 'nova/virt')

    def test_resizes_and_reverts_call_it(self):
        self.assertEqual({
            Call(COMPUTE + '_finish_resize', 'instance, new_flavor'),
            # The resize has failed
            Call(COMPUTE + '_finish_resize', 'instance, old_flavor'),
            Call(COMPUTE + '_finish_snapshot_based_resize_at_dest',
                 'instance, flavor'),
            Call(COMPUTE + '_revert_instance_flavor_host_node',
                 'instance, instance.old_flavor'),
        }, calls(self.places, '_set_instance_info'))

    def test_it_sets_the_flavor_and_the_columns(self):
        function = self.places[COMPUTE + '_set_instance_info']
        self.assertEqual(['staticmethod', 'xloud_hooks.set_instance_info'], [
            text(each) for each in function.decorator_list])
        self.assertEqual(
            ['instance', 'flavor'], [each.arg for each in function.args.args])
        self.assertEqual(
            {'instance_type_id', 'memory_mb', 'vcpus', 'root_gb',
             'ephemeral_gb', 'flavor'},
            {name for name, _value in self._set_in(function)})

    @staticmethod
    def _set_in(function):
        return {(target.attr, text(node.value))
                for node in ast.walk(function) if isinstance(node, ast.Assign)
                for target in node.targets
                if isinstance(target, ast.Attribute) and
                text(target.value) in ('instance', 'self.instance')}

    def test_nothing_else_sets_them_on_a_server_that_exists(self):
        self.places.pop(COMPUTE + '_set_instance_info')
        found = {
            (place, name) for place, function in self.places.items()
            for name, _value in self._set_in(function)
            if name in ('instance_type_id', 'memory_mb', 'vcpus', 'flavor')}
        self.assertEqual(
            {('nova/compute/api.py:API._populate_instance_for_create',
              'flavor')}, found)


class ProvisionInstancesTestCase(test.NoDBTestCase):
    """API._provision_instances has another flavor while it asks quota."""

    #: The functions that may see the flavor that stands in. They read no
    #: more of it than quota counts.
    QUOTA = {'compute_utils.check_num_instances_quota',
             'placement_limits.enforce_num_instances_and_flavor',
             'self._enforce_create_unified_limits'}

    def setUp(self):
        super().setUp()
        self.function = functions(
            ('_provision_instances',), 'nova/compute/api.py')[
            'nova/compute/api.py:API._provision_instances']
        self.first, = self._assigned('asked_flavor')
        self.last = self._assigned('flavor')[-1]

    def _assigned(self, name):
        return sorted(
            node.lineno for node in ast.walk(self.function)
            if isinstance(node, ast.Name) and node.id == name and
            isinstance(node.ctx, ast.Store))

    def _between(self, nodes):
        return [node for node in nodes
                if self.first < getattr(node, 'lineno', 0) < self.last]

    def test_only_our_lines_set_it(self):
        # Ours is one statement on each of two places
        self.assertEqual(2, len(self._assigned('flavor')))
        self.assertLess(self.first, self._assigned('flavor')[0])

    def test_only_quota_sees_the_one_that_stands_in(self):
        seen = collections.Counter()
        for node in self._between(ast.walk(self.function)):
            if isinstance(node, ast.Call):
                for argument in node.args:
                    if text(argument) == 'flavor':
                        seen[text(node.func)] += 1
            if text(node) == 'flavor.extra_specs':
                # Both have all extra specs but the floors
                seen['extra_specs'] += 1
        uses = [node for node in self._between(ast.walk(self.function))
                if text(node) == 'flavor' and
                isinstance(node.ctx, ast.Load)]
        self.assertEqual(len(uses), sum(seen.values()))
        names = set(seen) - {'extra_specs', 'xloud_hooks.held_at_create'}
        self.assertEqual(2, len(names), names)
        self.assertLessEqual(names, self.QUOTA)

    def test_it_is_put_back_whatever_happens_between(self):
        for kind in (ast.Return, ast.Yield, ast.Try, ast.For, ast.While):
            self.assertEqual([], self._between(
                node for node in ast.walk(self.function)
                if isinstance(node, kind)), kind)

    def test_quota_is_asked_nowhere_else_in_it(self):
        for name in self.QUOTA:
            for line in lines(self.function, name.split('.')[1]):
                self.assertTrue(self.first < line < self.last, name)
