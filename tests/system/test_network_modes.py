"""System tests of benchmark ``network-modes``: evidence of each mode, loopback against iperf3 by hand, cleanup."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import engines, store
from bench.benchmarks.network_modes import measure, near
from bench.benchmarks.network_modes.near import Step
from bench.core.clock import EventHub
from bench.invocation import life
from bench.invocation.context import InvocationContext
from bench.lab import Lab, network
from bench.scenario import parse_target
from bench.workloads import iperf3
from tests.inventory import assert_same, inventory
from tests.system import by_hand
from tests.system.conftest import Tare, without_controls

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

MODES = ("docker:network=macvlan", "docker:network=overlay", "docker:network=published", "docker:network=proxied")
TARGETS = ("host:network=veth", *MODES)
LINKS = {"docker:network=macvlan": "macvlan"}
PLAIN = {f"network.{name}" for name in ("rr_p50_s", "rr_p99_s", "connect_per_s", "ready_s", "udp_loss_ratio")}
PORT = 15301
PAIRS = 8  # the least for an interval at 99 %: from the smallest to the largest value


def measured(numbers: pd.DataFrame, target: str) -> dict[tuple[str, Any, Any], float]:
    """Return (metric, streams, direction) → value of one target."""
    rows = numbers[numbers["target"] == target]
    found = {}
    for metric, params, value in zip(rows["metric"], rows["params"], rows["value"], strict=True):
        named = json.loads(params)
        found[metric, named.get("streams"), named.get("direction")] = float(value)
    return found


def test_each_network_mode_has_its_evidence_and_leaves_nothing(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = [word for target in TARGETS for word in ("-t", target)]
    done = tare("run", without_controls(tmp_path, "network-modes"), *asked, "--blocks", "1", "--warmup", "0")
    assert done.returncode == 0, done.stderr
    found = store.load(store.find(tmp_path / "results", "latest"))
    numbers = store.measurements(found)
    ended: dict[str, Any] = {str(row["target"]): row for row in store.outcomes(found).to_dict("records")}
    for target in TARGETS:
        assert ended[target]["status"] == "ok", ended[target]
        check(target, measured(numbers, target), ended[target])
    assert ended["docker:network=overlay"]["evidence"]["mtu"] == "1450", "the tunnel's header must reduce the MTU"
    assert ended["docker:network=published"]["evidence"]["dnat"] == "yes"
    assert ended["docker:network=proxied"]["evidence"]["dnat"] == "no"
    assert ended["docker:network=proxied"]["evidence"]["docker_proxy"] == "yes"
    assert_same(before)


def check(target: str, numbers: dict[tuple[str, Any, Any], float], ended: dict[str, Any]) -> None:
    """Check one target's numbers and evidence."""
    for streams in (1, 4):
        for direction in ("out", "in"):
            assert numbers["network.throughput_bytes_per_s", streams, direction] > 1e6
            assert numbers["network.cpu_s_per_gb", streams, direction] > 0
    assert {(name, None, None) for name in PLAIN} <= set(numbers)
    assert 0 < numbers["network.rr_p50_s", None, None] <= numbers["network.rr_p99_s", None, None] < 1
    assert numbers["network.connect_per_s", None, None] > 1
    evidence, notes = ended["evidence"], ended["notes"]
    assert evidence["link"] == LINKS.get(target, "veth")
    assert int(evidence["mtu"]) >= 1280
    assert "gso" in evidence["offloads"]
    assert evidence["network"] == target.partition("network=")[2]
    assert ("calls the instance" in notes["far"]) is (target in MODES[2:])


@pytest.fixture
def lab(state: Path) -> Iterator[Lab]:
    with Lab("ne7w0rk", state=state) as opened:
        yield opened


@pytest.fixture
def context(lab: Lab) -> Iterator[InvocationContext]:
    """Return the context of one invocation on the host."""
    engine = engines.load(parse_target("host"), lab)
    engine.prepare()
    with EventHub() as hub:
        yield by_hand.on_host(lab, hub, engine, "network-modes", {})


@contextlib.contextmanager
def server() -> Iterator[None]:
    """Run an iperf3 server during the block."""
    argv = ["iperf3", *iperf3.server(PORT)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while PORT not in network.listening(process.pid):
                time.sleep(0.01)
                assert process.poll() is None, "iperf3 did not start"
            yield
        finally:
            process.terminate()


def rate(text: str, lived_s: float = math.inf) -> float:
    """Return the rate that iperf3 reports, bytes/s."""
    found = iperf3.parse_streams(text, lived_s)
    return found.bytes / found.seconds


def test_host_throughput_equals_iperf3_by_hand(context: InvocationContext, capsys: pytest.CaptureFixture[str]) -> None:
    """Compare one stream of one second over loopback."""
    step = Step("streams", 1, "out")
    way = context.engine.network_path(None)  # type: ignore[attr-defined]
    job = near.spec(context, way, [step] * PAIRS)
    argv = ["iperf3", *iperf3.client("127.0.0.1", PORT, 1, 1, reverse=False)]
    with (
        life.living(context, job) as (instance, channel),
        measure._near(context, instance, channel, way) as one,
        server(),
    ):

        def ours(_: int) -> float:
            heard = one.run(step)
            return rate(heard.text, heard.seconds)

        pairs = list(by_hand.in_turn(ours, lambda: rate(by_hand.run(argv)), PAIRS))
    by_hand.near("iperf3", pairs, capsys)
