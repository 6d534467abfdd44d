"""The policies os_compute_api:xloud:* are registered with Nova's own."""
from nova_xloud.weave import arguments

import itertools

from nova.policies import xloud_adjust


@arguments
def list_rules():
    itertools.chain(xloud_adjust.list_rules())
