"""Ceilometer's side of ceilometer.py: runs in its virtualenv, and imports nothing of ours.

Arguments: the notifications, the directory of our definitions, the file for the samples.
"""

from __future__ import annotations

import json
import logging
import sys
import uuid
from pathlib import Path

from ceilometer import service
from ceilometer.event import converter
from ceilometer.meter import notifications
from stevedore import extension


class Complaints(logging.Handler):
    """Keeps the warnings of Ceilometer."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        """Keep a record."""
        self.lines.append(record.getMessage())


def main():
    """Make samples and events of the notifications."""
    legacy, definitions, target = map(Path, sys.argv[1:])
    complaints = Complaints()
    logging.getLogger("ceilometer").addHandler(complaints)
    conf = service.prepare_service([], config_files=[])
    logging.getLogger("ceilometer").addHandler(complaints)

    package = Path(notifications.__file__).parents[1]
    own = [str(package / "data" / "meters.d")]
    conf.set_override(
        "meter_definitions_dirs", [str(definitions / "meters.d"), *own], group="meter"
    )
    # as the guide says: ours at the end of Ceilometer's own
    joined = target.with_suffix(".yaml")
    joined.write_text(
        (package / "pipeline" / "data" / "event_definitions.yaml").read_text()
        + (definitions / "event_definitions.yaml").read_text()
    )
    conf.set_override("definitions_cfg_file", str(joined.absolute()), group="event")

    meters = notifications.ProcessMeterNotifications(conf, None)
    events = converter.setup_events(
        conf, extension.ExtensionManager(namespace="ceilometer.event.trait_plugin")
    )
    told = {"samples": [], "events": [], "complaints": complaints.lines}
    for number, message in enumerate(json.loads(legacy.read_text())):
        message["metadata"] = {
            "message_id": str(uuid.UUID(int=number)),
            "timestamp": "2026-11-27T12:00:00.000000",
        }
        message["ctxt"] = {}
        for sample in meters.build_sample(message):
            told["samples"].append(
                {
                    "event_type": message["event_type"],
                    "name": sample.name,
                    "type": sample.type,
                    "unit": sample.unit,
                    "volume": sample.volume,
                    "resource_id": sample.resource_id,
                    "project_id": sample.project_id,
                }
            )
        event = events.to_event(message["priority"], message)
        if event is not None:
            told["events"].append(
                {
                    "event_type": event.event_type,
                    "traits": {trait.name: trait.value for trait in event.traits},
                }
            )
    target.write_text(json.dumps(told, default=str, indent=1))


if __name__ == "__main__":
    main()
