"""Gives every flavor floors that equal its maxima, in the process of a functional test of Nova.

The functional tests of a woven tree call a copy of this module when they are imported: see
floors.py. Nova's tests must then see the figures of stock Nova. One difference is by design: a
host that can adjust has a trait. Tests that compare the traits of a host with a list of Nova's do
not see it.
"""

import atexit
import collections
import functools
import importlib
import inspect
import json
import os
import pathlib

from nova import exception
from nova.tests.fixtures import xloud as xloud_fixtures
from nova.tests.functional import integrated_helpers
from nova.virt import fake as fake_driver
from nova.xloud import size as xloud_size
from nova.xloud.api import flavors
from nova.xloud.scheduler import hosts

# The modules whose calls are counted: our code that works although no server is adjusted.
COUNTED = (
    "nova.virt.libvirt.xloud",
    "nova.virt.libvirt.xloud_xml",
    "nova.xloud.accounting",
    "nova.xloud.api.flavors",
    "nova.xloud.compute.hooks",
    "nova.xloud.compute.reconcile",
    "nova.xloud.compute.tracker",
    "nova.xloud.placement",
    "nova.xloud.record",
    "nova.xloud.scheduler.hosts",
    "nova.xloud.scheduler.request",
)

# A flavor of a server has all of these.
READ = ("id", "flavorid", "extra_specs")

_floors = set()
_calls = collections.Counter()


def install(notes):
    """Patch Nova for the rest of this process.

    :param notes: a directory; the process writes a file there when it ends, with the flavors that
        got a floor and the number of calls of each function of ours
    """
    _make_hosts_able()
    _hide_trait()
    for name in COUNTED:
        _count_calls(importlib.import_module(name))
    xloud_size._floor_of = _with_maximum(xloud_size._floor_of)
    atexit.register(_write, pathlib.Path(notes))


def _make_hosts_able():
    for fixture in (xloud_fixtures.AdjustableFakeDriver, xloud_fixtures.AdjustableLibvirt):
        fixture().setUp()
    for driver in vars(fake_driver).values():
        if isinstance(driver, type) and issubclass(driver, fake_driver.FakeDriver):
            driver.capabilities["supports_xloud_adjust"] = True


def _hide_trait():
    helper = integrated_helpers.PlacementHelperMixin
    get = helper._get_provider_traits
    helper._get_provider_traits = _without_trait(get)
    helper._get_all_traits = _without_trait(helper._get_all_traits)
    helper._set_provider_traits = _keeping_trait(helper._set_provider_traits, get)


def _without_trait(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return [trait for trait in function(*args, **kwargs) if trait != hosts.TRAIT]

    return wrapper


def _keeping_trait(function, get):
    """Let a test that replaces the traits of a host keep the one that it does not see."""

    @functools.wraps(function)
    def wrapper(test, rp_uuid, traits):
        kept = {hosts.TRAIT} & set(get(test, rp_uuid))
        return function(test, rp_uuid, [*traits, *kept])

    return wrapper


def _with_maximum(function):
    """Let the floor of a flavor that names none be its maximum, where it may have one."""

    @functools.wraps(function)
    def wrapper(flavor, spec):
        floor = function(flavor, spec)
        # A flavor without an identity is a test's own, and in no database.
        if floor is not None or any(name not in flavor for name in READ):
            return floor
        maximum = getattr(flavor, flavors.FLOORS[spec][0])
        if not _may_have(flavor, spec, maximum):
            return None
        _floors.add(f"{flavor.flavorid} {spec} {maximum}")
        return maximum

    return wrapper


def _may_have(flavor, spec, floor):
    """Say whether an operator could set a floor on a flavor."""
    # The flavor of a request carries a size, which no operator can set.
    specs = {
        name: value
        for name, value in flavor.extra_specs.items()
        if not name.startswith(flavors.RESERVED_NAMESPACE)
    }
    try:
        flavors._check(flavor, {**specs, spec: floor}, {})
    except exception.ValidationError:
        return False
    return True


def _count_calls(module):
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            setattr(module, name, _counted(value))
        elif inspect.isclass(value) and not issubclass(value, (tuple, Exception)):
            for key, method in list(vars(value).items()):
                if inspect.isfunction(method) and not key.startswith("__"):
                    setattr(value, key, _counted(method))


def _counted(function):
    name = f"{function.__module__}.{function.__qualname__}"

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        _calls[name] += 1
        return function(*args, **kwargs)

    # Functions that never run are told, too.
    _calls[name] += 0
    return wrapper


def _write(notes):
    told = {"floors": sorted(_floors), "calls": _calls}
    (notes / f"{os.getpid()}.json").write_text(json.dumps(told))
