"""Adjusts are told by legacy notifications too, for Ceilometer and others."""
from nova_xloud.weave import entries


class LegacyValidatingNotifier:
    allowed_legacy_notification_event_types = entries([
        'compute.instance.xloud_adjust.end',
        'compute.instance.xloud_adjust.error',
        'compute.instance.xloud_adjust.start',
    ])
