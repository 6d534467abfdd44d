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

"""Options for servers that are adjusted while they run."""

from oslo_config import cfg

xloud_group = cfg.OptGroup(
    'xloud',
    title='Options for adjusting servers',
    help="""
How nova-compute changes the vCPUs and the memory of a running server whose
flavor has the extra spec ``minimum_cpu`` or ``minimum_memory``.
""")

xloud_opts = [
    cfg.IntOpt(
        'unplug_timeout',
        default=30,
        min=6,
        help="""
How long to wait for a guest that is asked to give up vCPUs, without any of
them going, before the adjust is failed.

libvirt itself waits for five seconds and then reports an error, although the
guest may have given up the vCPU, or may do so a moment later. nova-compute
asks again as long as vCPUs go.

Possible values:

* A number of seconds, at least 6.
"""),
    cfg.IntOpt(
        'agent_timeout',
        default=5,
        min=1,
        help="""
How long the guest agent of a server may take to answer a question about the
vCPUs that the guest uses. An agent that takes longer counts as none for the
rest of the adjust: the guest is not asked.

Before the question itself libvirt makes sure that the agent is there, for
which it waits as long again, and at most five seconds. The time that libvirt
waits for the agent in calls of others is put back to its default, which is
for ever.

Possible values:

* A number of seconds, at least 1.
"""),
    cfg.IntOpt(
        'guest_online_timeout',
        default=15,
        min=1,
        help="""
How long a guest whose agent answers may take to use the vCPUs that it was
given. Afterwards the vCPUs are taken back, and the adjust has failed.

Possible values:

* A number of seconds, at least 1.
"""),
    cfg.IntOpt(
        'balloon_timeout',
        default=30,
        min=1,
        help="""
How long to wait for a guest whose memory is changed, without the change
getting on, before the adjust is failed.

Possible values:

* A number of seconds, at least 1.
"""),
    cfg.IntOpt(
        'balloon_driver_timeout',
        default=5,
        min=1,
        help="""
How long to wait for a guest that shows no sign of a balloon driver, before an
adjust of its memory is failed.

Possible values:

* A number of seconds, at least 1.
"""),
    cfg.IntOpt(
        'boot_timeout',
        default=120,
        min=0,
        help="""
How long after its start a guest may take to bring its balloon driver up. An
adjust of the memory of a younger guest waits for the driver. Only afterwards
does ``balloon_driver_timeout`` count.

A nova-compute that was restarted does not know when the running guests were
started. For so many seconds after its own start it takes each guest without a
balloon driver for one that may be booting.

Possible values:

* A number of seconds; 0 not to wait for guests that boot.
"""),
    cfg.IntOpt(
        'change_timeout',
        default=600,
        min=10,
        help="""
How long a change of a guest may take altogether, even when it gets on.

Possible values:

* A number of seconds, at least 10.
"""),
    cfg.IntOpt(
        'balloon_stats_period',
        default=10,
        min=1,
        help="""
Interval in which guests whose flavor has ``minimum_memory`` report their
memory statistics. Only used where ``[libvirt] mem_stats_period_seconds`` is
0, because without statistics nobody can tell whether a guest has a balloon
driver.

Possible values:

* A number of seconds, at least 1.
"""),
]


def register_opts(conf):
    conf.register_group(xloud_group)
    conf.register_opts(xloud_opts, group=xloud_group)


def list_opts():
    return {xloud_group: xloud_opts}
