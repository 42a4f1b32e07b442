"""An instance's spec as Docker's API writes it: command, mounts, limits, restart policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.engines.base import InstanceSpec
from bench.engines.docker import hardening_config as hardening
from bench.lab import images


def command(spec: InstanceSpec) -> list[str]:
    """Return what the image's entrypoint, the payload, is given."""
    return ["--events", f"unix:{images.EVENTS}", *spec.command(inside=True)]


def binds(spec: InstanceSpec) -> list[str]:
    """Return the spec's event socket, folders and volumes as Docker writes bind mounts: a source without a slash is a volume."""
    sources = [(bind, bind.source.name if bind.kind == "volume" else str(bind.source)) for bind in spec.binds]
    anonymous = [f"/{bind.name}" for bind in spec.binds if bind.kind == "anonymous"]
    folders = [
        f"{source}:/{bind.name}:{'ro' if bind.read_only else 'rw'}"
        for bind, source in sources
        if bind.kind in ("bind", "volume")
    ]
    return [f"{spec.events}:{images.EVENTS}", *folders, *anonymous]


def memory(spec: InstanceSpec) -> dict[str, str]:
    """Return the paths of the instance's tmpfs mounts with their options: Docker's defaults, but for a size."""
    sizes = {f"/{bind.name}": bind.size_bytes for bind in spec.binds if bind.kind == "tmpfs"}
    mine = {path: "" if size is None else f"size={size}" for path, size in sizes.items()}
    return {**mine, **hardening.memory(spec.hardening)}


def limits(spec: InstanceSpec) -> dict[str, Any]:
    """Return the spec's limits as arguments of ``create_host_config``, those that are ``None`` left out."""
    wanted = spec.limits
    # Docker takes a device's file; udev's links by number (/dev/block) are not on every host, the kernel's names are.
    device = wanted.device and f"/dev/{Path('/sys/dev/block', wanted.device).resolve().name.replace('!', '/')}"
    rates = {"device_read_bps": wanted.read_bytes_per_s, "device_write_bps": wanted.write_bytes_per_s}
    found: dict[str, Any] = {
        "mem_limit": spec.memory_bytes,
        "memswap_limit": wanted.swap_bytes,
        "mem_reservation": wanted.reservation_bytes,
        "nano_cpus": None if spec.cpus is None else round(spec.cpus * 10**9),
        "cpu_shares": wanted.cpu_shares,
        "cpuset_cpus": wanted.cpuset,
        "pids_limit": wanted.pids,
        **{name: [{"Path": device, "Rate": rate}] for name, rate in rates.items() if rate is not None},
    }
    return {name: value for name, value in found.items() if value is not None}


def restart(spec: InstanceSpec) -> dict[str, Any]:
    """Return the spec's restart policy as an argument of ``create_host_config``."""
    wanted = spec.restart
    return {"restart_policy": {"Name": wanted.name, "MaximumRetryCount": wanted.retries}} if wanted else {}
