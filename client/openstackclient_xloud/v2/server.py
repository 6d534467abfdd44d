"""The commands that resize a running server and show its size."""

from __future__ import annotations

import argparse
import logging
from typing import Any

from osc_lib import exceptions
from osc_lib.command import command

from openstackclient_xloud import api, waiting

#: The exit code when the cloud has accepted an adjust that failed later.
EXIT_FAILED = 3
#: Without a terminal a line tells every so many seconds that the adjust goes on.
_EVERY = 5.0


def positive(text: str) -> int:
    """Return an integer from 1.

    :raises argparse.ArgumentTypeError: if the text is none
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no integer from 1")
    return int(text)


class AdjustServer(command.ShowOne):  # type: ignore[misc]
    """Give a running server another size, within the bounds of its flavor.

    The Compute service accepts the request, and does the work afterwards. With --wait the command
    follows the work to its end. It ends with 0 if the server has the new size, with 1 if the
    request was refused, and with 3 if the request was accepted and failed later. The result and
    the reason are in the output, and in the server action that has the id of the request.
    """

    log = logging.getLogger(__name__)
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="<server>", help="Server to adjust (name or ID)")
        parser.add_argument(
            "--vcpus",
            metavar="<vcpus>",
            type=positive,
            help="Number of vCPUs, from the flavor's minimum_cpu to its vCPUs",
        )
        parser.add_argument(
            "--memory",
            metavar="<MiB>",
            type=positive,
            help="Memory in MiB, from the flavor's minimum_memory to its RAM",
        )
        parser.add_argument(
            "--no-persist",
            dest="persist",
            action="store_false",
            help="Change the running guest only: the next cold start has the size of before",
        )
        parser.add_argument(
            "--wait",
            action="store_true",
            help="Wait until the adjust has ended, and show the size that the server has then",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Any]:
        """Ask for the adjust; return the columns and values of the output."""
        asked = {"current_vcpus": parsed_args.vcpus, "current_memory_mb": parsed_args.memory}
        size = {name: value for name, value in asked.items() if value is not None}
        if not size:
            raise exceptions.CommandError("Nothing to change: give --vcpus, --memory, or both.")
        compute = self.app.client_manager.sdk_connection.compute
        server = api.find_server(compute, parsed_args.server)
        request_id = api.adjust(compute, server.id, size, persist=parsed_args.persist)
        shown = {"id": server.id, "name": server.name, "request_id": request_id}
        if not parsed_args.wait:
            wish = {name.replace("current", "asked"): value for name, value in size.items()}
            return _columns({**shown, "result": "accepted", **wish})
        ended = self._follow(compute, server, request_id)
        now = api.status(compute, server.id)
        if ended.result != "Success":
            self._exit_code = EXIT_FAILED
            self.log.error(
                "The adjust of %s failed: %s The server has %s vCPUs and %s MiB.",
                *(server.name, ended.details or "no reason is told."),
                *(now["current_vcpus"], now["current_memory_mb"]),
            )
        return _columns({**shown, "result": ended.result, "details": ended.details, **now})

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command; return its exit code."""
        code: int = super().run(parsed_args)
        return code or self._exit_code

    def _follow(self, compute: Any, server: api.Server, request_id: str) -> api.Action:
        """Wait for the end of the action, and show that it goes on."""
        out = self.app.stderr
        quiet = self.app.options.verbose_level == 0
        terminal = not quiet and out.isatty()
        told = 0.0

        def tell(seconds: float) -> None:
            nonlocal told
            text = f"{server.name}: adjusting, {seconds:.0f} s"
            if terminal:
                out.write(f"\r{text}")
                out.flush()
            elif not quiet and (told == 0.0 or seconds - told >= _EVERY):
                out.write(f"{text}\n")
                out.flush()
                told = max(seconds, 0.001)

        try:
            return waiting.follow(compute, server.id, request_id, tell)
        except KeyboardInterrupt:
            self.log.warning(
                "Not waiting any more. The adjust goes on in the cloud: %s %s %s",
                *(api.SHOW_EVENT, server.id, request_id),
            )
            raise
        finally:
            if terminal:
                out.write("\r\033[K")
                out.flush()


class ShowServerSize(command.ShowOne):  # type: ignore[misc]
    """Show how large a server is now, and the bounds of its flavor.

    The figures are the guest's own where its host can be asked, else those that are recorded.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Return the parser of the command's arguments."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="<server>", help="Server to show (name or ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], Any]:
        """Ask for the size; return the columns and values of the output."""
        compute = self.app.client_manager.sdk_connection.compute
        server = api.find_server(compute, parsed_args.server)
        told = api.status(compute, server.id)
        return _columns({"id": server.id, "name": server.name, **told})


def _columns(shown: dict[str, Any]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return names and values as cliff wants them."""
    return tuple(shown), tuple(shown.values())
