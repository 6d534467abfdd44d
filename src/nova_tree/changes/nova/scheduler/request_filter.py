"""Flavors with a floor only go to hosts that can adjust servers."""
from nova_xloud.weave import entries

from nova.xloud.scheduler import hooks as xloud_hooks

ALL_REQUEST_FILTERS = entries([
    xloud_hooks.require_adjust,
])
