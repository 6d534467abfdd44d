"""Answer questions about guests from libvirt and QEMU; runs inside as long as the tests do.

Reads a line of JSON per question, ``[method, argument...]``, and answers with one: ``{"ok": ...}``
or ``{"error": text}``. Methods are the functions below that take a domain or nothing.
"""

import json
import os
import select
import sys
import time
from xml.etree import ElementTree

import libvirt
import libvirt_qemu


def figures(domain):
    """Return a domain's vCPUs, memory in MiB, and the values that a shrink or a restart finds.

    ``vcpus`` and ``memory_mb`` are those of the running guest, None if it does not run.
    """
    running = bool(domain.isActive())
    live, kept = (ElementTree.fromstring(domain.XMLDesc(flags)) for flags in (0, _INACTIVE))
    stats = domain.memoryStats() if running else {}
    return {
        "state": domain.state()[0],
        "vcpus": _current(live) if running else None,
        "qemu_vcpus": _threads(domain) if running else None,
        "maximum_vcpus": int(live.findtext("vcpu")),
        "hotpluggable": [
            int(vcpu.get("id"))
            for vcpu in live.iterfind("vcpus/vcpu")
            if vcpu.get("hotpluggable") == "yes"
        ],
        "memory_mb": domain.info()[2] // 1024 if running else None,
        "maximum_memory_mb": domain.info()[1] // 1024,
        "balloon_driver": "unused" in stats or "available" in stats,
        "kept_vcpus": _current(kept),
        "kept_memory_mb": int(kept.findtext("currentMemory")) // 1024,
    }


_INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE


def _current(xml):
    vcpu = xml.find("vcpu")
    return int(vcpu.get("current", vcpu.text))


def _threads(domain):
    """Return how many vCPUs QEMU itself has; libvirt may believe another number."""
    answer = libvirt_qemu.qemuMonitorCommand(domain, '{"execute": "query-cpus-fast"}', 0)
    return len(json.loads(answer)["return"])


def xml(domain):
    """Return the domain's definition."""
    return domain.XMLDesc()


def is_paused(domain):
    """Say whether the guest stands still."""
    return domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED


def process(domain):
    """Return the id and the start time, in ticks since boot, of the process that the guest is."""
    with open(f"/run/libvirt/qemu/{domain.name()}.pid") as file:  # noqa: PTH123 runs anywhere
        pid = int(file.read())
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return [pid, int(file.read().rpartition(")")[2].split()[19])]


def set_vcpus(domain, number):
    """Set the running guest's vCPUs, as virsh does; return when, in seconds since 1970."""
    before = time.time()
    domain.setVcpusFlags(int(number), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return before


def set_memory(domain, mib):
    """Set the running guest's memory in MiB, as virsh does; return when."""
    before = time.time()
    domain.setMemoryFlags(int(mib) * 1024, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return before


def typed(domain, text):
    """Type a text at the guest's serial console, and let the guest's answer go to the log alone."""
    place = ElementTree.fromstring(domain.XMLDesc()).find("devices/console").get("tty")
    console = os.open(place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        rest, quiet = text.encode(), 0
        # QEMU looks once a second for somebody at the other end
        while rest or quiet < _LOOKS:
            may_read, may_write, _ = select.select([console], [console] if rest else [], [], 0.5)
            if may_read:
                os.read(console, 65536)
            if may_write:
                rest = rest[os.write(console, rest[:256]) :]
            quiet = 0 if may_write else quiet + 1
    finally:
        os.close(console)


#: Looks at a console that follow the last letter typed.
_LOOKS = 4


def domains(connection):
    """Return the ids of all domains."""
    return [domain.UUIDString() for domain in connection.listAllDomains()]


METHODS = {
    each.__name__: each
    for each in (figures, xml, is_paused, process, set_vcpus, set_memory, typed, domains)
}


def ask(connection, method, *arguments):
    """Return the answer of a method, asked of a domain if one is named."""
    about = connection.lookupByUUIDString(arguments[0]) if arguments else connection
    return METHODS[method](about, *arguments[1:])


def main():
    """Answer until standard input ends."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    connection = libvirt.open("qemu:///system")
    for line in sys.stdin:
        try:
            try:
                answer = {"ok": ask(connection, *json.loads(line))}
            except libvirt.libvirtError:
                if connection.isAlive():
                    raise
                # libvirtd was restarted: that shows when it is asked
                connection = libvirt.open("qemu:///system")
                answer = {"ok": ask(connection, *json.loads(line))}
        except (libvirt.libvirtError, OSError) as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)
    os._exit(0)


main()
