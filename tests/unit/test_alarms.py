"""Sanity alarms: each sounds where it must and stays silent where it must not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.core.metrics import METRICS
from bench.display.wording.checks import PREFIXES, sentence
from bench.display.wording.warnings import text
from bench.stats.alarms import check_run
from bench.stats.findings import Check
from bench.stats.floor import floor_of
from bench.stats.samples import of_frames
from bench.stats.summaries import summarise
from bench.store import MEASUREMENT_COLUMNS, OUTCOME_COLUMNS
from tests.kinds import kind_of

GUEST, CONTAINER = "libvirt:guest=minimal", "docker:network=none"
ALARMS = ("guest", "faster", "variance", "mode", "scaling")
WRONG = "asked for network=macvlan, but the live instance has network=bridge"
MISMATCH = {"option": "network", "asked": "macvlan", "found": "bridge"}


class Trial:
    """A run of one scenario, a series at a time."""

    def __init__(self, scenario: str = "compute", baseline: str = "host") -> None:
        self.scenario, self.baseline = scenario, baseline
        self.measurements: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def add(self, target: str, metric: str, values: Sequence[float], params: Mapping[str, Any] | None = None) -> Trial:
        """Add one invocation a block, each with one value."""
        for block, value in enumerate(values):
            self.end(target, block)
            what = {
                "metric": metric,
                "value": float(value),
                "unit": METRICS[metric].unit,
                "iteration": 0,
                "at_s": 0,
            }
            names = {name: self.outcomes[-1][name] for name in MEASUREMENT_COLUMNS if name in self.outcomes[-1]}
            self.measurements.append({**names, **what, "params": json.dumps(dict(params or {}), sort_keys=True)})
        return self

    def end(self, target: str, block: int, **changes: Any) -> Trial:
        """Add an invocation without a value."""
        names = {"run_id": "r", "scenario": self.scenario, "target": target, "engine": target.partition(":")[0]}
        place = {"block": block, "order": 0, "invocation": len(self.outcomes), "warmup": False, "params": "{}"}
        ended = {
            "status": "ok",
            "reason": "",
            "evidence": {"network": "none"},
            "flags": [],
            "notes": {},
            "mismatch": {},
            "kind": kind_of(target),
            **changes,
        }
        self.outcomes.append({**names, **place, **ended})
        return self

    def alarms(self) -> dict[str, Check]:
        """Return the alarms by name."""
        measurements = pd.DataFrame.from_records(self.measurements, columns=list(MEASUREMENT_COLUMNS))
        outcomes = pd.DataFrame.from_records(self.outcomes, columns=list(OUTCOME_COLUMNS))
        found = check_run(of_frames(measurements, outcomes, {self.scenario: {"baseline": self.baseline}}))
        return {check.name: check for check in found if check.name in ALARMS}


def noisy(seed: int, centre: float, n: int = 8, sd: float = 0.005) -> list[float]:
    values: list[float] = (centre * np.exp(np.random.default_rng(seed).normal(0, sd, size=n))).tolist()
    return values


def against_host(target: str, factor: float, metric: str = "compute.syscall_s", scenario: str = "compute") -> Trial:
    """Return a run in which the target's values are ``factor`` times the host's."""
    centre = 1e-4 if METRICS[metric].unit == "s" else 1e9
    return Trial(scenario).add("host", metric, noisy(1, centre)).add(target, metric, noisy(2, factor * centre))


@pytest.mark.parametrize(("factor", "ok"), [(0.5, False), (0.98, False), (1.0, True), (4.0, True)])
def test_guest_faster_than_the_host_raises_an_alarm(factor: float, ok: bool) -> None:
    found = against_host(GUEST, factor).alarms()["guest"]
    assert found.ok == ok
    assert ("may mean" in sentence(found)) == (not ok)
    if factor == 0.5:
        assert "1 of 1 series (chance alone gives up to 1) is faster than the host: " in sentence(found)
        assert f"{GUEST}, compute.syscall_s 2.0" in sentence(found)
        assert "over 8 blocks" in sentence(found)


@pytest.mark.parametrize(("factor", "ok"), [(0.9, False), (0.98, True), (1.0, True), (1.5, True)])
def test_container_faster_than_the_limit_raises_an_alarm(factor: float, ok: bool) -> None:
    found = against_host(CONTAINER, factor).alarms()
    assert found["faster"].ok == ok
    assert "guest" not in found
    assert ok or "is faster than the host by more than 3 %: docker:network=none, compute.syscall_s 1.1" in sentence(
        found["faster"]
    )


@pytest.mark.parametrize(("factor", "ok"), [(1.2, False), (1.0, True), (0.5, True)])
def test_faster_means_higher_where_higher_is_better(factor: float, ok: bool) -> None:
    assert against_host(CONTAINER, factor, "storage.read_bytes_per_s", "storage-types").alarms()["faster"].ok == ok


def test_noise_or_few_blocks_raise_no_alarm() -> None:
    trial = Trial().add("host", "compute.syscall_s", [1.0] * 7)
    trial.add(CONTAINER, "compute.syscall_s", [0.7, 0.8, 0.9, 0.95, 0.96, 1.3, 1.4])
    assert trial.alarms()["faster"].ok
    few = Trial().add("host", "compute.syscall_s", [1, 1.1, 1]).add(CONTAINER, "compute.syscall_s", [0.4, 0.41, 0.42])
    assert sentence(few.alarms()["faster"]) == "Container against host: not decided: 6 common blocks are needed."


def test_guest_of_any_engine_is_told_by_its_kind() -> None:
    trial = Trial().add("host", "compute.syscall_s", noisy(1, 1e-4))
    for block, value in enumerate(noisy(2, 0.98e-4)):
        trial.add("plugged", "compute.syscall_s", [value])
        trial.outcomes[-1] |= {"kind": "machine", "block": block}
        trial.measurements[-1]["block"] = block
    found = trial.alarms()
    assert not found["guest"].ok
    assert "faster" not in found


def test_series_far_beyond_the_host_raises_an_alarm_with_too_few_blocks() -> None:
    """Make files 18.5 times as fast as the host in the only block: no interval is needed to doubt that."""
    trial = Trial("storage-drivers")
    trial.add("host", "storage.metadata_per_s", [1000.0]).add("docker", "storage.metadata_per_s", [18_500.0])
    trial.add("podman", "storage.metadata_per_s", [1500.0])
    for outcome in trial.outcomes:
        outcome["evidence"] = {
            "store": "ext4 on a loop device" if outcome["target"] == "docker" else "overlay on /dev/x"
        }
    check = trial.alarms()["faster"]
    assert check.answer == "doubt"
    assert (
        "1 series is faster than the host by more than 3 %: docker, storage.metadata_per_s 18.5 × in one block (its store is ext4 on a loop "
        "device, that of host overlay on /dev/x: not the same work); "
    ) in sentence(check)
    frames = (pd.DataFrame(trial.measurements), pd.DataFrame(trial.outcomes))
    beaten = [
        one
        for one in summarise(of_frames(*frames, {"storage-drivers": {"baseline": "host"}}))
        if one.target == "docker"
    ]
    assert any("18 times as fast as host in 1 block, without an interval" in text(note) for note in beaten[0].warnings)


def test_two_blocks_of_which_one_is_near_the_host_raise_no_alarm() -> None:
    trial = Trial("storage-drivers").add("host", "storage.metadata_per_s", [1000.0, 1000.0])
    assert trial.add("docker", "storage.metadata_per_s", [18_500.0, 3000.0]).alarms()["faster"].answer == "undecided"


def test_difference_below_the_metrics_floor_raises_no_alarm() -> None:
    trial = Trial("discovery").add("host", "discovery.lookup_s", noisy(1, 5.0e-6))
    trial.add(CONTAINER, "discovery.lookup_s", noisy(2, 4.5e-6))
    assert trial.alarms()["faster"].ok


@pytest.mark.parametrize(
    ("target", "metric", "baseline", "floor"),
    [
        ("runc", "startup.ready_s", "host", "host"),
        ("runc", "startup.delete_s", "host", ""),  # some clean up after they said so
        ("runc", "startup.stop_s", "host", ""),
        ("runc", "memory.slope_bytes", "host", "host"),
        ("runc", "memory.pss_bytes", "host", ""),
        ("runc", "density.launch_per_s", "host", "host"),
        ("runc", "density.alive_ratio", "host", ""),
        ("host:network=veth", "network.rr_p50_s", "host", ""),  # a host, too
        ("null", "startup.ready_s", "host", ""),
        ("docker", "network.rr_p50_s", "host:network=veth", "host:network=veth"),
        ("docker:network=none", "network.rr_p50_s", "host:network=veth", "host"),  # its own loopback
        ("docker", "network.retransmits", "host", ""),
        ("docker:mount=tmpfs", "storage.fsync_s", "host", ""),  # memory, and right so
        ("docker:mount=layer,network=none", "storage.fsync_s", "host", "host"),
        ("docker:mount=bind,storage=btrfs", "storage.fsync_s", "host", "host"),  # the host's folder
        ("docker:network=none,storage=btrfs", "storage.fsync_s", "host", "host:disk=btrfs"),
        ("containerd:snapshotter=native", "storage.fsync_s", "host", "host"),
        ("containerd:snapshotter=zfs", "storage.fsync_s", "host", "host:disk=zfs"),
        ("docker", "storage.remove_s", "host", ""),
        ("docker", "image.build_s", "host", ""),
        ("docker", "startup.ready_s", "runc", "host"),  # the baseline is no host: then the host, if it is there
    ],
)
def test_floor_of_a_target_and_metric(target: str, metric: str, baseline: str, floor: str) -> None:
    assert metric in METRICS
    assert floor_of(target, metric, baseline) == floor


@pytest.mark.parametrize(
    ("target", "metric"),
    [
        ("docker:mount=tmpfs", "storage.fsync_s"),
        (CONTAINER, "storage.remove_s"),
        ("host:disk=btrfs", "storage.fsync_s"),
    ],
)
def test_target_without_a_floor_is_not_checked(target: str, metric: str) -> None:
    assert "faster" not in against_host(target, 0.2, metric, "storage-types").alarms()


@pytest.mark.parametrize(
    ("metric", "params", "bound"),
    [
        ("storage.metadata_per_s", {"action": "create"}, True),
        (
            "storage.metadata_per_s",
            {"action": "whiteout"},
            False,
        ),  # a note that a file is gone is less than its removal
        ("memory.slope_bytes", {"column": "available"}, True),
        ("memory.slope_bytes", {"column": "kernel"}, False),  # another kernel's is in another column
    ],
)
def test_host_bounds_only_series_of_the_same_work(metric: str, params: dict[str, str], bound: bool) -> None:
    better = [30.0, 31.0, 30.5, 30.2, 30.1, 30.8]
    worse = [10.0, 10.1, 10.2, 10.05, 10.3, 10.15]
    mine, host = (better, worse) if METRICS[metric].better == "higher" else (worse, better)
    size = 1e6 if metric.endswith("_bytes") else 100.0
    trial = Trial("any").add("host", metric, [size * one for one in host], params)
    found = trial.add("docker", metric, [size * one for one in mine], params).alarms()
    assert ("faster" in found and not found["faster"].ok) == bound
    if bound:
        told = "takes less" if size == 1e6 else "is faster"
        assert f"1 of 1 series (chance alone gives up to 1) {told} than " in sentence(found["faster"])


def test_warning_beside_a_series_follows_the_rule_of_the_alarm() -> None:
    trial = against_host("docker:mount=tmpfs", 0.2, "storage.fsync_s", "storage-types")
    trial.add("docker:mount=bind", "storage.fsync_s", noisy(3, 0.2e-4))
    frames = (pd.DataFrame(trial.measurements), pd.DataFrame(trial.outcomes))
    warned = {
        one.target for one in summarise(of_frames(*frames, {"storage-types": {"baseline": "host"}})) if one.warnings
    }
    assert warned == {"docker:mount=bind"}


@pytest.mark.parametrize(
    ("metric", "values", "sounds"),
    [
        ("compute.syscall_s", [2e-7] * 4, True),
        ("compute.syscall_s", [2e-7] * 3, False),
        ("compute.syscall_s", [2e-7] * 3 + [2.001e-7], False),
        ("compute.rounds_per_s", [5e6] * 6, True),
        ("network.retransmits", [0] * 6, False),  # a count
        ("storage.used_bytes", [65536] * 6, False),  # bytes
        ("image.layers", [3] * 6, False),  # exact
        ("storage.fsync_p99_s", [1e-3] * 6, False),  # of a histogram
        ("stack.wall_s", [0] * 6, False),  # a phase that there was not
        ("stack.wall_s", [1e-3] * 6, True),
    ],
)
def test_noisy_metric_without_variance_raises_an_alarm(metric: str, values: list[float], sounds: bool) -> None:
    found = Trial().add("docker", metric, values).alarms().get("variance")
    assert (found is not None and not found.ok) == sounds
    if found and sounds:
        assert f"docker, {metric} is exactly" in sentence(found)
        assert f"in all {len(values)} blocks" in sentence(found)


def test_mismatch_of_asked_and_found_raises_an_alarm() -> None:
    trial = Trial("network-modes")
    for block in range(4):
        trial.end("docker", block)
        trial.end(
            "docker:network=macvlan",
            block,
            **({"status": "failed", "reason": WRONG, "mismatch": MISMATCH} if block else {}),
        )
    found = trial.alarms()["mode"]
    assert not found.ok
    assert f"docker:network=macvlan, 3 of 4 invocations (75 % [30 %, 95 %]): {WRONG};" in sentence(found)


@pytest.mark.parametrize("changes", [{}, {"status": "failed", "reason": "the daemon asked for more memory"}])
def test_other_failures_raise_no_mode_alarm(changes: dict[str, str]) -> None:
    found = Trial().end("docker", 0).end("docker", 1, **changes).alarms()["mode"]
    assert found.ok
    assert "in each of 2 invocations" in sentence(found)


def several(
    times: float, count: float = 4, name: str = "streams", metric: str = "network.throughput_bytes_per_s"
) -> Trial:
    trial = Trial("network-modes")
    trial.add("docker", metric, noisy(1, 1e9), {name: 1, "direction": "out"})
    return trial.add("docker", metric, noisy(2, times * 1e9), {name: count, "direction": "out"})


@pytest.mark.parametrize(("times", "ok"), [(5.0, False), (4.2, True), (4.0, True), (1.5, True)])
def test_scaling_beyond_n_times_one_raises_an_alarm(times: float, ok: bool) -> None:
    found = several(times).alarms()["scaling"]
    assert found.ok == ok
    if not ok:
        assert "more than 1.1 × N times one: docker, network.throughput_bytes_per_s (direction=out, streams=4) 1.2" in (
            sentence(found)
        )


def test_scaling_is_checked_for_rates_of_counted_params_only() -> None:
    assert not several(3.0, 2.0, "workers", "namespace.create_per_s").alarms()["scaling"].ok
    assert "scaling" not in several(9.0, 4, "files").alarms(), "not how many at once"
    assert "scaling" not in several(9.0, 0.5, "workers").alarms(), "half a CPU's worth may be one as well"
    assert "scaling" not in several(9.0, 4, "streams", "network.rr_p50_s").alarms(), "no rate"


def test_controls_and_quiet_runs_raise_no_alarm() -> None:
    trial = against_host(CONTAINER, 1.2).add("null", "compute.syscall_s", noisy(3, 1e-5))
    assert all(check.ok for check in trial.alarms().values())
    assert set(trial.alarms()) == {"faster", "variance", "mode"}


def test_sentence_of_every_alarm_begins_with_its_prefix() -> None:
    trial = against_host(CONTAINER, 0.5).add(GUEST, "compute.syscall_s", noisy(3, 1e-5))
    found = trial.alarms() | several(9).alarms()
    assert set(found) == set(ALARMS)
    for check in found.values():
        assert sentence(check).startswith(PREFIXES[check.name])
