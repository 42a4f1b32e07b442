"""Network modes for real: what each one is by the kernel's word, the loopback of the host against iperf3 by hand, nothing left."""

from __future__ import annotations

import contextlib
import json
import math
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench import engines, plan, procedures, store
from bench._exact import median_ci
from bench.clock import EventHub
from bench.lab import Lab, network
from bench.procedures import _life, network_modes
from bench.procedures import _network_near as near
from bench.procedures._network_near import Step
from bench.procedures.base import Account, Place
from bench.scenario import parse_target
from bench.workloads import iperf3
from tests.fakes import small
from tests.system.conftest import Tare, inventory

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

MODES = ("docker:network=macvlan", "docker:network=overlay", "docker:network=published", "docker:network=proxied")
TARGETS = ("host:network=veth", *MODES)
LINKS = {"docker:network=macvlan": "macvlan"}
PLAIN = {f"network.{name}" for name in ("rr_p50_s", "rr_p99_s", "connect_per_s", "ready_s", "udp_loss_ratio")}
PORT, PAIRS = 15301, 10


def measured(numbers: pd.DataFrame, target: str) -> dict[tuple[str, Any, Any], float]:
    """Return a target's numbers: metric, streams, direction → number."""
    rows = numbers[numbers["target"] == target]
    found = {}
    for metric, params, value in zip(rows["metric"], rows["params"], rows["value"], strict=True):
        named = json.loads(params)
        found[metric, named.get("streams"), named.get("direction")] = float(value)
    return found


def test_each_mode_is_what_the_kernel_says_and_nothing_is_left(tare: Tare, tmp_path: Path) -> None:
    before = inventory()
    asked = [word for target in TARGETS for word in ("-t", target)]
    done = tare("run", "network-modes", *asked, "--blocks", "1", "--warmup", "0")
    assert done.returncode == 0, done.stderr
    found = store.load(store.find(tmp_path / "results", "latest"))
    numbers = store.measurements(found)
    ended: dict[str, Any] = {str(row["target"]): row for row in store.outcomes(found).to_dict("records")}
    for target in TARGETS:
        assert ended[target]["status"] == "ok", ended[target]
        check(target, measured(numbers, target), ended[target])
    assert ended["docker:network=overlay"]["evidence"]["mtu"] == "1450", "a tunnel's header is no payload"
    assert ended["docker:network=published"]["evidence"]["dnat"] == "yes"
    assert ended["docker:network=proxied"]["evidence"]["dnat"] == "no"
    assert ended["docker:network=proxied"]["evidence"]["docker_proxy"] == "yes"
    assert inventory() == before


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
def place(lab: Lab) -> Iterator[Place]:
    """One invocation on the host."""
    engine = engines.load(parse_target("host"), lab)
    engine.prepare()
    one = small(["host"], procedure="network-modes", params={})
    with EventHub() as hub:
        yield Place(
            invocation=next(item for item in plan.build([one], 1) if item.target == "host"),
            params=procedures.with_defaults("network-modes", {}),
            engine=engine,
            lab=lab,
            hub=hub,
            name=f"tare-{lab.short_id}-0",
            timeout_s=120,
            account=Account(),
            note_request=lambda _: None,
        )


@contextlib.contextmanager
def server() -> Iterator[None]:
    """Have iperf3 listen while the block runs."""
    argv = ["iperf3", *iperf3.server(PORT)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while PORT not in network.listening(process.pid):
                time.sleep(0.01)
                assert process.poll() is None, "iperf3 did not start"
            yield
        finally:
            process.terminate()


def by_hand() -> float:
    """Return bytes per second of one stream over loopback; in a session of its own, as what Tare starts."""
    argv = ["iperf3", *iperf3.client("127.0.0.1", PORT, 1, 1, reverse=False)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, start_new_session=True).stdout
    found = iperf3.parse_streams(said, math.inf)
    return found.bytes / found.seconds


def test_the_host_is_as_quick_as_iperf3_by_hand(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """Pairs in turn, each begun by the other; on a busy host the interval is wide, and only what it leaves no room for fails."""
    step = Step("streams", 1, "out")
    way = place.engine.way(None)  # type: ignore[attr-defined]
    pairs = []
    job = near.job(place, way, [step] * PAIRS)
    with (
        _life.living(place, job) as (instance, channel),
        network_modes._near(place, instance, channel, way) as one,
        server(),
    ):
        for number in range(PAIRS):
            theirs = by_hand() if number % 2 else 0.0
            heard = one.run(step)
            ours = iperf3.parse_streams(heard.text, heard.seconds)
            pairs.append((ours.bytes / ours.seconds, theirs or by_hand()))
    medians = statistics.median(ours for ours, _ in pairs) / statistics.median(theirs for _, theirs in pairs)
    interval = median_ci([math.log(ours / theirs) for ours, theirs in pairs], 0.99)
    assert interval is not None
    low, high = math.exp(interval.low), math.exp(interval.high)
    with capsys.disabled():
        print(f"\n    iperf3: {medians:.3f} by medians of {PAIRS}; pairs {low:.3f} to {high:.3f}", end="")
    assert low <= 1.05, f"the host is quicker than iperf3 by hand: {low:.3f} to {high:.3f}"
    assert high >= 0.95, f"the host is slower than iperf3 by hand: {low:.3f} to {high:.3f}"
