"""The notification of adjusts has a fingerprint, like Nova's own."""
from nova.tests.unit.xloud import fingerprints as xloud_fingerprints

xloud_fingerprints.add_to(notification_object_data)
