"""The definition of a virtual machine, and what libvirt reports about a live one."""

from __future__ import annotations

import contextlib
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import libvirt
import libvirt_qemu  # type: ignore[import-untyped]  # ships no types

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import InstanceSpec
from bench.engines.evidence import process
from bench.engines.libvirt import connection, daemon
from bench.engines.libvirt.guests import Guest

if TYPE_CHECKING:
    from bench.engines.libvirt.disk import Storage
    from bench.engines.libvirt.network import Card

_CPU = {"kvm": {"mode": "host-passthrough"}, "tcg": {"mode": "custom", "match": "exact", "check": "none"}}
_TCG_MODEL = "qemu64"
"""This emulated model boots as quickly as ``max``, and is the same on every host."""
_MEMORY_BYTES = 256 * 2**20
CONSOLE, DISK = "console", "disk"
"""Files in a machine's folder: the output of its first serial port, and its writable layer."""


@dataclass(frozen=True)
class Machine:
    """The properties of a machine that a target decides.

    Attributes:
        accel: ``kvm`` or ``tcg``.
        machine: ``q35`` or ``pc``.
        emulator: Path of QEMU.
    """

    accel: str
    machine: str
    emulator: str


def memory_bytes(spec: InstanceSpec) -> int:
    """Return the machine's memory size."""
    return spec.memory_bytes or _MEMORY_BYTES


def folders(spec: InstanceSpec) -> dict[str, Path]:
    """Return the folders that the machine gets: name → folder.

    Raises:
        NotApplicable: One is writable; the machine gets copies.
    """
    if written := [bind.name for bind in spec.binds if not bind.read_only]:
        msg = f"a machine gets copies of the host's folders and cannot write to them: {', '.join(written)}"
        raise NotApplicable(msg)
    return {bind.name: bind.source for bind in spec.binds}


def domain_xml(
    spec: InstanceSpec,
    guest: Guest,
    machine: Machine,
    home: Path,
    *,
    card: Card | None = None,
    storage: Storage | None = None,
) -> str:
    """Return the definition of a machine with what a server needs to boot and to report, and nothing else.

    No graphics, sound, USB, memory balloon, watchdog or, without a card, network: each takes time to create and to probe. ACPI
    stays, because without it the machine could not switch itself off. A guest that panics or switches off ends its QEMU. The
    first serial port is the console, written to a file; the second is the event channel. A guest with a disk uses the overlay
    ``home / DISK``.
    """
    top = ET.Element("domain", type="kvm" if machine.accel == "kvm" else "qemu")
    for tag, text in (("name", spec.name), ("uuid", connection.identity(spec.name)), ("vcpu", str(_whole(spec.cpus)))):
        ET.SubElement(top, tag).text = text
    ET.SubElement(top, "memory", unit="b").text = str(memory_bytes(spec))
    system = ET.SubElement(top, "os")
    ET.SubElement(system, "type", arch="x86_64", machine=machine.machine).text = "hvm"
    ET.SubElement(system, "kernel").text = str(guest.kernel)
    ET.SubElement(system, "initrd").text = str(guest.initrd)
    mine = [*(storage.arguments() if storage else ()), *(card.arguments() if card else ())]
    ET.SubElement(system, "cmdline").text = guest.command([*mine, *spec.command(inside=True)])
    ET.SubElement(ET.SubElement(top, "features"), "acpi")
    cpu = ET.SubElement(top, "cpu", _CPU[machine.accel])
    if machine.accel == "tcg":
        ET.SubElement(cpu, "model", fallback="forbid").text = _TCG_MODEL
    for event in ("on_poweroff", "on_reboot", "on_crash"):
        ET.SubElement(top, event).text = "destroy"
    devices = ET.SubElement(top, "devices")
    _add_devices(devices, spec, guest, machine, home)
    if storage is not None:
        storage.add_to(top, devices)
    if card is not None:
        card.add_to(devices)
    return ET.tostring(top, encoding="unicode")


def _whole(cpus: float | None) -> int:
    if cpus is not None and cpus != int(cpus):
        msg = f"a machine has a whole number of CPUs, {cpus:g} were requested"
        raise NotApplicable(msg)
    return int(cpus or 1)


def _add_devices(devices: ET.Element, spec: InstanceSpec, guest: Guest, machine: Machine, home: Path) -> None:
    ET.SubElement(devices, "emulator").text = machine.emulator
    ET.SubElement(devices, "controller", type="usb", model="none")
    ET.SubElement(devices, "memballoon", model="none")
    console = ET.SubElement(devices, "serial", type="file")
    ET.SubElement(console, "source", path=str(home / CONSOLE))
    ET.SubElement(console, "target", port="0")
    events = ET.SubElement(devices, "serial", type="unix")
    ET.SubElement(events, "source", mode="connect", path=str(spec.events))
    ET.SubElement(events, "target", port="1")
    if guest.disk is not None:
        disk = ET.SubElement(devices, "disk", type="file", device="disk")
        ET.SubElement(disk, "driver", name="qemu", type="qcow2")
        ET.SubElement(disk, "source", file=str(home / DISK))
        ET.SubElement(disk, "target", dev="vda", bus="virtio")


def pid_of(name: str) -> int:
    """Return the process id of a machine's QEMU, from the file that libvirt keeps while it runs.

    Raises:
        InvocationFailed: The machine has ended already.
    """
    try:
        return int((daemon.PIDS / f"{name}.pid").read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        msg = f"the QEMU of '{name}' has ended right after its start"
        raise InvocationFailed(msg) from error


def ended(pid: int, console: Path, log: Path) -> str | None:
    """Describe how a machine has ended, with the last lines of its console and of QEMU's log; ``None`` while it runs.

    A panic of the guest's kernel is included, because a trace of many lines follows it.
    """
    if process.runs(pid):
        return None
    return f"its QEMU (pid {pid}) has ended; console: {_last_lines(console)}; log: {_last_lines(log)}"


def _last_lines(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        panic = next((f"{line.strip()} | … | " for line in lines[:-3] if "Kernel panic" in line), "")
        return panic + (" | ".join(line.strip() for line in lines[-3:])[-300:] or "empty")
    return "none"


def live(domain: libvirt.virDomain) -> ET.Element:
    """Return the live definition of a machine."""
    return ET.fromstring(domain.XMLDesc(0))  # noqa: S314 - written by our own libvirtd


def live_facts(domain: libvirt.virDomain, guest: Guest) -> dict[str, str]:
    """Read a live machine's accelerator, size and boot files (QMP, live definition).

    Raises:
        InvocationFailed: It did not boot from the guest's files.
    """
    found = live(domain)
    kind = found.find("./os/type")
    version = "unknown" if kind is None else kind.get("machine", "unknown")
    booted = tuple(found.findtext(f"./os/{name}", "") for name in ("kernel", "initrd"))
    if booted != (str(guest.kernel), str(guest.initrd)):
        msg = f"'{domain.name()}' was booted from {' and '.join(booted)}, not from the {guest.name} guest"
        raise InvocationFailed(msg)
    qemu = ask(domain, "query-version")["qemu"]
    return {
        "accel": "kvm" if ask(domain, "query-kvm")["enabled"] else "tcg",
        "guest": "full" if any(disk.find("serial") is None for disk in found.iterfind("./devices/disk")) else "minimal",
        "machine": "q35" if "q35" in version else "pc",
        "machine_version": version,
        "memory_bytes": str(int(found.findtext("memory", "0")) * 1024),
        "cpus": found.findtext("vcpu", "unknown"),
        "qemu": f"{qemu['major']}.{qemu['minor']}.{qemu['micro']}",
        "kernel": booted[0],
        "kernel_digest": process.digest(Path(booted[0])),
        "initrd": process.digest(Path(booted[1])),
    }


def ask(domain: libvirt.virDomain, command: str, arguments: Mapping[str, str] | None = None) -> Any:
    """Ask QEMU itself (QMP) and return its answer."""
    question = {"execute": command} | ({"arguments": arguments} if arguments else {})
    return json.loads(libvirt_qemu.qemuMonitorCommand(domain, json.dumps(question), 0))["return"]
