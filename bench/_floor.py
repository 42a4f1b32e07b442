"""Which series has a floor: the bare host, where it does the same work without the isolation; pure data and one question."""

from __future__ import annotations

from bench._series import NULL, SENTINEL

_FLOORS: dict[str, tuple[str, ...]] = {
    # The host forks and executes the same program; all others do that, too, and more. An end is another thing: some engines
    # say "removed" and clean up later.
    "startup": ("created_s", "started_s", "first_instruction_s", "ready_s", "cpu_s"),
    "compute": ("cpu_events_per_s", "memory_bytes_per_s", "syscall_s", "rounds_per_s"),
    # A mode adds a hop or more to the host's own path. What is lost on the way is no work.
    "network": (
        *("throughput_bytes_per_s", "udp_bytes_per_s", "connect_per_s", "cpu_s_per_gb"),
        *("rr_p50_s", "rr_p99_s", "ready_s"),
    ),
    "discovery": ("lookup_s",),  # the host asks a process that answers at once
    # The same reads and writes. Creating, removing and unpacking are other work in every engine.
    "storage": (
        *("read_bytes_per_s", "write_bytes_per_s", "iops", "metadata_per_s"),
        *("fsync_s", "fsync_p99_s", "copy_up_s"),
    ),
}
"""Family → what in it has a floor. In all others nothing says that the host must do best."""

_OWN_FILE_SYSTEM = {"btrfs": "host:disk=btrfs", "zfs": "", "devicemapper": "", "devmapper": "", "aufs": ""}
"""Storage driver or snapshotter → the plain folder on a file system like its own, if there is such a target."""


def floor_of(target: str, metric: str, baseline: str) -> str:
    """Return the target that ``target`` cannot beat at this metric, empty when there is none.

    That is the host: the baseline where that is one, else ``host``. Memory instead of a disk is faster and right so
    (``mount=tmpfs``); a loopback of one's own is compared with the host's loopback, not with a cable; and what has another
    file system under it is compared with a plain folder on such a one, or with nothing.
    """
    engine, _, rest = target.partition(":")
    options = dict(pair.split("=", 1) for pair in rest.split(",") if "=" in pair)
    family, _, quantity = metric.partition(".")
    host = baseline if baseline.partition(":")[0] == "host" else "host"
    if quantity not in _FLOORS.get(family, ()) or engine in ("host", NULL, SENTINEL):
        return ""
    if family == "network" and options.get("network") == "none":
        return "host"
    if family == "storage" and options.get("mount") == "tmpfs":
        return ""
    if family == "storage" and options.get("mount", "layer") in ("layer", "volume"):
        return _OWN_FILE_SYSTEM.get(options.get("storage") or options.get("snapshotter", ""), host)
    return host
