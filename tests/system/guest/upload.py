"""Make images of the guest, one for each way it can behave; runs inside, with openstacksdk.

usage: upload.py PASSWORD IDENTITY_URL DIRECTORY
"""

import sys
from pathlib import Path

sys.path.insert(0, "/root")
from accounts import connect

COMMAND_LINE = "console=ttyS0 quiet loglevel=4"
#: The guest hears no power button: nothing is gained by the minute that Nova gives one.
IMPATIENT = {"os_shutdown_timeout": "1"}
#: {image: (further words of the kernel's command line, properties)}
IMAGES = {
    "guest": ("", IMPATIENT),
    "guest-that-keeps-cpus": (" unplug=off", IMPATIENT),
    "guest-without-balloon": (" balloon=off", IMPATIENT),
    # for the bench: one looks often, and has Nova's own patience; a crowd of the other, which
    # looks seldom, leaves the processor to Nova, as guests with a processor of their own do
    "guest-quick": (" every=0.1", {}),
    "guest-still": (" every=10", IMPATIENT),
}


def main() -> None:
    """Upload kernel and RAM disk once, and a disk for each image."""
    password, address, directory = sys.argv[1:]
    cloud = connect(password, address)
    parts = {}
    for name, form, file in (("kernel", "aki", "vmlinuz"), ("initrd", "ari", "initrd.gz")):
        parts[name] = cloud.create_image(
            f"guest-{name}",
            filename=str(Path(directory) / file),
            container_format=form,
            disk_format=form,
            visibility="public",
            wait=True,
        )
    for name, (words, properties) in IMAGES.items():
        cloud.create_image(
            name,
            filename=str(Path(directory) / "disk.raw"),
            container_format="bare",
            disk_format="raw",
            visibility="public",
            wait=True,
            meta={
                "kernel_id": parts["kernel"].id,
                "ramdisk_id": parts["initrd"].id,
                "os_command_line": COMMAND_LINE + words,
                **properties,
            },
        )


if __name__ == "__main__":
    main()
