"""The numbers of every target in the synthetic run of networks, names, storage and images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.core.model import ParamValue
from tests.synthetic_shapes import GIB, MIB


@dataclass(frozen=True)
class Mode:
    """A network mode: bytes/s of one stream, CPU seconds for 1 GB, response time, fraction of datagrams lost, time to ready."""

    rate: float
    cpu: float
    answer: float
    lost: float
    ready: float


MODES: Mapping[str, Mode] = {
    "host": Mode(2.9 * GIB, 0.31, 21e-6, 0.0, 1e-3),
    "host:network=veth": Mode(2.2 * GIB, 0.42, 26e-6, 0.0, 1.2e-3),
    "docker:network=host": Mode(2.15 * GIB, 0.43, 26.5e-6, 0.0, 0.26),
    "docker:network=none": Mode(2.8 * GIB, 0.32, 21e-6, 0.0, 0.25),
    "docker": Mode(1.62 * GIB, 0.61, 34e-6, 0.002, 0.33),
    "docker:network=user": Mode(1.6 * GIB, 0.62, 34e-6, 0.002, 0.34),
    "docker:network=macvlan": Mode(1.95 * GIB, 0.49, 29e-6, 0.001, 0.31),
    "docker:network=overlay": Mode(0.7 * GIB, 1.4, 52e-6, 0.02, 0.52),
    "docker:network=published": Mode(1.55 * GIB, 0.63, 35e-6, 0.002, 0.35),
    "docker:network=proxied": Mode(0.6 * GIB, 2.1, 88e-6, 0.05, 0.37),
    "cri": Mode(1.6 * GIB, 0.62, 34e-6, 0.002, 0.29),
    "cri:network=ptp": Mode(1.66 * GIB, 0.6, 33e-6, 0.002, 0.28),
    "cri:network=macvlan": Mode(1.94 * GIB, 0.49, 29e-6, 0.001, 0.27),
    "cri:network=host": Mode(2.16 * GIB, 0.43, 26.4e-6, 0.0, 0.2),
    "podman": Mode(1.6 * GIB, 0.62, 34.5e-6, 0.002, 0.41),
    "libvirt:guest=minimal,network=user": Mode(21 * MIB, 48.0, 1.9e-3, 0.3, 3.9),
    "libvirt:guest=minimal,network=bridge": Mode(62 * MIB, 17.0, 0.92e-3, 0.2, 3.8),
    "libvirt:guest=minimal,network=macvtap": Mode(64 * MIB, 16.6, 0.91e-3, 0.2, 3.8),
}
FAR = {
    "docker:network=none": ("the payload itself, over its own loopback", "127.0.0.1"),
    "docker:network=published": ("a native process on the second host, which calls", "10.90.0.1:8080"),
}


@dataclass(frozen=True)
class Driver:
    """A storage driver: slowdown, fixed time and time a byte of a copy-up, cost of layers, page cache sharing."""

    life: float = 1.0
    op: float = 1.0
    io: float = 1.0
    touch: float = 60e-6
    byte: float = 0.0
    depth: float = 0.0
    shared: float = 1.0


_COPY = 1 / (1.1 * GIB)
DRIVERS: Mapping[str, Driver] = {
    "host": Driver(touch=9e-6),
    "host:disk=btrfs": Driver(op=1.7, io=1.3, touch=14e-6),
    "docker:network=none,storage=overlay2": Driver(op=1.1, byte=_COPY, depth=0.004),
    "docker:network=none,storage=fuse-overlayfs": Driver(
        life=1.2, op=6.0, io=1.5, byte=1.9 * _COPY, touch=400e-6, depth=0.01
    ),
    "docker:network=none,storage=btrfs": Driver(life=1.4, op=1.9, io=1.35, touch=41e-6),
    "docker:network=none,storage=vfs": Driver(life=7.0, op=0.98, touch=10e-6, depth=0.1, shared=4.0),
    "containerd:snapshotter=overlayfs": Driver(life=0.7, op=1.1, byte=_COPY, depth=0.003),
    "containerd:snapshotter=native": Driver(life=5.0, op=0.99, touch=10e-6, depth=0.08, shared=4.0),
    "containerd:snapshotter=btrfs": Driver(life=1.1, op=1.9, io=1.35, touch=40e-6),
}
_GUEST = "run the scenario inside a guest whose kernel has it"
UNAVAILABLE = {
    "docker:network=none,storage=zfs": ("the kernel has no zfs: modprobe zfs: Module zfs not found", _GUEST),
    "docker:network=none,storage=devicemapper": ("no /dev/mapper/control: the kernel has no device-mapper", _GUEST),
    "docker:network=none,storage=aufs": ("the kernel has no aufs, and Docker 24 removed it", "choose overlay2"),
    "containerd:snapshotter=devmapper": ("no /dev/mapper/control: the kernel has no device-mapper", _GUEST),
    "containerd:snapshotter=zfs": ("the kernel has no zfs", _GUEST),
}
FILES = (4 * 2**10, 2**20, 16 * 2**20, 64 * 2**20)


@dataclass(frozen=True)
class Kept:
    """A mount: slowdown, time of an fsync, and whether data were kept."""

    slow: float
    fsync: float
    kept: str
    how: str


PLACES: Mapping[str, Kept] = {
    "host": Kept(1.0, 0.9e-3, "yes", "the file was there after the process had ended"),
    "docker:mount=layer,network=none": Kept(1.15, 1.1e-3, "no", "gone with the container, as promised"),
    "docker:mount=volume,network=none": Kept(1.01, 0.92e-3, "yes", "a second container read the same digest"),
    "docker:mount=bind,network=none": Kept(1.0, 0.91e-3, "yes", "the host read the same digest"),
    "docker:mount=bind-ro,network=none": Kept(1.0, 0.0, "refused", "open for writing: Read-only file system"),
    "docker:mount=tmpfs,network=none": Kept(0.3, 4e-6, "no", "gone with the container, as promised"),
    "libvirt:disk=raw,guest=minimal": Kept(9.0, 11e-3, "yes", "a second guest read the same digest"),
    "libvirt:disk=qcow2,guest=minimal": Kept(10.5, 13e-3, "yes", "a second guest read the same digest"),
    "libvirt:disk=shared,guest=minimal": Kept(31.0, 17e-3, "yes", "the host read the same digest"),
}
BASES: Mapping[tuple[str, str], tuple[float, int, float | None]] = {
    ("host", "scratch"): (0.85 * MIB, 1, None),
    ("docker:network=none", "scratch"): (0.86 * MIB, 1, 0.0),
    ("docker:network=none", "busybox"): (2.9 * MIB, 2, 2.0 * MIB),
    ("docker:network=none", "debian"): (118 * MIB, 2, 117 * MIB),
    ("docker:network=none", "compiler"): (391 * MIB, 3, 390 * MIB),
    ("containerd", "scratch"): (0.9 * MIB, 1, 0.0),
    ("containerd", "busybox"): (3.1 * MIB, 2, 2.1 * MIB),
    ("containerd", "debian"): (119 * MIB, 2, 118 * MIB),
    ("containerd", "compiler"): (395 * MIB, 3, 394 * MIB),
    ("libvirt:guest=minimal", "scratch"): (14.2 * MIB, 1, 14.0 * MIB),
    ("libvirt:guest=full", "scratch"): (612 * MIB, 1, 611 * MIB),
}
_SECONDS = (8.0, 1.1, 0.3)
RECIPES: Mapping[str, tuple[float, float, float, float, int, float]] = {
    "good-order": (*_SECONDS, 390 * 2**20, 5, 40 * 2**10),
    "bad-order": (8.1, 7.6, 0.3, 390 * 2**20, 5, 40 * 2**10),
    "multi-stage": (8.4, 1.3, 0.3, 870 * 2**10, 1, 40 * 2**10),
    "single-stage": (8.0, 1.1, 0.3, 390 * 2**20, 5, 40 * 2**10),
    "one-run": (5.0, 1.0, 0.3, 130 * 2**20, 3, 40 * 2**10),
    "many-run": (9.5, 1.0, 0.35, 131 * 2**20, 22, 40 * 2**10),
    "clean-same": (5.2, 1.0, 0.3, 130 * 2**20, 3, 40 * 2**10),
    "clean-later": (5.8, 1.0, 0.3, 194 * 2**20, 4, 40 * 2**10),
    "ignore": (5.0, 1.0, 0.3, 130 * 2**20, 3, 40 * 2**10),
    "no-ignore": (6.2, 2.1, 1.2, 130 * 2**20, 3, 96 * 2**20),
}
SKIPS = {
    ("storage-drivers", "host", "life"): "a folder has no life of its own",
    ("storage-drivers", "host:disk=btrfs", "life"): "a folder has no life of its own",
    ("storage-drivers", "host", "unpack"): "a folder has no images",
    ("storage-drivers", "host:disk=btrfs", "unpack"): "a folder has no images",
    **{
        ("size", target, base): "a base means nothing here: it is measured once, with scratch"
        for target in ("host", "libvirt:guest=minimal", "libvirt:guest=full")
        for base in ("busybox", "debian", "compiler")
    },
}
"""(scenario, target, value of the varied param) → reason for which the invocation is skipped."""

OPERATIONS = {"storage-drivers": "operation", "size": "base"}


@dataclass(frozen=True)
class Shape:
    """A scenario: title, targets, baseline, primary metrics, params."""

    title: str
    targets: Sequence[str]
    baseline: str
    primary: Sequence[str]
    params: Mapping[str, Sequence[ParamValue]] = field(default_factory=dict)


_NONE = "docker:network=none"
_THROUGHPUT = "network.throughput_bytes_per_s"
SCENARIOS: Mapping[str, Shape] = {
    "network-modes": Shape("Network modes", tuple(MODES), "host:network=veth", (_THROUGHPUT, "network.rr_p50_s", "network.connect_per_s")),
    "discovery": Shape("Finding each other by name", ("host", "docker:network=user", "docker:network=overlay", "podman:network=user"), "host", ("discovery.lookup_s",)),
    "storage-drivers": Shape("Storage drivers and snapshotters", tuple(DRIVERS), "host",
                             ("storage.copy_up_s", "storage.metadata_per_s", "storage.read_bytes_per_s", "storage.write_bytes_per_s"),
                             {"operation": ("life", "copy-up", "metadata", "io", "cache", "unpack")}),
    "storage-types": Shape("Where data are kept", tuple(PLACES), "host", ("storage.read_bytes_per_s", "storage.write_bytes_per_s", "storage.fsync_s", "storage.metadata_per_s")),
    "size": Shape("Bytes on disk of the same application", ("host", _NONE, "containerd", "libvirt:guest=minimal", "libvirt:guest=full"), "host", ("image.bytes",),
                  {"base": ("scratch", "busybox", "debian", "compiler")}),
    "image-build": Shape("Building images", (_NONE, "podman:network=none"), _NONE, ("image.build_s",), {"recipe": tuple(RECIPES)}),
    "pull": Shape("Pulling images", (_NONE, "containerd", "podman:network=none"), _NONE, ("pull.share_ratio", "pull.ready_s"), {"layers": (1, 10, 50)}),
}  # fmt: skip
