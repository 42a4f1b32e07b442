"""A delay of known size in a real engine, and two identical copies of one engine, 20 times.

    pytest tests/benchmarks/test_real_changes.py -s

The delayed engine is a script around runc that sleeps before ``create``, so that there is one delay between request and ready.
The same script with a delay of 0, measured in the same blocks, gives the cost of the script and of starting sleep(1). The
difference of the two must be the delay plus the lateness of a sleep.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench import compare, store
from bench.compare import nightly, wording
from bench.compare.verdicts import Comparison, Verdict
from bench.core.model import Interval
from bench.stats.exact import Floats, hodges_lehmann, signed_rank_ci
from bench.stats.series import block_values, series_of, usable
from tests.benchmarks.rules import at_most

pytestmark = [pytest.mark.root, pytest.mark.engines, pytest.mark.timeout(1200)]

DELAY_S, LATE_S = 0.020, 0.0009
"""The delay, and how late a sleep of that length may end (timer slack, wake-up, idle states)."""

SURE = 0.999
"""Level of the interval that must contain the delay; at 95 % one execution in twenty would fail by chance."""

BLOCKS, RUNS, RUN_BLOCKS = 20, 20, 12
PRIMARY, CHANGES = "startup.ready_s", (Verdict.REGRESSED, Verdict.IMPROVED)

SCRIPT = """#!/bin/sh
for word do
    if [ "$word" = create ]; then sleep {delay}; break; fi
done
exec {program} "$@"
"""


def program() -> Path:
    found = shutil.which("runc")
    assert found, "these tests need runc: tare provision runc"
    return Path(found)


def copy(path: Path) -> str:
    shutil.copy(program(), path)
    return f"runc:bin={path}"


def delayed(path: Path, delay_s: float) -> str:
    path.write_text(SCRIPT.format(delay=delay_s, program=program()), encoding="utf-8")
    path.chmod(0o755)
    return f"runc:bin={path}"


def measured(results: Path, targets: list[str], blocks: int) -> store.Run:
    options = [word for target in targets for word in ("-t", target)]
    argv = [sys.executable, "-m", "bench", "run", "startup", *options, "--blocks", str(blocks), "--warmup", "0"]
    done = subprocess.run(
        [*argv, "--results", str(results)], cwd=results.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return store.load(store.find(results, done.stdout.split()[-1]))


def measured_without_doubt(results: Path, targets: list[str]) -> store.Run:
    """Measure; repeat at most twice when the run's controls put it in doubt, as its output advises."""
    for _ in range(3):
        run = measured(results, targets, BLOCKS)
        doubts = {wording.reason(one) for one in between(run, targets[0], targets[1]) if one.verdict is Verdict.INVALID}
        if not doubts:
            break
        print(f"again: {'; '.join(doubts)}")
    return run


def between(run: store.Run, base: str, new: str, rules: compare.Rules | None = None) -> list[Comparison]:
    return list(compare.compare(compare.Side(run, base), compare.Side(run, new), rules or compare.Rules()).results)


def changes(results: list[Comparison]) -> set[str]:
    return {f"{one.metric} {one.verdict}" for one in results if one.verdict in CHANGES}


def values(run: store.Run, target: str) -> Floats:
    blocks = series_of(block_values(usable(store.measurements(run), store.outcomes(run))))
    return blocks["startup", target, "{}", PRIMARY].values


def sized(name: str, run: store.Run, base: str, new: str) -> tuple[Comparison, Interval]:
    """Print the verdict for ready and the difference (s); return the verdict and the interval at ``SURE``."""
    found = next(one for one in between(run, base, new) if one.metric == PRIMARY)
    added = values(run, new) - values(run, base)
    ci, sure = signed_rank_ci(added), signed_rank_ci(added, SURE)
    assert ci is not None
    assert sure is not None
    print(
        f"{name:22} {told(found)}; difference {1e3 * hodges_lehmann(added):.2f} ms "
        f"[{1e3 * ci.low:.2f}, {1e3 * ci.high:.2f}], n = {len(added)}"
    )
    return found, sure


def told(one: Comparison) -> str:
    assert one.ci is not None
    assert one.ratio is not None
    return f"{one.verdict:12} {one.ratio:.3f} [{one.ci.low:.3f}, {one.ci.high:.3f}] of {1e3 * (one.base or 0):.1f} ms"


def test_delay_of_20_ms_is_found_with_its_size(tmp_path: Path) -> None:
    plain, none, slow = (
        copy(tmp_path / "plain"),
        delayed(tmp_path / "none", 0),
        delayed(tmp_path / "slow", DELAY_S),
    )
    print()
    run = measured_without_doubt(tmp_path / "results", [plain, none, slow])
    sized("the script by itself", run, plain, none)
    found, *_ = sized("script and delay", run, plain, slow)
    alone, sure = sized("the delay alone", run, none, slow)
    assert found.verdict is alone.verdict is Verdict.REGRESSED
    assert alone.ci is not None
    base = float(np.median(values(run, none)))  # compare gives a ratio; multiplied by the base it is about the delay
    scaled_ms = [1e3 * base * (end - 1) for end in (alone.ci.low, alone.ci.high)]
    print(f"{'as ratio × base':22} [{scaled_ms[0]:.2f}, {scaled_ms[1]:.2f}] ms")
    assert sure.low <= DELAY_S + LATE_S
    assert sure.high >= DELAY_S


def test_two_copies_of_one_program_give_no_regression(tmp_path: Path) -> None:
    """Allow a change in one of twenty families (a run has two; ready_s is its own); fresh blocks must show none.

    What a run calls is measured again, and asked for at 99 %, as a nightly does before it raises an alarm.
    """
    one, other = targets = [copy(tmp_path / name) for name in ("a", "b")]
    verdicts: Counter[str] = Counter()
    families, alarms = 0, set[str]()
    print()
    for number in range(RUNS):
        results = between(measured(tmp_path / "results", targets, RUN_BLOCKS), one, other)
        ready = next(each for each in results if each.metric == PRIMARY)
        verdicts.update(str(each.verdict) for each in results)
        called, again = changes(results), set[str]()
        families += any(PRIMARY in text for text in called) + any(PRIMARY not in text for text in called)
        if called:
            fresh = measured(tmp_path / "results", targets, RUN_BLOCKS)
            again = called & changes(between(fresh, one, other, nightly.CONFIRM))
        alarms |= again
        words = [", ".join(sorted(texts)) or "nothing" for texts in (called, again)]
        print(f"run {number + 1:2}: ready_s {told(ready)}; called a change: {words[0]}; on fresh blocks: {words[1]}")
    print(
        f"{RUNS} runs of {RUN_BLOCKS} blocks: {dict(verdicts)}; in {families} of {2 * RUNS} families a change was called, alarms {len(alarms)}"
    )
    assert verdicts.total() > 2 * RUNS
    assert at_most(families, 2 * RUNS, 0.05)
    assert not alarms
