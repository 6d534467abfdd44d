"""The record of a server's size is not a property of its image.

Nova takes all other system metadata for one, and gives it to snapshots.
"""
from nova_xloud.weave import entries

SM_SKIP_KEYS = entries((
    'xloud_current_vcpus', 'xloud_current_memory_mb',
    'xloud_live_vcpus', 'xloud_live_memory_mb',
    'xloud_old_vcpus', 'xloud_old_memory_mb',
    'xloud_adjusting', 'xloud_guest',
))
