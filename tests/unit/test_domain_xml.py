"""The machine that libvirt is asked for, and how its end is told."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytest.importorskip("libvirt")

from bench.core.errors import InvocationFailed, NotApplicable
from bench.engines.base import Bind, InstanceSpec
from bench.engines.libvirt import connection, domain
from bench.engines.libvirt.guests import Guest

HOME = Path("/lab/b/tare-1")
MINIMAL = Guest("minimal", Path("/g/vmlinuz"), Path("/g/init.cpio"), "quiet rdinit=/tare-payload", None, {})
FULL = Guest("full", Path("/g/vmlinuz"), Path("/g/initrd.img"), "quiet root=/dev/vda", Path("/g/disk.raw"), {})


def defined(guest: Guest = MINIMAL, accel: str = "tcg", machine: str = "q35", name: str = "tare-1") -> ET.Element:
    spec = InstanceSpec(name, Path("/lab/e/1"), ("--touch", "4096", "--sleep"), memory_bytes=300 * 2**20, cpus=2)
    return ET.fromstring(domain.domain_xml(spec, guest, domain.Machine(accel, machine, "/usr/bin/qemu"), HOME))  # noqa: S314 - ours


def test_domain_has_declared_size_and_guest() -> None:
    machine = defined()
    memory = machine.find("memory")
    assert memory is not None
    assert (memory.get("unit"), memory.text) == ("b", str(300 * 2**20))
    assert machine.findtext("vcpu") == "2"
    assert machine.findtext("os/kernel") == "/g/vmlinuz"
    assert machine.findtext("os/initrd") == "/g/init.cpio"
    arguments = "--events tty:/dev/ttyS1 --touch 4096 --sleep"
    assert machine.findtext("os/cmdline") == f"quiet rdinit=/tare-payload -- {arguments}"


def test_domain_accepts_only_read_only_folders() -> None:
    read, written = Bind("tools", Path("/s/tools")), Bind("scratch", Path("/s/x"), read_only=False)
    assert domain.folders(InstanceSpec("tare-1", Path("/lab/e/1"), binds=(read,))) == {"tools": Path("/s/tools")}
    with pytest.raises(NotApplicable, match="gets copies of the host's folders and cannot write to them: scratch"):
        domain.folders(InstanceSpec("tare-1", Path("/lab/e/1"), binds=(read, written)))


@pytest.mark.parametrize(("accel", "kind", "mode"), [("kvm", "kvm", "host-passthrough"), ("tcg", "qemu", "custom")])
def test_accelerator_decides_cpu_model(accel: str, kind: str, mode: str) -> None:
    machine = defined(accel=accel)
    cpu = machine.find("cpu")
    assert cpu is not None
    assert (machine.get("type"), cpu.get("mode")) == (kind, mode)
    assert cpu.findtext("model") == ("qemu64" if accel == "tcg" else None)


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_domain_has_requested_machine_type(machine: str) -> None:
    kind = defined(machine=machine).find("os/type")
    assert kind is not None
    assert kind.get("machine") == machine


def test_serial_ports_are_console_and_events() -> None:
    console, events = defined().findall("devices/serial")
    ports = [port.get("port") for serial in (console, events) if (port := serial.find("target")) is not None]
    assert ports == ["0", "1"]
    assert [source.attrib for source in console.findall("source")] == [{"path": "/lab/b/tare-1/console"}]
    assert [source.attrib for source in events.findall("source")] == [{"mode": "connect", "path": "/lab/e/1"}]


def test_only_guest_with_disk_gets_overlay() -> None:
    assert defined(MINIMAL).find("devices/disk") is None
    disk = defined(FULL).find("devices/disk/source")
    assert disk is not None
    assert disk.get("file") == "/lab/b/tare-1/disk"


def test_domain_has_no_unused_devices() -> None:
    devices = defined(FULL).find("devices")
    assert devices is not None
    assert sorted(device.tag for device in devices) == [
        "controller",
        "disk",
        "emulator",
        "memballoon",
        "serial",
        "serial",
    ]
    for name in ("controller", "memballoon"):
        device = devices.find(name)
        assert device is not None
        assert device.get("model") == "none"


def test_every_guest_exit_destroys_domain() -> None:
    assert [defined().findtext(event) for event in ("on_poweroff", "on_reboot", "on_crash")] == ["destroy"] * 3


def test_names_are_escaped_and_have_unique_uuids() -> None:
    machine = defined(name="a<b>&")
    assert machine.findtext("name") == "a<b>&"
    assert machine.findtext("uuid") == connection.identity("a<b>&") != connection.identity("tare-1")


def test_ended_machine_is_described_with_last_lines(tmp_path: Path) -> None:
    console, log = tmp_path / "console", tmp_path / "log"
    console.write_text("one\ntwo\nthree\r\nfour\n", encoding="utf-8")
    assert domain.ended(os.getpid(), console, log) is None
    reason = domain.ended(2**22 + 1, console, log)  # larger than any process id
    assert reason == f"its QEMU (pid {2**22 + 1}) has ended; console: two | three | four; log: none"
    log.touch()
    assert (domain.ended(2**22 + 1, console, log) or "").endswith("log: empty")


def test_kernel_panic_is_described_before_its_trace(tmp_path: Path) -> None:
    console = tmp_path / "console"
    console.write_text("[ 3.3] Kernel panic - not syncing: System is deadlocked on memory\nCPU: 0\none\ntwo\nthree\n")
    reason = domain.ended(2**22 + 1, console, tmp_path / "none") or ""
    assert "Kernel panic - not syncing: System is deadlocked on memory | … | one | two | three" in reason


def test_machine_without_process_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.engines.libvirt.daemon.PIDS", tmp_path)
    with pytest.raises(InvocationFailed, match="the QEMU of 'tare-1' has ended right after its start"):
        domain.pid_of("tare-1")
    (tmp_path / "tare-1.pid").write_text("42\n", encoding="ascii")
    assert domain.pid_of("tare-1") == 42
