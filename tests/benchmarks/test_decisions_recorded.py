"""How often a comparison cries wolf and how much it finds on a recorded real host; beside it simpler rules on the same blocks.

What the records are: tests/data/recorded/README.md. Nothing changed while they were made, so each regression that a rule calls is
a false one; a change of known size is multiplied into one side. A trial is a window of consecutive blocks with 20 values a side:
interleaved, both sides from the same blocks (two names of one target) or by turns from two neighbouring ones (one target); one
after the other, 20 blocks and then the next 20. Windows at random places overlap: their shares are told, and only windows side by
side are held against what is promised, by an exact binomial test at 1 %.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench.compare.verdicts import Verdict
from bench.core.metrics import metric_named
from bench.stats.exact import Floats, hodges_lehmann, signed_rank_ci
from tests.benchmarks.rules import SEQUENTIAL, THRESHOLD, at_most, judged, tied

DATA = Path(__file__).parent.parent / "data" / "recorded" / "startup.csv"
BLOCKS, PLACES = 20, 100
METRICS = ("startup.ready_s", "startup.cpu_s")
TWINS = (("runc", "runc-copy"), ("host", "null"))
"""Targets that are the same under two names."""

Record = Mapping[str, Mapping[str, Floats]]


@cache
def records() -> Mapping[str, Record]:
    """Return record → metric → target → logs of the values, one a block; ``nan`` where there was none."""
    found: dict[str, dict[str, dict[str, dict[int, float]]]] = {}
    with DATA.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            series = found.setdefault(row["record"], {}).setdefault(row["metric"], {}).setdefault(row["target"], {})
            series[int(row["block"])] = math.log(float(row["value_s"]))
    made = {}
    for name, metrics in found.items():
        blocks = sorted(metrics["sentinel.work_s"]["sentinel"])
        made[name] = {
            metric: {
                target: np.array([row.get(block, math.nan) for block in blocks]) for target, row in targets.items()
            }
            for metric, targets in metrics.items()
        }
    return made


NAMES = tuple(records())


@dataclass(frozen=True)
class Trial:
    """Logs of both sides, and of the sentinel in the blocks of both."""

    base: Floats
    new: Floats
    sentinels: tuple[Floats, Floats]


def starts(n: int, width: int, *, apart: bool) -> list[int]:
    """Return where windows begin: side by side, or at random places."""
    if apart:
        return list(range(0, n - width + 1, width))
    return [int(at) for at in np.random.default_rng([n, width]).integers(0, n - width + 1, PLACES)]


def interleaved(name: str, metric: str, *, apart: bool) -> list[Trial]:
    """Return trials whose sides share their blocks, or have neighbouring ones."""
    record, host = records()[name][metric], records()[name]["sentinel.work_s"]["sentinel"]
    same = np.arange(BLOCKS)
    turn = same % 2  # which of two neighbouring blocks is the base's alternates
    found = [
        _trial(record[one], record[other], host, at + same, at + same)
        for one, other in TWINS
        if one in record
        for at in starts(len(host), BLOCKS, apart=apart)
    ]
    found += [
        _trial(values, values, host, at + 2 * same + turn, at + 2 * same + 1 - turn)
        for values in record.values()
        for at in starts(len(host), 2 * BLOCKS, apart=apart)
    ]
    return [trial for trial in found if _whole(trial)]


def successive(name: str, metric: str, *, apart: bool) -> list[Trial]:
    """Return trials whose new side comes after the base."""
    record, host = records()[name][metric], records()[name]["sentinel.work_s"]["sentinel"]
    first = np.arange(BLOCKS)
    found = [
        _trial(values, values, host, at + first, at + BLOCKS + first)
        for values in record.values()
        for at in starts(len(host), 2 * BLOCKS, apart=apart)
    ]
    return [trial for trial in found if _whole(trial)]


def _trial(
    one: Floats, other: Floats, host: Floats, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> Trial:
    return Trial(one[first], other[second], (host[first], host[second]))


def _whole(trial: Trial) -> bool:
    return bool(np.isfinite([trial.base, trial.new, *trial.sentinels]).all())


def spread(trials: list[Trial]) -> float:
    """Return the sd of one value's log as the pairs have it: a log ratio has the noise of two values."""
    return float(np.std(np.concatenate([trial.new - trial.base for trial in trials]), ddof=1)) / math.sqrt(2)


def by_target(name: str, metric: str) -> list[float]:
    """Return the same of each target by itself, from neighbouring blocks, in increasing order."""
    series = [np.diff(values[np.isfinite(values)]) for values in records()[name][metric].values()]
    return sorted(float(np.std(one, ddof=1)) / math.sqrt(2) for one in series)


def paired(trials: list[Trial], metric: str, change: float) -> tuple[int, int]:
    """Return how many of the trials Tare calls a regression, and of how many the interval holds the change."""
    hits = held = 0
    for trial in trials:
        ci, decision = judged(trial.base, trial.new + math.log1p(change), paired=True, metric=metric_named(metric))
        hits += decision.verdict is Verdict.REGRESSED
        held += ci.low <= math.log1p(change) <= ci.high
    return hits, held


def at_its_own_limit(trials: list[Trial], metric: str) -> tuple[int, float]:
    """Return how many changes are found that are as large as "found from" says of each trial, and its median."""
    known, hits, limits = metric_named(metric), 0, []
    for trial in trials:
        limit = judged(trial.base, trial.new, paired=True, metric=known)[1].mde
        assert limit is not None
        limits.append(limit)
        decision = judged(trial.base, trial.new + math.log1p(limit), paired=True, metric=known)[1]
        hits += decision.verdict is Verdict.REGRESSED
    return hits, float(np.median(limits))


def others(trials: list[Trial], metric: str, change: float) -> dict[str, int]:
    """Count what each rule calls when the sides come one after the other, Tare's comparison of two runs last."""
    shifted = [(trial.base, trial.new + math.log1p(change), trial.sentinels) for trial in trials]
    found = {name: sum(rule(base, new) for base, new, _ in shifted) for name, rule in SEQUENTIAL.items()}
    return found | {"two runs of tare": sum(tied(*one, metric_named(metric)) for one in shifted)}


def told(name: str, metric: str, change: float, *, apart: bool) -> tuple[int, int, dict[str, int], int]:
    """Print a line; return trials and hits of pairs, hits by rule and trials one after the other."""
    near, later = interleaved(name, metric, apart=apart), successive(name, metric, apart=apart)
    hits, _ = paired(near, metric, change)
    rest = others(later, metric, change)
    places = "side by side" if apart else "anywhere"
    words = "  ".join(f"{rule} {count / len(later):.1%}" for rule, count in rest.items())
    least, *_, most = by_target(name, metric)
    print(
        f"{name} {metric} sd {least:.0%} to {most:.0%} by target, change {change:3.0%}, {places:12}: tare {hits / len(near):.1%} of {len(near)} pairs; "
        f"one after the other, {len(later)}: {words}"
    )
    return len(near), hits, rest, len(later)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_unchanged_recorded_series_is_rarely_a_regression(name: str, metric: str) -> None:
    """Pairs call one tail of the level wrong and no more; where the data are quiet enough, what the method aims at."""
    told(name, metric, 0.0, apart=False)
    trials, hits, rest, later = told(name, metric, 0.0, apart=True)
    noise = round(spread(interleaved(name, metric, apart=True)), 2)
    assert at_most(hits, trials, 0.005 if noise <= 0.02 else 0.02 if noise <= 0.04 else 0.025)
    assert at_most(rest["two runs of tare"], later, 0.025)


def test_only_pairs_keep_their_level_on_a_shared_host() -> None:
    """What the record is there to show: the others' rules call more than five times as many on the same blocks."""
    for metric in METRICS:
        trials, hits, rest, later = told("busy", metric, 0.0, apart=True)
        for rule in SEQUENTIAL:
            assert not at_most(rest[rule], later, 0.05), f"{rule} keeps a level of 5 % on {metric}"
            assert rest[rule] / later > 5 * hits / trials


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [0.05, 0.10])
def test_interval_covers_a_change_of_known_size(name: str, metric: str, change: float) -> None:
    trials, hits, *_ = told(name, metric, change, apart=True)
    everywhere = interleaved(name, metric, apart=False)
    _, held = paired(interleaved(name, metric, apart=True), metric, change)
    _, more = paired(everywhere, metric, change)
    print(
        f"    the interval holds the change in {held / trials:.1%} of {trials}, anywhere {more / len(everywhere):.1%}"
    )
    assert at_most(trials - held, trials, 0.07)
    noise = round(spread(everywhere), 2)
    if (noise <= 0.02 and change >= 0.05) or (noise <= 0.04 and change >= 0.10):
        assert at_most(trials - hits, trials, 0.05 if change < 0.10 else 0.01)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_two_names_of_one_target_differ_by_less_than_the_threshold(name: str, metric: str) -> None:
    """What is called no change here is none that matters: two copies of one file need not be alike to the last per cent."""
    record = records()[name][metric]
    for one, other in TWINS:
        if one in record:
            logs = record[other] - record[one]
            ci = signed_rank_ci(logs)
            assert ci is not None
            print(
                f"{name} {metric} {other} ÷ {one}: {hodges_lehmann(logs):+.1%} [{ci.low:+.1%}, {ci.high:+.1%}] over {len(logs)} blocks"
            )
            assert max(ci.low, -ci.high) < THRESHOLD


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_smallest_detectable_change_is_found_as_often_as_stated(name: str, metric: str) -> None:
    """Beside each verdict stands what would have been found in 80 % of all cases; no matter how noisy the host, it is."""
    for apart in (False, True):
        trials = interleaved(name, metric, apart=apart)
        hits, limit = at_its_own_limit(trials, metric)
        print(f"{name} {metric}: found from {limit:.0%}, and {hits / len(trials):.1%} of {len(trials)} were found")
    assert at_most(len(trials) - hits, len(trials), 0.2)
    assert at_most(hits, len(trials), 0.9)  # a limit that is always found would be told too large
