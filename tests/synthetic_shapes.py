"""The numbers of every target in the synthetic run of memory, density, stack, namespaces, limits and compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

KIB, MIB, GIB = 2.0**10, 2.0**20, 2.0**30
VM = "libvirt:accel=tcg,guest=minimal"
TOUCHED = 64 * 2**20


@dataclass(frozen=True)
class Weight:
    """Memory of one instance in bytes: anonymous by component, kernel by part, and the unexplained rest."""

    anonymous: Mapping[str, float]
    kernel: Mapping[str, float]
    rest: float
    first: float = 0.0
    cgroup: bool = True


WEIGHTS: Mapping[str, Weight] = {
    "host": Weight({"payload": 52 * KIB}, {"page_tables": 43 * KIB, "kernel_stacks": 16 * KIB}, -4 * KIB, cgroup=False),
    "runc": Weight(
        {"payload": 51 * KIB},
        {"page_tables": 42 * KIB, "kernel_stacks": 16 * KIB, "unreclaimable_slab": 316 * KIB, "per_cpu": 20 * KIB},
        9 * KIB,
        first=-2 * MIB,
    ),
    "docker": Weight(
        {"payload": 52 * KIB, "shim": 2.3 * MIB, "daemon": 0.36 * MIB, "proxy": 0.0},
        {
            "page_tables": 275 * KIB,
            "kernel_stacks": 199 * KIB,
            "unreclaimable_slab": 547 * KIB,
            "withheld": -76 * KIB,
        },
        0.62 * MIB,
        first=21 * MIB,
    ),
    VM: Weight(
        {"vmm": 28 * MIB, "guest": 71 * MIB},
        {"page_tables": 0.8 * MIB, "kernel_stacks": 80 * KIB, "unreclaimable_slab": 0.9 * MIB},
        -6.5 * MIB,
        first=40 * MIB,
        cgroup=False,
    ),
}
STEPS = (10, 20, 30, 40, 50)
STARTS = {"host": 0.7e-3, "runc": 40e-3, "docker": 330e-3, VM: 3.9}
RULES = {
    "host": ("asked", "nothing: the 200 instances that were asked for live", 200),
    "runc": ("asked", "nothing: the 200 instances that were asked for live", 200),
    "docker": ("latency", "start time: 9.1 s is 27.6 times the first step's 330 ms, more than 20 times", 160),
    VM: ("memory", "memory: MemAvailable is 2.61 GiB, the floor left to others 2.35 GiB", 40),
}
PHASES: Mapping[str, Mapping[str, float]] = {
    "host": {"start": 0.4e-3, "ready": 0.2e-3, "stop": 0.3e-3},
    "sandbox": {"create": 1.4e-3, "start": 0.9e-3, "ready": 0.7e-3, "stop": 1.2e-3},
    "runc": {"create": 36e-3, "start": 15e-3, "ready": 8e-3, "stop": 14e-3, "delete": 9e-3},
    "containerd": {"create": 41e-3, "start": 62e-3, "ready": 7e-3, "stop": 31e-3, "delete": 25e-3},
    "docker": {"create": 92e-3, "start": 170e-3, "ready": 0.0, "stop": 120e-3, "delete": 21e-3},
}
KINDS = {
    "none": 0.23e-6,
    "uts": 3.4e-6,
    "ipc": 29e-6,
    "pid": 6e-6,
    "user": 12e-6,
    "mnt": 32e-6,
    "net": 342e-6,
    "all": 409e-6,
}
LIMITS = ("none", "cpu", "cpu-shares", "memory", "memory-swap", "pids", "write")
SKIPS = {
    ("runc", "memory-swap"): "this kernel does not account swap (swapaccount=0): a limit of it cannot be enforced",
    ("docker", "memory-swap"): "this kernel does not account swap (swapaccount=0): a limit of it cannot be enforced",
    (VM, "pids"): "a machine has no limit of processes on the host",
    (VM, "cpu-shares"): "shares compare two instances on one CPU; an emulated machine has threads of its own",
}
SLOWER = {"host": 1.0, "runc": 1.01, "runsc": 1.08, VM: 3.1}
CALLS = {"getpid": 140e-9, "read": 400e-9, "open": 2e-6, "futex": 240e-9}
LOOKS: Mapping[str, Mapping[str, str]] = {
    "host": {"pid": "29001", "uid": "0", "processes": "94", "interfaces": "4", "mounts": "27", "hostname": "bench-01",
             "uid_map": "0 0 4294967295", "all": "mnt pid uts net ipc user", "workers": "1: 32; 2: 64",
             "refused": "time: CONFIG_TIME_NS is off"},
    "runc": {"pid": "1", "uid": "0", "processes": "1", "interfaces": "1", "mounts": "16", "hostname": "NAME", "uid_map": "0 0 4294967295"},
    VM: {"pid": "1", "uid": "0", "processes": "45", "interfaces": "1", "mounts": "2", "hostname": "guest", "uid_map": "0 0 4294967295"},
}  # fmt: skip
