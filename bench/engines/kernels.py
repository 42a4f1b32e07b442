"""What to do about a storage driver or file system that this host's kernel may lack."""

from __future__ import annotations

from bench.core.model import Target


def remedy(driver: str, target: Target) -> str:
    """Return where a target can be measured whose storage needs what this kernel lacks."""
    inside = f"measure it in a machine: tare run storage-drivers -t {target.text} --inside libvirt:guest=full"
    if driver != "zfs":
        return inside
    return (
        f"run 'tare provision zfs' as root and {inside}; "
        "or install zfs on this host (in Debian: zfs-dkms and zfsutils-linux, section contrib)"
    )
