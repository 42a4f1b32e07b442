"""The parts of the network-modes procedure: who calls whom, the order, what the payload said, CPU time, ports, routes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.benchmarks.network_modes import measure, near
from bench.benchmarks.network_modes.near import Heard, Step
from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.engines.abilities import NetworkPath
from bench.engines.evidence import links
from bench.lab import images, network
from tests.unit.test_payload import told

PEER = NetworkPath("peer", "10.90.0.2")
PUBLISHED = NetworkPath("peer", "10.90.0.1", first_port=5201, turned=True)
STAT = "cpu  100 20 300 5000 70 8 9 1000 40 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"


def test_every_step_is_first_in_some_block() -> None:
    orders = [near.order(block, 4) for block in range(7)]
    assert {steps[0] for steps in orders} == set(orders[0])
    assert all(sorted(step.name for step in steps) == sorted(step.name for step in orders[0]) for steps in orders)
    assert orders[0] == near.order(7, 4)


def test_basic_tests_are_three_and_turn_too() -> None:
    orders = [near.order(block, 4, basic=True) for block in range(3)]
    assert [step.name for step in orders[0]] == ["1 out", "answers", "connects"]
    assert near.words(orders[0][2], PEER, 2)[1].endswith(":500")
    assert {steps[0] for steps in orders} == set(orders[0])


@pytest.mark.parametrize(("direction", "way", "reverse"), [
    ("out", PEER, False), ("in", PEER, True), ("out", PUBLISHED, True), ("in", PUBLISHED, False),
])  # fmt: skip
def test_direction_is_that_of_the_instance(direction: str, way: NetworkPath, reverse: bool) -> None:
    words = near.words(Step("streams", 1, direction), way, 1)  # type: ignore[arg-type]
    assert ("--reverse" in words) is reverse
    assert words[:4] == ["--client", way.address, "--port", "5201"]


def test_each_service_has_its_own_port() -> None:
    assert near.words(Step("connects"), PEER, 2) == ["connect", f"10.90.0.2:{network.CONNECTS}:2000"]
    assert str(network.ANSWERS) in near.words(Step("answers"), PEER, 1)
    elsewhere = NetworkPath("peer", "10.90.0.1", first_port=20000, turned=True)
    assert near.words(Step("connects"), elsewhere, 1) == ["connect", "10.90.0.1:20001:1000"]
    assert near.words(Step("answers"), elsewhere, 1)[5] == "20002"


def test_host_cpu_time_excludes_idle_time() -> None:
    assert near.host_cpu_s(STAT, ticks=100) == pytest.approx((100 + 20 + 300 + 8 + 9) / 100)


def test_step_result_is_read_from_payload_lines() -> None:
    lines = [Line(0.9, "A"), Line(1.0, "B run"), Line(1.5, "O {"), Line(1.6, "O }"), Line(2.25, "C run 0")]
    assert near.heard(lines, "run", 0.5) == Heard("{\n}", 1.25, 0.5)
    with pytest.raises(InvocationFailed, match="did not say 'B connect', but: A"):
        near.heard(lines, "connect", 0.5)


def test_connection_rate_uses_host_stamps() -> None:
    said = near.heard([Line(1.0, "B connect"), Line(3.0, "C connect 500")], "connect", 0.0)
    assert measure.connections(said) == 250
    with pytest.raises(InvocationFailed, match="no connection was counted"):
        measure.connections(Heard("connect 0", 1.0, 0.0))
    lines = [Line(1.0, "B connect"), Line(1.1, "E connect Connection refused"), Line(1.2, "C connect 7")]
    with pytest.raises(InvocationFailed, match="far end did not answer any more: Connection refused"):
        near.heard(lines, "connect", 0.0)


def test_listening_ports_are_read_from_kernel_table() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue\n"
        "   0: 00000000:1451 00000000:0000 0A 00000000:00000000\n"
        "   1: 0100007F:1452 0100007F:A000 01 00000000:00000000\n"
        "   2: 00000000000000000000000000000000:1453 00000000000000000000000000000000:0000 0A 0\n"
    )
    assert network.parse_listening(table) == {0x1451, 0x1453}
    assert network.parse_listening("") == set()


def test_link_is_read_from_route() -> None:
    assert links.route_device('[{"dst":"10.90.0.2","dev":"eth0","prefsrc":"172.17.0.2"}]') == "eth0"
    for text in ("", "[]", "[{}]", "RTNETLINK answers: Network is unreachable"):
        with pytest.raises(InvocationFailed, match="did not print a route"):
            links.route_device(text)


def test_payload_counts_connections_to_itself(built_state: Path) -> None:
    lines = told(built_state, "--accept", "15202", "--connect", "127.0.0.1:15202:100")
    assert lines[:4] == ["F", "R", "B accept 15202", "B connect"]
    assert lines[4].startswith("C connect ")
    assert int(lines[4].split()[2]) > 0


def test_payload_reports_refused_connection(built_state: Path) -> None:
    lines = told(built_state, "--connect", "127.0.0.1:15203:100")
    assert lines[2:] == ["B connect", "E connect Connection refused", "C connect 0"]


def test_background_server_ends_with_payload(built_state: Path, tmp_path: Path) -> None:
    program = images.payload(built_state).path
    (tmp_path / "script").write_text(f"spawn {program} --accept 15204 --sleep\nwait 300\nconnect 127.0.0.1:15204:50\n")
    lines = told(built_state, "--script", str(tmp_path / "script"))
    assert lines[2] == f"B spawn {program}"
    assert lines[-1].startswith("C connect ")
    assert int(lines[-1].split()[2]) > 0
    again = told(built_state, "--connect", "127.0.0.1:15204:50")
    assert "E connect Connection refused" in again
