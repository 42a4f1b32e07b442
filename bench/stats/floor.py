"""Which series has a floor: the bare host, where it does the same work without the isolation; pure data and one question."""

from __future__ import annotations

from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL

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
