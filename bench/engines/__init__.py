"""The engine registry: name → ``module:Class``, imported on demand so that no engine costs anything unless asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from bench.core.errors import TargetUnavailable, UsageError, unknown

if TYPE_CHECKING:
    from bench.core.model import Target
    from bench.engines.base import Engine
    from bench.lab import Lab

ENGINES: dict[str, str] = {
    "host": "bench.engines.host:Host",
    "sandbox": "bench.engines.sandbox:Sandbox",
    "runc": "bench.engines.oci.engine:Oci",
    "crun": "bench.engines.oci.engine:Oci",
    "runsc": "bench.engines.oci.engine:Oci",
    "containerd": "bench.engines.containerd.engine:Containerd",
    "cri": "bench.engines.cri.engine:Cri",
    "docker": "bench.engines.docker.engine:Docker",
    "podman": "bench.engines.docker.podman:Podman",
    "libvirt": "bench.engines.libvirt.engine:Libvirt",
    "fake": "bench.engines.fake:Fake",
}

MOUNTS = ("layer", "volume", "bind", "bind-ro", "tmpfs")
"""Where an instance's data are kept: in its own layer, in a volume, in a folder of the host, in memory."""

OPTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "host": {"network": ("loopback", "veth"), "disk": ("direct", "ext4", "btrfs")},
    "sandbox": {"user": ("yes", "no")},
    "runc": {"bin": ()},
    "crun": {"bin": ()},
    "runsc": {"platform": ("ptrace", "systrap", "kvm"), "bin": ()},
    "containerd": {
        "snapshotter": ("overlayfs", "native", "btrfs", "devmapper", "zfs"),
        "runtime": ("runc", "crun", "runsc"),
        "mount": MOUNTS,
        "bin": (),
    },
    "cri": {"endpoint": (), "network": ("bridge", "ptp", "macvlan", "host"), "runtime": (), "bin": ()},
    "docker": {
        "network": ("bridge", "user", "host", "none", "macvlan", "overlay", "published", "proxied"),
        "storage": ("overlay2", "vfs", "fuse-overlayfs", "btrfs", "zfs", "devicemapper", "aufs"),
        "mount": MOUNTS,
        "runtime": ("runc", "crun", "runsc"),
        "endpoint": ("lab", "system"),
        "client": ("api", "cli"),
        "bin": (),
        "config": (),
    },
    "podman": {
        "network": ("bridge", "user", "host", "none"),
        "storage": ("overlay", "vfs"),
        "mount": MOUNTS,
        "runtime": ("crun", "runc"),
    },
    "libvirt": {
        "guest": ("minimal", "full"),
        "machine": ("q35", "pc"),
        "accel": ("kvm", "tcg"),
        "network": ("none", "user", "bridge", "macvtap"),
        "disk": ("none", "raw", "qcow2", "shared"),
        "kernel": (),
    },
    "fake": {"fail": (), "copy": ()},
}
"""Engine → option → allowed values (none listed: any). Options left out take the engine's default."""

FILES = {"bin": "a program", "config": "a daemon.json", "kernel": "a Linux kernel (bzImage)"}
"""Option → what the file is whose absolute path is its value."""

EXAMINED = (
    "cri",
    "cri:network=host",
    "docker:client=cli",
    "docker:network=none,runtime=runsc",
    "containerd:runtime=runsc",
    "podman",
)
"""What ``tare doctor`` tries besides the targets of scenario ``startup``: then no engine is left out."""


def load(target: Target, lab: Lab) -> Engine:
    """Make the engine of a target.

    Raises:
        UsageError: There is no such engine.
        TargetUnavailable: Its Python package is not installed.
    """
    if target.engine not in ENGINES:
        raise UsageError(unknown("engine", target.engine, ENGINES))
    module_name, class_name = ENGINES[target.engine].split(":")
    try:
        module = import_module(module_name)
    except ImportError as error:
        msg = f"the Python package '{error.name}' is not installed"
        raise TargetUnavailable(msg, f"pip install 'tare-bench[{target.engine}]'") from error
    return cast("Engine", getattr(module, class_name)(target, lab))


def check(target: Target) -> None:
    """Look at every file that a target's options name, before anything is started.

    Raises:
        TargetUnavailable: It is not there, or is something else.
        UsageError: It is there, and what is in it cannot be used.
    """
    from bench.engines import given  # noqa: PLC0415 - only for a run, which needs the lab anyway

    given.check(target)
