"""The payload configures an interface, here in a network namespace that needs no root."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core import proc
from bench.lab import images

UNSHARE = [proc.find("unshare", "install util-linux"), "--user", "--map-root-user", "--net", "--"]
pytestmark = pytest.mark.skipif(
    proc.run([*UNSHARE, "true"], timeout_s=10).status != 0, reason="no user namespaces here"
)


def inside(state: Path, address: str, *arguments: str) -> proc.Completed:
    program = [str(images.payload(state).path), "--events", "fd:1", "--exit", "--address", address, *arguments]
    return proc.run([*UNSHARE, *program], timeout_s=30)


def test_interface_has_address_and_default_route_before_ready(built_state: Path) -> None:
    ip = proc.find("ip", "install iproute2")
    asked = ("--run", ip, "-4", "-brief", "address", "show", "--run", ip, "route", "show")
    said = inside(built_state, "lo:10.1.2.3/24:10.1.2.1", *asked).check().stdout.splitlines()
    assert said.index("R") < said.index("B run")
    assert any(line.startswith("O lo") and "10.1.2.3/24" in line for line in said)
    assert [line for line in said if line.startswith("O default via 10.1.2.1 dev lo")], said


def test_address_without_a_gateway_is_accepted(built_state: Path) -> None:
    said = inside(built_state, "lo:10.1.2.3/8", "--run", proc.find("ip", "install iproute2"), "route", "show").check()
    assert said.stdout.splitlines() == ["F", "R", "B run", "C run 0"]


@pytest.mark.parametrize(
    ("address", "status", "why"),
    [
        ("none0:10.1.2.3/24", 71, "cannot set the address 'none0:10.1.2.3/24': No such device"),
        ("lo:10.1.2/24", 64, "--address takes IFACE:IP/PREFIX"),
        ("lo:10.1.2.3/33", 64, "a prefix of 1 to 32"),
        ("lo:10.1.2.3/x", 64, "'x': Invalid argument"),
        ("lo:10.1.2.3/24:10.9.9.9", 71, "Network is unreachable"),
        ("lo", 64, "--address takes IFACE:IP/PREFIX"),
        ("a-name-that-is-too-long:10.1.2.3/24", 64, "--address takes IFACE:IP/PREFIX"),
    ],
)
def test_invalid_address_is_refused_by_name(built_state: Path, address: str, status: int, why: str) -> None:
    done = inside(built_state, address)
    assert done.status == status
    assert why in done.stderr
    assert "R" not in done.stdout.splitlines()
