"""Guests with Debian's own userland and cloud kernel: systemd, udev, a login on the serial console.

Nothing in their images is ours. What a guest has is told by a loop of shell commands, typed at its
console by whoever has logged in: the loop reads, and changes nothing in the guest.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import shlex
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nova_xloud.ground import root
from nova_xloud.ground.errors import RootError
from nova_xloud.ground.files import locked
from tests.system import lab, settings
from tests.system.cloud import Cloud, Flavor
from tests.system.server import Server
from tests.system.waiting import wait_for

#: Seconds that a guest needs under emulation: from its start to the login, and for one command.
BOOT, COMMAND = 420, 120
_PASSWORD = "lab"  # noqa: S105 no secret: of a guest that lives for one test
#: Linux 6.12, of the next Debian, ignores absent CPUs under a QEMU without KVM.
_SUITE = "bookworm"
_ROOMS = tuple(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale"))


def _recipe(name: str, *packages: str) -> root.Recipe:
    """Return the recipe of an image: a minimal Debian with its cloud kernel, and a password."""
    return root.Recipe(
        name=name,
        suite=_SUITE,
        packages=("systemd-sysv", "udev", "dbus", "linux-image-cloud-amd64", *packages),
        hooks=(
            *_ROOMS,
            f'--customize-hook=echo root:{_PASSWORD} | chroot "$1" chpasswd',
            '--customize-hook=echo debian >"$1/etc/hostname"',
        ),
    )


@dataclass(frozen=True)
class Image:
    """An image of the cloud.

    :ivar name: the image's name in Glance
    :ivar recipe: what its file system is made of
    :ivar words: of the kernel's command line, besides the root's and the console's
    :ivar properties: more properties of the image
    """

    name: str
    recipe: root.Recipe
    words: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


_CLOUD = _recipe("guest-debian-12-cloud", "cloud-init", "qemu-guest-agent")
#: Without anything that is of use for a cloud but the kernel.
STOCK = Image("debian", _recipe("guest-debian-12"))
#: With cloud-init, which finds the data of Nova on a config drive.
CLOUD_INIT = Image("debian-cloud-init", _CLOUD)
#: With an agent that answers libvirt.
AGENT = Image("debian-agent", _CLOUD, "cloud-init=disabled", {"hw_qemu_guest_agent": "yes"})

#: For a guest of these images; without KVM a guest plugs as many vCPUs in its life as its maximum.
FLAVOR = Flavor(vcpus=8, ram=768, minimum_cpu=1, minimum_memory=512)
#: The CPUs that a kernel has, and those that it uses.
CPUS = "cat /sys/devices/system/cpu/present /sys/devices/system/cpu/online"

_DISK = """
mke2fs -q -t ext4 -d /guest /made/disk.raw 800M
qemu-img convert -c -O qcow2 -o compression_type=zstd /made/disk.raw /made/disk.qcow2
rm /made/disk.raw
cp /guest/boot/vmlinuz-* /made/vmlinuz
cp /guest/boot/initrd.img-* /made/initrd
"""


_root = functools.cache(root.make)


@functools.cache
def files(recipe: root.Recipe) -> Path:
    """Return the directory with an image's disk, kernel and RAM disk, made unless it is cached.

    The first call of a recipe needs the archive: call before the network of the cloud is entered.

    :raises nova_xloud.ground.errors.RootError: a step failed
    """
    guest = _root(recipe)
    told = hashlib.sha256(_DISK.encode()).hexdigest()[:12]
    made = guest.with_name(f"{guest.name}-image-{told}")
    with locked(guest.with_name(f".{recipe.name}-image.lock"), "waiting for another image"):
        if not made.is_dir():
            scratch = Path(tempfile.mkdtemp(prefix=f".{recipe.name}.", dir=guest.parent))
            try:
                _make_disk(guest, scratch)
                (scratch / "made").rename(made)
            finally:
                root.remove_tree(scratch)
    return root.hold(made)


def files_with(image: Image, package: Path, scratch: Path) -> Path:
    """Make the files of an image that a package was installed in by apt, as its builder would do.

    :param package: a Debian package
    :param scratch: a directory; the files that are written to it stay
    :raises nova_xloud.ground.errors.RootError: a step failed
    """
    install = ["apt-get", "-y", "install", f"/package/{package.name}"]
    with root.overlay([_root(image.recipe)], scratch / "guest") as guest:
        log = scratch / "install.log"
        if root.run_in(guest, install, log=log, binds={package.parent: "/package"}):
            raise RootError(f"{package.name} was not installed:\n{log.read_text()}")
        (guest / "package").rmdir()
        _make_disk(guest, scratch)
    return scratch / "made"


def _make_disk(guest: Path, scratch: Path) -> None:
    """Make the files of an image of a guest's file system, in ``scratch / "made"``."""
    log = scratch / "disk.log"
    (scratch / "made").mkdir()
    with root.overlay([lab.layers()[-1]], scratch / "tools") as tools:
        binds = {guest: "/guest", scratch / "made": "/made"}
        if root.run_in(tools, ["sh", "-euc", _DISK], log=log, binds=binds):
            raise RootError(f"no disk was made of {guest}:\n{log.read_text()}")


_OFFERING = threading.Lock()


def offer(cloud: Cloud, image: Image, place: Path | None = None) -> str:
    """Have the cloud offer an image, if it does not yet, and return the image's name.

    :param place: the image's files, where they are not those of its recipe alone
    """
    with _OFFERING:
        if not cloud.images(image.name):
            _offer(cloud, image, place or files(image.recipe))
    return image.name


def _offer(cloud: Cloud, image: Image, place: Path) -> None:
    parts = {
        f"{name}_id": _upload(cloud, f"{image.name}-{name}", place / file, form, form)
        for name, file, form in (("kernel", "vmlinuz", "aki"), ("ramdisk", "initrd", "ari"))
    }
    about = {
        **parts,
        **image.properties,
        "os_command_line": f"root=/dev/vda rw console=ttyS0 quiet {image.words}",
    }
    _upload(cloud, image.name, place / "disk.qcow2", "bare", "qcow2", about)


def _upload(
    cloud: Cloud, name: str, file: Path, container: str, disk: str, about: Mapping[str, str] = {}
) -> str:
    forms = {"container_format": container, "disk_format": disk, "visibility": "public"}
    asked = cloud.admin.request(
        *("POST", "/v2/images", {"name": name, **forms, **about}),
        service="image",
        microversion=None,
    )
    image_id = str(asked.expect(201)["id"])
    with file.open("rb") as data:
        cloud.admin.session.put(
            f"/v2/images/{image_id}/file",
            data=data,
            headers={"Content-Type": "application/octet-stream"},
            endpoint_filter={"service_type": "image", "region_name": settings.REGION},
        )
    return image_id


# the console ------------------------------------------------------------------------------------

# nproc counts the CPUs that a process may run on; vmstat has the pages that the balloon has taken.
_WITNESS = r"""
stty -echo; PS1= PS2=; read -r boot </proc/sys/kernel/random/boot_id
witness() {
 told=; said=0
 while :; do
  cpus=$(nproc); read -r up _ </proc/uptime; up=${up%.*}; read -r _ kb _ </proc/meminfo
  taken=0; while read -r name pages; do case $name in
   balloon_inflate) taken=$((taken + pages)) ;; balloon_deflate) taken=$((taken - pages)) ;;
  esac; done </proc/vmstat
  if [ "$cpus $kb" != "$told" ] || [ $((up - said)) -ge 20 ]; then
   echo "GUEST up=$up cpus=$cpus kb=$kb boot_kb=$((kb + 4 * taken)) boot=$boot"
   told="$cpus $kb"; said=$up
  fi
  sleep 1
 done
}
witness &
"""


def log_in(server: Server) -> None:
    """Log in at a guest's console, and have the guest print its figures from now on."""
    steps = (
        ("login: ", "root"),
        ("Password: ", _PASSWORD),
        # a shell that reads lines as they are typed
        (":~# ", "exec env PS1='ready: ' sh"),
        ("\nready: ", _WITNESS),
    )
    read = 0
    for prompt, answer in steps:
        # services of the guest may write behind the prompt
        wait_for(
            f"{prompt!r} of {server.id}",
            lambda prompt=prompt, read=read: prompt in server.console[read:],
            BOOT,
            seen=lambda: server.console[-500:],
        )
        read = len(server.console)
        server.probe.ask("typed", server.id, f"{answer}\n")
    server.booted()


def run(server: Server, script: str, seconds: float = COMMAND) -> str:
    """Run a script in a guest that somebody has logged in to, and return the script's output.

    :raises AssertionError: it fails
    """
    number = len(server.console)
    mark = f"script-{number}"
    encoded = base64.encodebytes(script.encode()).decode()
    typed = f"base64 -d >/tmp/{mark} <<'END'\n{encoded}END\n"
    typed += f"echo begin-{mark}; sh -eu /tmp/{mark} 2>&1 </dev/null; echo end-{mark}=$?\n"
    server.probe.ask("typed", server.id, typed)

    def ended() -> tuple[str, str] | None:
        _, _, said = server.console.partition(f"begin-{mark}")
        said, end, code = said.partition(f"end-{mark}=")
        return (said, code.split()[0]) if end and code.split() else None

    said, code = wait_for(f"the end of {script!r}", ended, seconds, seen=lambda: server.console)
    assert code == "0", said
    return said


def wait_for_agent(server: Server) -> None:
    """Wait until libvirt has heard a guest's agent."""
    wait_for("an agent", lambda: "state='connected'" in server.probe.ask("xml", server.id), 120)


def put(server: Server, file: Path, name: str) -> None:
    """Write a small file into a guest.

    :param name: the path in the guest
    """
    content = base64.encodebytes(file.read_bytes()).decode()
    run(server, f"base64 -d >{shlex.quote(name)} <<'FILE'\n{content}FILE\n")


def package(cloud: Cloud) -> Path:
    """Fetch the package for guests from the mirror, as apt does, and return the file."""
    place = cloud.container.root / "root/for-guests"
    with _OFFERING:
        if not place.is_dir():
            cloud.sh("mkdir /root/for-guests; cd /root/for-guests; apt-get download xloud-guest")
    (file,) = place.glob("xloud-guest_*.deb")
    return file


def install_package(server: Server) -> None:
    """Have apt install the package for guests in a guest that somebody has logged in to."""
    put(server, package(server.cloud), "/root/xloud-guest.deb")
    run(server, "apt-get -y install /root/xloud-guest.deb")
