"""The lab's own libvirtd and virtlogd, which never touch the user's libvirt.

Inside the lab's mount namespace folders of the run are mounted over libvirt's, and ``/run``, where its sockets are, is the
lab's own. Machines run as root, since nobody else may enter the run's folders, and in the lab's control group, which counts
their CPU time and through which a sweep finds them.
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
"""Folder in which libvirt keeps the PIDs of its QEMUs; the lab's own, like all of ``/run``."""
_COVERED = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
_DAEMON_CONF = """unix_sock_dir = "{sockets}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
"""
"""No polkit (the lab has no D-Bus, and the folder's mode keeps other users out), and only warnings in the log."""
_QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
"""
"""Only root can enter the run's folders. A machine is limited by its size, so it needs no control group of its own.

Everything else is libvirt's default: each QEMU has a mount namespace and a seccomp filter, and virtlogd writes its log.
"""
_WITHOUT_KVM = """cgroup_device_acl = [
    "/dev/null", "/dev/full", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/ptmx"
]
"""
"""The default without /dev/kvm, which libvirt cannot create in a QEMU's mount namespace while something is mounted on it."""


def libvirtd(lab: Lab) -> str:
    """Start the lab's libvirtd and virtlogd, unless they run, and return the URI.

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
    """Return name and path of libvirtd, else of virtqemud (libvirt's modular daemons)."""
    with contextlib.suppress(TargetUnavailable):
        return "libvirtd", proc.find("libvirtd", _REMEDY)
    return "virtqemud", proc.find("virtqemud", _REMEDY)


def _cover(lab: Lab) -> None:
    """Mount the run's folders over libvirt's."""
    for covered in _COVERED:
        if Path(covered).is_dir():
            folder = _cover_of(lab, covered)
            folder.mkdir(parents=True, exist_ok=True)
            lab.daemons.namespace.run(["mount", "--bind", str(folder), covered])


def _cover_of(lab: Lab, covered: str) -> Path:
    return lab.paths.run / "libvirt" / covered.strip("/").replace("/", "-")


def _hide_kvm(lab: Lab) -> None:
    """Hide a KVM that does not work.

    libvirt assumes that an accessible /dev/kvm works. When QEMU disagrees, each call probes QEMU again, which takes a minute.
    A regular file on a read-only mount is not accessible for writing, not even for root.
    """
    nothing = lab.paths.run / "libvirt" / "no-kvm"
    nothing.parent.mkdir(exist_ok=True)
    nothing.touch()
    lab.daemons.namespace.run(["mount", "--bind", str(nothing), "/dev/kvm"])
    lab.daemons.namespace.run(["mount", "-o", "remount,bind,ro", "/dev/kvm"])
