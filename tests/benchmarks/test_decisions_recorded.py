"""False alarms and power of comparisons on recordings of a real host, beside simpler rules on the same blocks.

The recordings are described in tests/data/recorded/README.md. Nothing changed while they were made, so every regression that
a rule reports is false; to measure power a known change is multiplied into one side. A trial is a window of consecutive blocks
with 20 values per side. Interleaved: both sides from the same blocks (two names of one target) or alternately from neighbouring
blocks (one target). Sequential: 20 blocks, then the next 20. Randomly placed windows overlap, so that their rates are only
printed; rates of adjacent windows are tested by an exact binomial test at 1 %.
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
from tests.benchmarks.rules import SEQUENTIAL, THRESHOLD, at_most, judged, unpaired

DATA = Path(__file__).parent.parent / "data" / "recorded" / "startup.csv"
BLOCKS, WINDOWS = 20, 100
METRICS = ("startup.ready_s", "startup.cpu_s")
SAME_TARGET = (("runc", "runc-copy"), ("host", "null"))
"""Two names of the same target."""

Record = Mapping[str, Mapping[str, Floats]]


@cache
def records() -> Mapping[str, Record]:
    """Return recording → metric → target → log value per block, ``nan`` where there was none."""
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
    """Log values of both sides, and of the sentinel in the blocks of each."""

    base: Floats
    new: Floats
    sentinels: tuple[Floats, Floats]


def starts(n: int, width: int, *, apart: bool) -> list[int]:
    """Return the first blocks of the windows: adjacent (``apart``), or at random positions."""
    if apart:
        return list(range(0, n - width + 1, width))
    return [int(at) for at in np.random.default_rng([n, width]).integers(0, n - width + 1, WINDOWS)]


def interleaved(name: str, metric: str, *, apart: bool) -> list[Trial]:
    """Return trials whose sides come from the same or from neighbouring blocks."""
    record, host = records()[name][metric], records()[name]["sentinel.work_s"]["sentinel"]
    same = np.arange(BLOCKS)
    turn = same % 2  # base and new take the first of two neighbouring blocks in turn
    found = [
        _trial(record[one], record[other], host, at + same, at + same)
        for one, other in SAME_TARGET
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
    """Return trials whose new side was measured after the base."""
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
    """Return the standard deviation of one log value, from the pairs: a log ratio has the noise of two values."""
    return float(np.std(np.concatenate([trial.new - trial.base for trial in trials]), ddof=1)) / math.sqrt(2)


def by_target(name: str, metric: str) -> list[float]:
    """Return that standard deviation for each target, from neighbouring blocks, in increasing order."""
    series = [np.diff(values[np.isfinite(values)]) for values in records()[name][metric].values()]
    return sorted(float(np.std(one, ddof=1)) / math.sqrt(2) for one in series)


def paired(trials: list[Trial], metric: str, change: float) -> tuple[int, int]:
    """Return in how many trials Tare reports a regression, and in how many the interval contains the change."""
    hits = held = 0
    for trial in trials:
        ci, decision = judged(trial.base, trial.new + math.log1p(change), paired=True, metric=metric_named(metric))
        hits += decision.verdict is Verdict.REGRESSED
        held += ci.low <= math.log1p(change) <= ci.high
    return hits, held


def at_its_own_limit(trials: list[Trial], metric: str) -> tuple[int, float]:
    """Apply to each trial its smallest detectable change; return how many are found, and the median change."""
    known, hits, limits = metric_named(metric), 0, []
    for trial in trials:
        limit = judged(trial.base, trial.new, paired=True, metric=known)[1].mde
        assert limit is not None
        limits.append(limit)
        decision = judged(trial.base, trial.new + math.log1p(limit), paired=True, metric=known)[1]
        hits += decision.verdict is Verdict.REGRESSED
    return hits, float(np.median(limits))


def others(trials: list[Trial], metric: str, change: float) -> dict[str, int]:
    """Count the regressions that each rule reports for sequential sides; Tare's comparison of two runs is last."""
    shifted = [(trial.base, trial.new + math.log1p(change), trial.sentinels) for trial in trials]
    found = {name: sum(rule(base, new) for base, new, _ in shifted) for name, rule in SEQUENTIAL.items()}
    return found | {"two runs of tare": sum(unpaired(*one, metric_named(metric)) for one in shifted)}


def counted(name: str, metric: str, change: float, *, apart: bool) -> tuple[int, int, dict[str, int], int]:
    """Print a line; return trials and hits of pairs, hits by rule and number of sequential trials."""
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
def test_unchanged_pairs_keep_the_level(name: str, metric: str) -> None:
    """Require at most one tail of the level; on quiet data, the rate that the method aims at."""
    counted(name, metric, 0.0, apart=False)
    trials, hits, rest, later = counted(name, metric, 0.0, apart=True)
    noise = round(spread(interleaved(name, metric, apart=True)), 2)
    assert at_most(hits, trials, 0.005 if noise <= 0.02 else 0.02 if noise <= 0.04 else 0.025)
    assert at_most(rest["two runs of tare"], later, 0.025)


def test_other_rules_report_five_times_as_many_false_alarms_on_a_busy_host() -> None:
    """Compare all rules on the same blocks."""
    for metric in METRICS:
        trials, hits, rest, later = counted("busy", metric, 0.0, apart=True)
        for rule in SEQUENTIAL:
            assert not at_most(rest[rule], later, 0.05), f"{rule} keeps a level of 5 % on {metric}"
            assert rest[rule] / later > 5 * hits / trials


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [0.05, 0.10])
def test_interval_contains_a_change_of_known_size(name: str, metric: str, change: float) -> None:
    trials, hits, *_ = counted(name, metric, change, apart=True)
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
def test_two_names_of_one_target_differ_by_less_than_the_smallest_effect(name: str, metric: str) -> None:
    """Verify that the recordings contain no relevant change; two copies of one file may differ slightly."""
    record = records()[name][metric]
    for one, other in SAME_TARGET:
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
def test_smallest_detectable_change_is_found_in_four_of_five_trials(name: str, metric: str) -> None:
    """The smallest detectable change is defined by a power of 80 %, however noisy the host is."""
    for apart in (False, True):
        trials = interleaved(name, metric, apart=apart)
        hits, limit = at_its_own_limit(trials, metric)
        print(f"{name} {metric}: found from {limit:.0%}, and {hits / len(trials):.1%} of {len(trials)} were found")
    assert at_most(len(trials) - hits, len(trials), 0.2)
    assert at_most(hits, len(trials), 0.9)  # a change that is always found would be too large
