"""Forwarding in the lab: rules are set once for each subnet and do not depend on which engine comes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pytest

from bench.core.errors import TargetUnavailable
from bench.lab import forwarding

if TYPE_CHECKING:
    from bench.lab import Lab


class RecordingLab:
    """A lab whose namespaces keep what is run in them."""

    def __init__(self) -> None:
        self.ran: list[list[str]] = []
        self.daemons = self.namespace = self

    def run(self, argv: Sequence[str]) -> None:
        """Keep it."""
        self.ran.append([argv[0].rpartition("/")[2], *argv[1:]])


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> RecordingLab:
    monkeypatch.setattr("bench.core.proc.find", lambda name, _: f"/usr/sbin/{name}")
    return RecordingLab()


def test_forwarding_rules_come_before_those_of_engines(lab: RecordingLab) -> None:
    forwarding.let_through(cast("Lab", lab), "10.1.0.0/16")
    rules = [argv for argv in lab.ran if argv[0] == "iptables"]
    assert [argv[1:] for argv in rules] == [
        ["-w", "-I", "FORWARD", "-s", "10.1.0.0/16", "-j", "ACCEPT"],
        ["-w", "-I", "FORWARD", "-d", "10.1.0.0/16", "-j", "ACCEPT"],
    ]
    assert "ip_forward" in lab.ran[-1][-1]


def test_subnet_is_forwarded_once_and_masqueraded_when_leaving(lab: RecordingLab) -> None:
    for _ in range(2):
        forwarding.let_through(cast("Lab", lab), "10.1.0.0/16", masquerade=True)
    (masquerade,) = [argv for argv in lab.ran if "MASQUERADE" in argv]
    assert masquerade[4:] == ["-A", "POSTROUTING", "-s", "10.1.0.0/16", "!", "-d", "10.1.0.0/16", "-j", "MASQUERADE"]
    before = len(lab.ran)
    forwarding.let_through(cast("Lab", lab), "10.2.0.0/16")
    assert len(lab.ran) > before


def test_forwarding_without_iptables_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.core.proc.find", _nothing)
    with pytest.raises(TargetUnavailable, match="install iptables"):
        forwarding.let_through(cast("Lab", RecordingLab()), "10.1.0.0/16")


def _nothing(name: str, remedy: str) -> str:
    raise TargetUnavailable(f"'{name}' is not there", remedy)
