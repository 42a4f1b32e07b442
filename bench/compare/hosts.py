"""Compare hosts: how much of each series' variance is between hosts, and which hosts differ from the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench import store
from bench.core.errors import UsageError
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, Interval, ParamValue
from bench.stats import between
from bench.stats.exact import Floats
from bench.stats.series import Key, Series, block_values, log_ratios, series_of, usable
from bench.stats.shift import false_discovery
from bench.store.hosts import Host, distinct

RATE = 0.05
"""Rate of false discoveries among the hosts that are called apart, over all series of a comparison."""


@dataclass(frozen=True)
class HostValue:
    """One host in one series.

    Attributes:
        host: The host.
        value: Geometric mean of its blocks, in the metric's unit, or as a ratio to the baseline.
        ratio: The value over the geometric mean of the other hosts' values.
        blocks: Its blocks.
        p: Smallest rate of false discoveries at which it is apart, over all hosts and series of the comparison.
        apart: Whether it is apart: ``p`` is at most ``RATE`` and the difference is worth reporting for this metric.
    """

    host: Host
    value: float
    ratio: float
    blocks: int
    p: float
    apart: bool


@dataclass(frozen=True)
class HostSeries:
    """One series on all hosts that have it.

    Attributes:
        scenario: Its scenario.
        target: Its target.
        params: Its parameters.
        metric: Its metric.
        against: The baseline that the values are divided by, block by block; empty for the values themselves.
        unit: Unit of the values; ``ratio`` against a baseline.
        hosts: A value a host, in the order of the comparison.
        within: Standard deviation of the blocks of one host, relative.
        between: Standard deviation of the hosts, relative, without what the blocks' noise explains.
        share: Between-host share of the variance of one block; ``None`` if nothing varies.
        share_ci: Its interval.
    """

    scenario: str
    target: str
    params: Mapping[str, ParamValue]
    metric: str
    against: str
    unit: str
    hosts: tuple[HostValue, ...]
    within: float
    between: float
    share: float | None
    share_ci: Interval | None

    @property
    def apart(self) -> tuple[HostValue, ...]:
        """The hosts that are apart, the farthest first."""
        return tuple(sorted((one for one in self.hosts if one.apart), key=lambda one: -abs(np.log(one.ratio))))


@dataclass(frozen=True)
class ComparedHosts:
    """A comparison of hosts.

    Attributes:
        hosts: The hosts, with their runs' ids.
        series: The series that at least two hosts have.
        facts: Fact → host's name → value, of the facts that differ.
        twice: Ids of runs that were given more than once.
        left_out: Series without logarithms, or with too few blocks.
        single: Series that only one host has.
    """

    hosts: Mapping[Host, tuple[str, ...]]
    series: tuple[HostSeries, ...]
    facts: Mapping[str, Mapping[str, str]]
    twice: tuple[str, ...]
    left_out: int
    single: int

    @property
    def apart(self) -> tuple[Host, ...]:
        """The hosts that are apart in some series."""
        found = {value.host for one in self.series for value in one.apart}
        return tuple(host for host in self.hosts if host in found)


@dataclass(frozen=True)
class _Gathered:
    """The logarithms of one series, host by host."""

    key: Key
    against: str
    unit: str
    logs: Mapping[Host, Floats]


def compare(runs: Sequence[store.Run]) -> ComparedHosts:
    """Compare the hosts of runs, each series by its values and by its ratios to the baseline.

    Values of several runs of one host are taken together.

    Raises:
        UsageError: The runs are of fewer than two hosts.
    """
    given = {run.run_id: run for run in runs}
    host_of = distinct(given.values())
    hosts: dict[Host, list[str]] = {}
    for run_id, host in host_of.items():
        hosts.setdefault(host, []).append(run_id)
    if len(hosts) < 2:
        msg = (
            f"all runs are of one host ({next(iter(hosts)).name}); name runs of at least two"
            if hosts
            else "name runs of two hosts"
        )
        raise UsageError(msg)
    gathered, single = _gather(given, host_of)
    known = [(one, spread) for one in gathered if (spread := _spread(one))]
    rates = iter(false_discovery([p for _, (_, p_values) in known for p in p_values]))
    ids = [run.run_id for run in runs]
    return ComparedHosts(
        {host: tuple(names) for host, names in hosts.items()},
        tuple(_series(one, spread, [next(rates) for _ in one.logs]) for one, (spread, _) in known),
        _facts(given, host_of),
        tuple(name for name in given if ids.count(name) > 1),
        len(gathered) - len(known),
        single,
    )


def _gather(runs: Mapping[str, store.Run], host_of: Mapping[str, Host]) -> tuple[list[_Gathered], int]:
    """Return the primary series of at least two hosts, and how many only one host has."""
    found: dict[tuple[Key, str, str], dict[Host, list[Floats]]] = {}
    for run_id, run in runs.items():
        for key, against, unit, logs in _of_run(run):
            found.setdefault((key, against, unit), {}).setdefault(host_of[run_id], []).append(logs)
    whole = [
        _Gathered(key, against, unit, {host: np.concatenate(parts) for host, parts in by_host.items()})
        for (key, against, unit), by_host in found.items()
    ]
    shared = [one for one in whole if len(one.logs) > 1]
    return shared, len(whole) - len(shared)


def _of_run(run: store.Run) -> Iterator[tuple[Key, str, str, Floats]]:
    scenarios = run.meta["scenarios"]
    series = series_of(block_values(usable(store.measurements(run), store.outcomes(run))))
    for key, item in series.items():
        meta = scenarios.get(item.scenario, {})
        if item.target in (NULL, SENTINEL) or item.metric not in meta.get("primary", ()):
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            yield key, "", item.unit, np.log(item.values)
        baseline = str(meta.get("baseline", ""))
        if baseline != item.target and (logs := _ratios(item, series, baseline)) is not None:
            yield key, baseline, "ratio", logs


def _ratios(item: Series, series: Mapping[Key, Series], baseline: str) -> Floats | None:
    base = series.get((item.scenario, baseline, item.params, item.metric))
    logs = log_ratios(item, base) if base else None
    return logs if logs is not None and len(logs) else None


def _spread(one: _Gathered) -> tuple[between.Between, list[float]] | None:
    values = list(one.logs.values())
    if not all(np.isfinite(logs).all() for logs in values):
        return None
    try:
        found = between.between(values)
    except ValueError:  # no host has two blocks
        return None
    return found, between.apart_p(found.means)


def _series(one: _Gathered, spread: between.Between, rates: Sequence[float]) -> HostSeries:
    scenario, target, params, metric = one.key
    values = []
    for place, (host, rate) in enumerate(zip(one.logs, rates, strict=True)):
        mean = float(spread.means[place])
        ratio = float(np.exp(mean - np.delete(spread.means, place).mean()))
        value = float(np.exp(mean))
        apart = rate <= RATE and _matters(metric, value, ratio, one.against)
        values.append(HostValue(host, value, ratio, len(one.logs[host]), rate, apart))
    return HostSeries(
        scenario,
        target,
        json.loads(params),
        metric,
        one.against,
        one.unit,
        tuple(values),
        float(np.expm1(spread.within_sd)),
        float(np.expm1(spread.between_sd)),
        spread.share,
        spread.share_ci,
    )


def _matters(metric: str, value: float, ratio: float, against: str) -> bool:
    """Say whether a difference is worth reporting: the metric's smallest effect, and its floor where values have its unit."""
    known = METRICS.get(metric)
    if known is None:
        return True
    large = abs(ratio - 1) >= known.min_effect
    return large and bool(against or abs(value - value / ratio) >= known.floor)


def _facts(runs: Mapping[str, store.Run], host_of: Mapping[str, Host]) -> dict[str, dict[str, str]]:
    """Return the facts of the hosts' epochs that differ, and Tare's version if it does."""
    names = sorted({str(name) for run in runs.values() for name in run.meta.get("epoch", ())})
    found: dict[str, dict[str, str]] = {}
    for run_id, run in runs.items():
        facts = run.meta.get("facts", {})
        for name in names:
            found.setdefault(name, {})[host_of[run_id].name] = str(facts.get(name, "unknown"))
        found.setdefault("tare", {})[host_of[run_id].name] = str(run.meta.get("tare_version", "unknown"))
    return {name: values for name, values in found.items() if len(set(values.values())) > 1}
