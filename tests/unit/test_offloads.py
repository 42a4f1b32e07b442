"""Offloads, as the kernel has them: of this host's own loopback, which every user may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench.core.errors import InvocationFailed
from bench.engines.evidence import offloads

ROOT = os.geteuid() == 0


@pytest.mark.skipif(not ROOT, reason="entering a namespace takes CAP_SYS_ADMIN, even one's own")
def test_loopback_leaves_checksums_and_segmentation_to_its_device() -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    found = offloads.of("self", "lo").split()
    assert found == sorted(found)
    assert {"tx", "gso"} <= set(found)
    assert Path("/proc/thread-self/ns/net").readlink() == before


@pytest.mark.parametrize(("pid", "name"), [("self", "no-such-link"), (2**22 + 1, "lo")])
def test_what_cannot_be_read_is_named(pid: int | str, name: str) -> None:
    with pytest.raises(
        InvocationFailed, match=f"the offloads of '{name}' cannot be read in the network of process {pid}"
    ):
        offloads.of(pid, name)
