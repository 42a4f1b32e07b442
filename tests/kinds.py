"""What each engine makes, for outcomes that tests write."""

from __future__ import annotations

_KINDS = {"libvirt": "machine", "host": "process", "sandbox": "process", "null": "process", "sentinel": "process"}


def kind_of(target: str) -> str:
    """Return ``process``, ``container`` or ``machine``."""
    return _KINDS.get(target.partition(":")[0], "container")
