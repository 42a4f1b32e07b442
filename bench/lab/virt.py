"""The lab's own libvirtd and virtlogd: nothing of the user's libvirt is read, changed or asked.

Inside the lab's mount namespace libvirt's folders are covered by folders of the run, and ``/run``, where its sockets are,
is the lab's own anyway. Machines run as root, because nobody else may enter the run's folders, in the control group of
the lab, where their CPU time is counted and from where nothing escapes the sweep.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from bench import proc
from bench.lab import Lab, cgroups, guests

_REMEDY = "run 'tare provision libvirt' as root"
_COVERED = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
_DAEMON_CONF = """unix_sock_dir = "{sockets}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
"""
"""No polkit (there is no D-Bus in the lab; the folder's mode keeps others out) and only warnings in the log."""
_QEMU_CONF = """user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
"""
"""The run's folders are root's alone; limits are the machine's own size, so that no control group of libvirt's is needed.

All else is libvirt's default: a mount namespace and a seccomp filter for each QEMU, and virtlogd between it and its log.
"""


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
        _cover(lab, guests.accelerator(lab).name == "kvm")
        _configure(lab, name, sockets)
        log = Path("/run/libvirt/virtlogd-sock")
        lab.daemons.start("virtlogd", [virtlogd, "--pid-file", "/run/virtlogd.pid"], lambda: _listens(log))
        lab.daemons.start(name, _private([program, "--pid-file", f"/run/{name}.pid"]), lambda: _listens(listening))
    return f"qemu+unix:///system?socket={listening}"


def _program() -> tuple[str, str]:
    """Find the one daemon that serves everything, else the one for QEMU alone (libvirt's modular daemons)."""
    with contextlib.suppress(proc.TargetUnavailable):
        return "libvirtd", proc.find("libvirtd", _REMEDY)
    return "virtqemud", proc.find("virtqemud", _REMEDY)


def _cover(lab: Lab, kvm: bool) -> None:
    """Put the run's folders over libvirt's, and hide a KVM that does not work.

    libvirt takes an accessible /dev/kvm for a working one and probes QEMU again at each call when the two disagree, a
    minute each. A read-only regular file is not accessible for writing, not even for root.
    """
    mount = ["mount", "--bind"]
    for covered in _COVERED:
        if Path(covered).is_dir():
            folder = lab.paths.run / "libvirt" / covered.strip("/").replace("/", "-")
            folder.mkdir(parents=True)
            lab.daemons.namespace.run([*mount, str(folder), covered])
    if not kvm and Path("/dev/kvm").exists():
        nothing = lab.paths.run / "libvirt" / "no-kvm"
        nothing.touch()
        lab.daemons.namespace.run([*mount, str(nothing), "/dev/kvm"])
        lab.daemons.namespace.run(["mount", "-o", "remount,bind,ro", "/dev/kvm"])


def _configure(lab: Lab, name: str, sockets: Path) -> None:
    sockets.mkdir(mode=0o700, exist_ok=True)
    Path(f"/etc/libvirt/{name}.conf").write_text(_DAEMON_CONF.format(sockets=sockets), encoding="utf-8")
    Path("/etc/libvirt/qemu.conf").write_text(_QEMU_CONF, encoding="utf-8")


def _private(argv: list[str]) -> list[str]:
    return argv


def _listens(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as sock:
        return sock.connect_ex(str(path)) == 0
