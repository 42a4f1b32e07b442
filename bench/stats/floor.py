"""Tell which series have a floor: the bare host, where it does the same work without the isolation."""

from __future__ import annotations

from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL

_OWN_FILE_SYSTEM = {
    "btrfs": "host:disk=btrfs",
    "zfs": "host:disk=zfs",
    "devicemapper": "",
    "devmapper": "",
    "aufs": "",
}
"""Storage driver or snapshotter → the target with a plain folder on the same file system, empty if there is none."""


def floor_of(target: str, metric: str, baseline: str) -> str:
    """Return the target that ``target`` cannot beat at this metric, empty when there is none.

    That is the baseline if it is a host, else ``host``. Exceptions: memory instead of a disk (``mount=tmpfs``) is rightly faster
    and has no floor; a network namespace with only a loopback is compared with the host's loopback, not with a cable; storage on
    another file system is compared with a plain folder on the same one, if there is such a target.
    """
    engine, _, rest = target.partition(":")
    options = dict(pair.split("=", 1) for pair in rest.split(",") if "=" in pair)
    family, known = metric.partition(".")[0], METRICS.get(metric)
    host = baseline if baseline.partition(":")[0] == "host" else "host"
    if known is None or not known.host_bound or engine in ("host", NULL, SENTINEL):
        return ""
    if family == "network" and options.get("network") == "none":
        return "host"
    if family == "storage" and options.get("mount") == "tmpfs":
        return ""
    if family == "storage" and options.get("mount", "layer") in ("layer", "volume"):
        return _OWN_FILE_SYSTEM.get(options.get("storage") or options.get("snapshotter", ""), host)
    return host
