"""The lab's own libvirtd and virtlogd: nothing of the user's libvirt is read, changed or asked.

Inside the lab's mount namespace libvirt's folders are covered by folders of the run, and ``/run``, where its sockets
are, is the lab's own anyway. Machines run as root, because nobody else may enter the run's folders, and in the control
group of the lab, where their CPU time is counted and from where nothing escapes the sweep.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.engines.libvirt import guests, reaper
from bench.lab import Lab
from bench.lab.daemons import listens

_REMEDY = "run 'tare provision libvirt' as root"
PIDS = Path("/run/libvirt/qemu")
"""Where libvirt keeps the process ids of its QEMUs; the lab's own, as all of ``/run`` is."""
_COVERED = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
_DAEMON_CONF = """unix_sock_dir = "{sockets}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
"""
"""No polkit (there is no D-Bus in the lab, and the folder's mode keeps others out), and only warnings in the log."""
_QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
"""
"""The run's folders are root's alone, and a machine's limits are its size, so it needs no control group of its own.

All else is libvirt's default: each QEMU has a mount namespace and a seccomp filter, and virtlogd writes its log.
"""
_WITHOUT_KVM = """cgroup_device_acl = [
    "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"
]
"""
"""The default but /dev/kvm, which libvirt cannot make in a QEMU's mount namespace while something is mounted on it."""


def libvirtd(lab: Lab) -> str:
    """Return the URI of the lab's libvirtd, starting it and virtlogd first.

    Raises:
        TargetUnavailable: libvirt is not installed, or this process may not start daemons.
        LabError: A daemon did not start.
    """
    sockets = lab.paths.run / "v"
    name, program = _program()
    listening = sockets / ("libvirt-sock" if name == "libvirtd" else f"{name}-sock")
    if name not in lab.daemons.running:
        virtlogd = proc.find("virtlogd", _REMEDY)
        kvm = guests.accelerator(lab).name == "kvm"
        sockets.mkdir(mode=0o700, exist_ok=True)
        _cover(lab)
        if not kvm and Path("/dev/kvm").exists():
            _hide_kvm(lab)
        folder = _cover_of(lab, "/etc/libvirt")
        (folder / f"{name}.conf").write_text(_DAEMON_CONF.format(sockets=sockets), encoding="utf-8")
        (folder / "qemu.conf").write_text(_QEMU_CONF + ("" if kvm else _WITHOUT_KVM), encoding="utf-8")
        log = Path("/run/libvirt/virtlogd-sock")
        lab.daemons.start("virtlogd", [virtlogd, "--pid-file", "/run/virtlogd.pid"], lambda: listens(log))
        lab.daemons.start(name, reaper.argv([program, "--pid-file", f"/run/{name}.pid"]), lambda: listens(listening))
    return f"qemu+unix:///system?socket={listening}"


def log_of(lab: Lab, name: str) -> Path:
    """Return the log of a machine's QEMU."""
    return _cover_of(lab, "/var/log/libvirt") / "qemu" / f"{name}.log"


def _program() -> tuple[str, str]:
    """Find the one daemon that serves everything, else the one for QEMU alone (libvirt's modular daemons)."""
    with contextlib.suppress(TargetUnavailable):
        return "libvirtd", proc.find("libvirtd", _REMEDY)
    return "virtqemud", proc.find("virtqemud", _REMEDY)


def _cover(lab: Lab) -> None:
    """Put the run's folders over libvirt's."""
    for covered in _COVERED:
        if Path(covered).is_dir():
            folder = _cover_of(lab, covered)
            folder.mkdir(parents=True, exist_ok=True)
            lab.daemons.namespace.run(["mount", "--bind", str(folder), covered])


def _cover_of(lab: Lab, covered: str) -> Path:
    return lab.paths.run / "libvirt" / covered.strip("/").replace("/", "-")


def _hide_kvm(lab: Lab) -> None:
    """Hide a KVM that does not work.

    libvirt takes an accessible /dev/kvm for a working one and probes QEMU again at each call when the two disagree, a
    minute each. A read-only regular file is not accessible for writing, not even for root.
    """
    nothing = lab.paths.run / "libvirt" / "no-kvm"
    nothing.parent.mkdir(exist_ok=True)
    nothing.touch()
    lab.daemons.namespace.run(["mount", "--bind", str(nothing), "/dev/kvm"])
    lab.daemons.namespace.run(["mount", "-o", "remount,bind,ro", "/dev/kvm"])
