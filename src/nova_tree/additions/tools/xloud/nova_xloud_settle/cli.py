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
"""The command line of nova-xloud-settle."""

import argparse
import contextlib
import os
import pwd
import sys

from nova_xloud_settle import __doc__ as about

_EXIT = """
exit code: 0 nothing is left; 1 something is left; 2 wrong use, or the cloud
could not be asked; 3 only hosts are left that still run nova-xloud
"""


def _parser():
    parser = argparse.ArgumentParser(
        prog='nova-xloud-settle', description=about, epilog=_EXIT)
    parser.add_argument(
        'action', choices=['list', 'apply'],
        help='list: tell what is left, change nothing; apply: settle it')
    parser.add_argument(
        '--json', action='store_true', help='tell what is left as JSON')
    parser.add_argument(
        '--host', metavar='NAME',
        help='the servers and the trait of one compute host only; flavors '
             'keep their floors')
    for name, what in (('file', 'FILE'), ('dir', 'DIRECTORY')):
        parser.add_argument(
            '--config-' + name, action='append', default=[], metavar=what,
            help="Nova's configuration; as other commands of Nova's take it")
    return parser


def _become_nova():
    """Go on as the user of Nova's services, where root has started this."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam('nova')
        os.initgroups(user.pw_name, user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.environ['HOME'] = user.pw_dir


def _read_configuration(options):
    """Have Nova read its configuration."""
    from oslo_log import log as logging

    import nova.conf
    from nova import config
    from nova import objects

    arguments = ['nova-xloud-settle']
    for name in ('file', 'dir'):
        for value in getattr(options, 'config_' + name):
            arguments += ['--config-' + name, value]
    config.parse_args(arguments)
    # Failures go to the terminal, not to a log that root would have to look
    # for
    nova.conf.CONF.set_override('log_file', None)
    nova.conf.CONF.set_override('log_dir', None)
    nova.conf.CONF.set_override('use_journal', False)
    nova.conf.CONF.set_override('debug', False)
    nova.conf.CONF.set_override('default_log_levels', ['root=WARNING'])
    logging.setup(nova.conf.CONF, 'nova')
    objects.register_all()


def run(options):
    """Do the work that the command line asks for.

    :param options: argparse.Namespace of the command line
    :returns: exit code
    """
    from nova import context
    from nova_xloud_settle import cloud
    from nova_xloud_settle import placement
    from nova_xloud_settle import report
    from nova_xloud_settle import settle

    admin = context.get_admin_context()
    arguments = (cloud.Cloud(admin), placement.Placement(admin), options.host)
    if options.host and options.host not in {
            host for host, node in arguments[0].providers}:
        print('nova-xloud-settle: no host %s in this cloud' % options.host,
              file=sys.stderr)
        return report.UNKNOWN
    if options.action == 'apply':
        left = settle.apply(
            *arguments,
            # JSON alone is on standard output
            tell=lambda line: print(
                line, flush=True,
                file=sys.stderr if options.json else sys.stdout))
    else:
        left = settle.look(*arguments)
    print(report.json(left) if options.json else report.text(left))
    return report.code(left)


def main(arguments):
    """Run the command.

    :param arguments: list of the words after the command's name
    :returns: exit code
    """
    options = _parser().parse_args(arguments)
    _become_nova()
    try:
        _read_configuration(options)
        return run(options)
    except Exception as error:
        # Those of databases go on with the statement
        reason = str(error).partition('\n')[0]
        print('nova-xloud-settle: the cloud could not be asked: %s: %s\n'
              'What was told as settled is settled. All else is as it was: '
              'run the same command again. It needs the databases, Placement '
              'and the message queue, as nova.conf of a controller names them.'
              % (type(error).__name__, reason), file=sys.stderr)
        return 2
