"""Flavors with a floor only go to hosts that can adjust servers."""
from nova_xloud.weave import entries

from nova.xloud import scheduling as xloud_scheduling

ALL_REQUEST_FILTERS = entries([
    xloud_scheduling.require_adjust,
])
