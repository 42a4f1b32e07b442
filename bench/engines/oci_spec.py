"""The OCI runtime configuration of an instance, the same for runc, crun, runsc and containerd, so that all do the same work.

Namespaces, capabilities, mounts, masked paths and device rules are those that Docker and containerd give a plain container. There
is no system call filter, as with ``runc spec`` and containerd; only Docker adds one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from bench.engines import oci_hardening
from bench.engines.base import Bind, InstanceSpec
from bench.engines.evidence import mounts
from bench.lab import cgroups, images

Config = dict[str, Any]

CPU_PERIOD_US = 100_000
"""Period of the CPU quota, the kernel's default (Documentation/scheduler/sched-bwc.rst)."""

CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
        *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
"""The capabilities that Docker and containerd leave to a container."""

MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/firmware",
)
READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")

# Destination, type, source and options of each file system, in mounting order.
_MOUNTS = (
    ("/proc", "proc", "proc", "nosuid noexec nodev"),
    ("/dev", "tmpfs", "tmpfs", "nosuid strictatime mode=755 size=65536k"),
    ("/dev/pts", "devpts", "devpts", "nosuid noexec newinstance ptmxmode=0666 mode=0620 gid=5"),
    ("/dev/shm", "tmpfs", "shm", "nosuid noexec nodev mode=1777 size=65536k"),  # noqa: S108 - a path inside the container
    ("/dev/mqueue", "mqueue", "mqueue", "nosuid noexec nodev"),
    ("/sys", "sysfs", "sysfs", "nosuid noexec nodev ro"),
)


def config(
    *,
    spec: InstanceSpec,
    rootfs_path: Path | str,
    cgroup_path: str,
    network: Literal["private", "host"] = "private",
) -> Config:
    """Return an OCI 1.0.2 configuration (opencontainers/runtime-spec, config.md and config-linux.md).

    ``cgroup_path`` is the instance's control group from the hierarchy's root; the spec's event socket appears at
    ``images.EVENTS``. A private network is a new, empty network namespace.
    """
    binds = [_mount(images.EVENTS, "bind", str(spec.events), "bind nosuid nodev"), *_folders(spec)]
    made = {
        "ociVersion": "1.0.2",
        "process": process([images.PAYLOAD, "--events", f"unix:{images.EVENTS}", *spec.command(inside=True)]),
        "root": {"path": str(rootfs_path), "readonly": False},
        "hostname": spec.name,
        "mounts": [_mount(*row) for row in _MOUNTS] + binds,
        "linux": {
            "cgroupsPath": cgroup_path,
            "namespaces": [{"type": kind} for kind in _namespaces(network)],
            "resources": _resources(spec),
            "maskedPaths": list(MASKED),
            "readonlyPaths": list(READONLY),
        },
    }
    if spec.hardening:
        oci_hardening.apply(made, spec.hardening)
    return made


def process(args: list[str]) -> Config:
    """Return the process of a container, or of a further command in it."""
    sets = ("bounding", "effective", "permitted")
    return {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": list(args),
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "cwd": "/",
        "capabilities": {name: list(CAPABILITIES) for name in sets},
        "noNewPrivileges": True,
    }


def _folders(spec: InstanceSpec) -> list[Config]:
    """Return the spec's folders and file systems in memory.

    Raises:
        NotApplicable: One is a volume: an OCI runtime keeps none.
    """
    memory = [bind for bind in spec.binds if bind.kind == "tmpfs"]
    folders = mounts.only_folders(
        replace(spec, binds=tuple(bind for bind in spec.binds if bind not in memory)), "an OCI runtime"
    )
    return [_mount(f"/{bind.name}", "tmpfs", "tmpfs", _memory_options(bind)) for bind in memory] + [
        _mount(f"/{bind.name}", "bind", str(bind.source), f"bind nosuid nodev {'ro' if bind.read_only else 'rw'}")
        for bind in folders
    ]


def _memory_options(bind: Bind) -> str:
    return "nosuid nodev" if bind.size_bytes is None else f"nosuid nodev size={bind.size_bytes}"


def _mount(destination: str, kind: str, source: str, options: str) -> Config:
    return {"destination": destination, "type": kind, "source": source, "options": options.split()}


def _namespaces(network: str) -> list[str]:
    kinds = ["pid", "ipc", "uts", "mount"]
    if network == "private":
        kinds.append("network")
    if cgroups.hierarchy().version == 2:  # engines make a cgroup namespace only there
        kinds.append("cgroup")
    return kinds


def _resources(spec: InstanceSpec) -> Config:
    """Return the limits, those that are ``None`` left out (config-linux.md, "Control groups")."""
    quota = None if spec.cpus is None else round(spec.cpus * CPU_PERIOD_US)
    wanted = spec.limits
    rates = {"throttleReadBpsDevice": wanted.read_bytes_per_s, "throttleWriteBpsDevice": wanted.write_bytes_per_s}
    found = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": _given(limit=spec.memory_bytes, swap=wanted.swap_bytes, reservation=wanted.reservation_bytes),
        "cpu": _given(
            quota=quota,
            period=None if quota is None else CPU_PERIOD_US,
            shares=wanted.cpu_shares,
            cpus=wanted.cpuset,
        ),
        "pids": _given(limit=wanted.pids),
        "blockIO": {name: [_throttle(wanted.device, rate)] for name, rate in rates.items() if rate is not None},
    }
    return {name: value for name, value in found.items() if value}


def _given(**values: int | str | None) -> Config:
    return {name: value for name, value in values.items() if value is not None}


def _throttle(device: str | None, rate: int) -> Config:
    major, _, minor = (device or "").partition(":")
    return {"major": int(major), "minor": int(minor), "rate": rate}
