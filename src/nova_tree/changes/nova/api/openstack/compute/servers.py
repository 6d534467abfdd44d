"""A floor that does not suit is told as such when a server is resized.

Nova's controller would call it "Invalid instance image" otherwise.
"""
from nova_xloud.weave import entries

from nova.xloud import exception as xloud_exception

INVALID_FLAVOR_IMAGE_EXCEPTIONS = entries((
    xloud_exception.FloorError,
))
