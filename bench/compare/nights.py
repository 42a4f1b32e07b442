"""The nights of a results folder: which runs are nights, which are tonight's baseline, their records, and which are kept."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bench import store
from bench.compare import boots, past
from bench.compare.past import Past
from bench.compare.sides import differences
from bench.compare.verdicts import Comparison, Difference
from bench.core.errors import UsageError
from bench.core.model import RunState
from bench.stats.series import Key
from bench.store.hosts import may_be_same

OFFSET = 3
"""Nights between tonight and its rolling baseline."""

FILE = "nightly.json"
"""Name of a night's record in its run's folder, which later nights read."""

TAG, AGAIN = "nightly", "confirms"
"""Tags of a night's run (the suite) and of its second run (the first one's id)."""


class Choice(StrEnum):
    """How the baseline of a night was chosen, or why there is none."""

    TAGGED = "tagged"
    TAGGED_ELSEWHERE = "tagged elsewhere"
    FIRST_NIGHT = "first night"
    OLDEST_NIGHT = "oldest night"
    ROLLING = "rolling"
    NOTHING_COMPARABLE = "nothing comparable"


@dataclass(frozen=True)
class Baseline:
    """The runs that may be the base of a night.

    Attributes:
        choice: How they were chosen.
        runs: The runs, the newest first; empty when there are none.
        without: Run id → the series that the run does not stand for.
        tagged: Id of the tagged run that is of another host or workload.
        difference: In what that run differs.
    """

    choice: Choice
    runs: tuple[store.Run, ...] = ()
    without: Mapping[str, AbstractSet[Key]] = field(default_factory=dict)
    tagged: str = ""
    difference: Difference | None = None


Name = tuple[str, str, str, str, str]
"""Scenario, target, params, metric, and the target that it was compared with in the same run, else empty."""


def nights(results: Past, suite: str, tonight: store.Run) -> list[store.Run]:
    """Return the earlier complete nights of a suite on this host, the oldest first."""
    found = []
    for run in _runs(results):
        same = run.meta.get("tags", {}).get(TAG) == suite and run.meta.get("state") == RunState.COMPLETE
        same = same and may_be_same(run, tonight)  # two hosts of a fleet may be alike
        if same and _began(run) < _began(tonight) and not differences(run, tonight):
            found.append(run)
    namesakes = boots.elsewhere([*found, tonight])
    return [run for run in found if run.run_id not in namesakes]


def _runs(results: Past) -> list[store.Run]:
    found: dict[str, store.Run] = {}
    for run in past.each(results):  # a folder that is no run of ours is left out
        if isinstance(run, store.Run) and (run.run_id not in found or run.path.name == run.run_id):
            found[run.run_id] = run  # the others are copies of it
    return sorted(found.values(), key=_began)


def _began(run: store.Run) -> tuple[str, str]:
    return str(run.meta.get("started_at", "")), run.run_id


def baseline(results: Past, earlier: Sequence[store.Run], tonight: store.Run) -> Baseline:
    """Return the runs that may be tonight's base: the one tagged ``baseline=main``, else a rolling week of earlier nights."""
    tagged = [run for run in _runs(results) if run.meta.get("tags", {}).get("baseline") == "main"]
    tagged = [run for run in tagged if run.run_id != tonight.run_id]
    if tagged:
        run = tagged[-1]
        if strange := differences(run, tonight):
            return Baseline(Choice.TAGGED_ELSEWHERE, tagged=run.run_id, difference=strange[0])
        return Baseline(Choice.TAGGED, (run,))
    if not earlier:
        return Baseline(Choice.FIRST_NIGHT)
    old = tuple(reversed(earlier[:-OFFSET] or earlier[:1]))
    if len(earlier) <= OFFSET:
        return Baseline(Choice.OLDEST_NIGHT, old)
    return Baseline(Choice.ROLLING, old, {run.run_id: {one[:4] for one in regressed(run)} for run in old})


def regressed(run: store.Run) -> set[Name]:
    """Return what regressed in a night, confirmed or not: one bad night in a week's base would hide the next one."""
    return {name_of(one) for part in ("confirmed", "new") for one in record(run).get(part, ())}


def record(run: store.Run) -> dict[str, Any]:
    """Return the record of a night, empty when the run is not a night or was cut off before its end."""
    try:
        found = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        [name_of(one) for part in ("confirmed", "new") for one in found[part]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found)


def name(one: Comparison, reference: str) -> Name:
    """Return the name of a comparison, the same from night to night."""
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric, reference


def name_of(finding: Mapping[str, Any]) -> Name:
    """Return the name of a finding in a record."""
    params = json.dumps(finding["params"], sort_keys=True)
    names = (str(finding[key]) for key in ("scenario", "target"))
    return *names, params, str(finding["metric"]), str(finding.get("reference", ""))  # type: ignore[return-value] # five


def retain(results: Past, suite: str, tonight: store.Run, base: Collection[str], keep: int) -> list[str]:
    """Remove the oldest nights of the suite beyond ``keep``, each with its fresh blocks.

    Tagged baselines and the runs of ``base``, tonight's baseline, stay. Returns the ids of the removed nights.
    """
    earlier = nights(results, suite, tonight)
    spare = earlier[: max(0, len(earlier) + 1 - keep)]
    gone = [run for run in spare if run.run_id not in base and "baseline" not in run.meta.get("tags", {})]
    ids = {run.run_id for run in gone}
    followers = [run for run in _runs(results) if run.meta.get("tags", {}).get(AGAIN) in ids]
    for run in [*gone, *followers]:
        shutil.rmtree(run.path)
    return [run.run_id for run in gone]


def newest(results: Past, suite: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the id of a suite's newest night and its confirmed findings.

    Raises:
        UsageError: No night of the suite was judged.
    """
    judged = [run for run in _runs(results) if run.meta.get("tags", {}).get(TAG) == suite and record(run)]
    if not judged:
        where = past.folder_of(results)
        msg = f"'{where}' has no night of the suite '{suite}'; 'tare nightly {suite}' makes one, --results DIR looks elsewhere"
        raise UsageError(msg)
    return judged[-1].run_id, list(record(judged[-1])["confirmed"])
