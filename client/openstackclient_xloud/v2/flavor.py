"""The command that gives a flavor its floor, and fails where the cloud refuses the floor."""

from __future__ import annotations

import argparse
from typing import Any

from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions
from osc_lib.command import command

from openstackclient_xloud import api
from openstackclient_xloud.v2.server import positive


class SetFlavorFloor(command.ShowOne):  # type: ignore[misc]
    """Set the floor of a flavor: the size that its servers start with and can shrink to.

    The Compute service checks the floor against the flavor. The command ends with 0 only if the
    flavor has the floor afterwards. "openstack flavor create --property minimum_cpu=N" creates the
    flavor without the floor where the floor is refused, and ends with 0 all the same: create the
    flavor first, then give it its floor by this command.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("flavor", metavar="<flavor>", help="Flavor to modify (name or ID)")
        parser.add_argument(
            "--minimum-cpu",
            metavar="<vcpus>",
            type=positive,
            help="Number of vCPUs that servers start with, at most the flavor's vCPUs",
        )
        parser.add_argument(
            "--minimum-memory",
            metavar="<MiB>",
            type=positive,
            help="Memory in MiB that servers start with, at most the flavor's RAM",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Any]:
        """Set the floor and read it again; return the columns and values of the output."""
        asked = {
            "minimum_cpu": parsed_args.minimum_cpu,
            "minimum_memory": parsed_args.minimum_memory,
        }
        specs = {name: str(value) for name, value in asked.items() if value is not None}
        if not specs:
            raise exceptions.CommandError(
                "Nothing to set: give --minimum-cpu, --minimum-memory, or both."
            )
        compute = self.app.client_manager.sdk_connection.compute
        try:
            flavor = compute.find_flavor(parsed_args.flavor, ignore_missing=False)
        except sdk_exceptions.SDKException as error:
            raise exceptions.CommandError(str(error)) from error
        # unmodified Nova takes the floors without a check, and without effect
        api.require(compute)
        api.set_extra_specs(compute, flavor.id, specs)
        there = api.extra_specs(compute, flavor.id)
        lost = [name for name, value in specs.items() if there.get(name) != value]
        if lost:
            raise exceptions.CommandError(
                f"The flavor {flavor.name} does not have these values of the request: "
                f"{', '.join(lost)}."
            )
        shown = {
            "id": flavor.id,
            "name": flavor.name,
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            **{name: there.get(name) for name in asked},
        }
        return tuple(shown), tuple(shown.values())
