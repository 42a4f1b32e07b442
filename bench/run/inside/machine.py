"""The virtual machine for a whole run: a full kernel on this host's file tree, which is mounted read-only."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import libvirt

from bench.core import proc
from bench.core.errors import UsageError
from bench.core.model import Target
from bench.engines.libvirt import connection, daemon, domain, guests
from bench.lab import Lab, images
from bench.run.inside.kernel import Kernel

START_SCRIPT = Path(str(resources.files("bench.run.inside") / "start.sh"))
"""What the guest runs from the shared folder once it has its root file system."""
_MEMORY_BYTES = 2 * 2**30
_CPUS = {"kvm": 2, "tcg": 1}
"""With two emulated CPUs, each a QEMU thread, guests hung in two of seven runs; with one in none."""
_DISK_BYTES = 20 * 2**30
"""Size of the sparse disk; unwritten blocks use no space on the host."""
_TCG_MODEL = "Nehalem"
"""x86-64-v2, which compiled Python packages require; the emulated CPU is the same on every host."""
_CMDLINE = "console=ttyS0 quiet loglevel=4 reboot=t panic=-1"
_TCG_CMDLINE = "mitigations=off"
"""Emulated code is not executed speculatively, and mitigations would cost more than the code itself."""
_PATIENCE = {"kvm": 2.0, "tcg": 8.0}
"""Factor for time limits compared with the host: emulation took 5 to 15 times as long."""


@dataclass(frozen=True)
class GuestMachine:
    """The kind of machine.

    Attributes:
        accel: ``kvm`` or ``tcg``.
        machine: ``q35`` or ``pc``.
    """

    accel: str
    machine: str

    @property
    def text(self) -> str:
        """The canonical target text."""
        return f"libvirt:accel={self.accel},guest=full,machine={self.machine}"

    @property
    def patience(self) -> float:
        """Factor for all time limits."""
        return _PATIENCE[self.accel]


def check(target: Target) -> None:
    """Check that a whole run can be put into a target.

    Raises:
        UsageError: The target is not ``libvirt:guest=full``, or has an option other than accel and machine.
    """
    allowed = {"guest", "accel", "machine"}
    if target.engine != "libvirt" or target.options.get("guest") != "full" or set(target.options) - allowed:
        msg = f"'--inside {target.text}': a run can only be put into libvirt:guest=full, optionally with accel and machine"
        raise UsageError(msg)


@dataclass
class Running:
    """A started machine.

    Attributes:
        name: Name of the domain.
        pid: PID of QEMU.
        home: Folder of its disk and console output.
        exchange: The folder shared with the host.
        log: QEMU's log file.
    """

    name: str
    pid: int
    home: Path
    exchange: Path
    log: Path

    def ended(self) -> str | None:
        """Return how the machine ended, with its last console output; ``None`` while it runs."""
        return domain.ended(self.pid, self.home / domain.CONSOLE, self.log)


def folders(lab: Lab) -> tuple[Path, Path]:
    """Create and return the machine's folder and the folder shared with the host."""
    home = lab.paths.run / "inside"
    (home / "x").mkdir(parents=True)
    return home, home / "x"


def start(lab: Lab, kernel: Kernel, guest_machine: GuestMachine) -> Running:
    """Start the machine; the request must be in the shared folder.

    Raises:
        TargetUnavailable: libvirt cannot be used on this host.
        InvocationFailed: libvirt did not start the machine.
    """
    home = lab.paths.run / "inside"
    exchange, name = home / "x", f"tare-{lab.short_id}-inside"
    shutil.copy(START_SCRIPT, exchange / "start.sh")
    (exchange / "env").write_text(_environment(lab, kernel, guest_machine), encoding="utf-8")
    _make_disk(home / domain.DISK)
    daemon_connection = connection.connect(lab)
    lab.journal.add("domain", name=name)
    lab.daemons.clients.callback(stop, lab, name)
    with connection.limited(name, 30 * guest_machine.patience):
        daemon_connection.createXML(definition(name, kernel, guest_machine, home), libvirt.VIR_DOMAIN_START_AUTODESTROY)
    return Running(name, domain.pid_of(name), home, exchange, daemon.log_of(lab, name))


def stop(lab: Lab, name: str) -> None:
    """Power the machine off at once, unless it has ended."""
    with connection.limited(name, 30):
        connection.destroy(connection.connect(lab), name)


def _environment(lab: Lab, kernel: Kernel, guest_machine: GuestMachine) -> str:
    values = {
        "NAME": f"{platform.node()}-guest",
        "KERNEL": kernel.version,
        "MODULES": str(kernel.zfs.modules if kernel.zfs else kernel.modules),
        "ZFS": str(kernel.zfs.userland) if kernel.zfs else "",
        "STATE": str(lab.host_paths.state),
        "PATIENCE": str(guest_machine.patience),
        "PYTHON": sys.executable,
        "PACKAGE": str(Path(str(resources.files("bench"))).parent),
    }
    images.payload(lab.paths.state)  # compile it here; the guest only copies it
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _make_disk(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(_DISK_BYTES)
    options = ["-q", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", str(path)]
    proc.run([proc.find("mkfs.ext4", "install e2fsprogs"), *options], timeout_s=60).check()


def definition(name: str, kernel: Kernel, guest_machine: GuestMachine, home: Path) -> str:
    """Return the domain XML: the host's file tree read-only, the shared folder, a disk and a console."""
    top = ET.Element("domain", type="kvm" if guest_machine.accel == "kvm" else "qemu")
    plain = {
        "name": name,
        "uuid": connection.identity(name),
        "vcpu": str(min(_CPUS[guest_machine.accel], os.cpu_count() or 1)),
        "on_poweroff": "destroy",
        "on_reboot": "destroy",
        "on_crash": "destroy",
    }
    for tag, text in plain.items():
        ET.SubElement(top, tag).text = text
    ET.SubElement(top, "memory", unit="b").text = str(_MEMORY_BYTES)
    system = ET.SubElement(top, "os")
    ET.SubElement(system, "type", arch="x86_64", machine=guest_machine.machine).text = "hvm"
    words = {"kernel": str(kernel.image), "initrd": str(kernel.initrd), "cmdline": _CMDLINE}
    if guest_machine.accel == "tcg":
        words["cmdline"] += f" {_TCG_CMDLINE}"
    for tag, text in words.items():
        ET.SubElement(system, tag).text = text
    ET.SubElement(ET.SubElement(top, "features"), "acpi")
    if guest_machine.accel == "kvm":
        ET.SubElement(top, "cpu", mode="host-passthrough")
    else:
        cpu = ET.SubElement(top, "cpu", mode="custom", match="exact", check="none")
        ET.SubElement(cpu, "model", fallback="forbid").text = _TCG_MODEL
    _add_devices(ET.SubElement(top, "devices"), home)
    return ET.tostring(top, encoding="unicode")


def _add_devices(devices: ET.Element, home: Path) -> None:
    ET.SubElement(devices, "emulator").text = guests.qemu()
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.SubElement(devices, "memballoon", model="none")
    _add(devices, "serial", {"type": "file"}, source={"path": str(home / domain.CONSOLE)}, target={"port": "0"})
    disk = _add(devices, "disk", {"type": "file", "device": "disk"}, source={"file": str(home / domain.DISK)})
    ET.SubElement(disk, "driver", name="qemu", type="raw", discard="unmap")
    ET.SubElement(disk, "target", dev="vda", bus="virtio")
    share = {"type": "mount", "accessmode": "passthrough"}
    host = _add(
        devices, "filesystem", {**share, "multidevs": "remap"}, source={"dir": "/"}, target={"dir": "tare-host"}
    )
    ET.SubElement(host, "readonly")
    _add(devices, "filesystem", share, source={"dir": str(home / "x")}, target={"dir": "tare-exchange"})
    rng = ET.SubElement(devices, "rng", model="virtio")
    ET.SubElement(rng, "backend", model="random").text = "/dev/urandom"


def _add(parent: ET.Element, tag: str, attributes: Mapping[str, str], **children: Mapping[str, str]) -> ET.Element:
    made = ET.SubElement(parent, tag, dict(attributes))
    for name, values in children.items():
        ET.SubElement(made, name, dict(values))
    return made
