"""Which runs are nights, which of them make tonight's base, what each has left, and which are kept."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from bench import store
from bench.compare.sides import difference_text, differences
from bench.compare.verdicts import Comparison
from bench.core.errors import UsageError
from bench.core.model import RunState
from bench.stats.series import Key

OFFSET = 3
"""Nights between tonight and its rolling baseline."""

FILE = "nightly.json"
"""What a night leaves in its run's folder for the nights after it."""

TAG, AGAIN = "nightly", "confirms"
"""Tags of a night's run (the suite) and of its second run (the first one's id)."""

Name = tuple[str, str, str, str, str]
"""Scenario, target, params, metric, and the target that it was compared with in the same run, else empty."""


def nights(results: Path, suite: str, tonight: store.Run) -> list[store.Run]:
    """Return the earlier complete nights of a suite on this host, the oldest first."""
    found = []
    for run in _runs(results):
        same = run.meta.get("tags", {}).get(TAG) == suite and run.meta.get("state") == RunState.COMPLETE
        same = same and run.meta.get("host") == tonight.meta.get("host")  # two hosts of a fleet may be alike
        if same and _began(run) < _began(tonight) and not differences(run, tonight):
            found.append(run)
    return found


def _runs(results: Path) -> list[store.Run]:
    found: dict[str, store.Run] = {}
    for path in results.glob("*/run.json"):
        with contextlib.suppress(UsageError):  # a folder that is no run of ours has no say
            run = store.load(path.parent)
            if run.run_id not in found or run.path.name == run.run_id:  # the others are copies of it
                found[run.run_id] = run
    return sorted(found.values(), key=_began)


def _began(run: store.Run) -> tuple[str, str]:
    return str(run.meta.get("started_at", "")), run.run_id


def baseline(
    results: Path, earlier: Sequence[store.Run], tonight: store.Run
) -> tuple[list[store.Run], str, Mapping[str, AbstractSet[Key]]]:
    """Return the runs that may be the base, the newest first, how they were chosen, and what each does not stand for."""
    tagged = [run for run in _runs(results) if run.meta.get("tags", {}).get("baseline") == "main"]
    tagged = [run for run in tagged if run.run_id != tonight.run_id]
    if tagged:
        run = tagged[-1]
        if strange := differences(run, tonight):
            what = difference_text(strange[0])
            return [], f"the baseline {run.run_id} is of another host or workload ({what}); tag a newer run", {}
        return [run], "tagged baseline=main", {}
    if not earlier:
        return [], "this is the first night of this host and workload", {}
    old = list(reversed(earlier[:-OFFSET] or earlier[:1]))
    if len(earlier) <= OFFSET:
        return old, f"the oldest night: none is {OFFSET} nights old yet", {}
    without = {run.run_id: {one[:4] for one in regressed(run)} for run in old}
    return old, f"rolling: a week of nights at least {OFFSET} nights old, without what had regressed in them", without


def regressed(run: store.Run) -> set[Name]:
    """Return what regressed in a night, believed or not: one bad night in a week's base would hide the next one."""
    return {name_of(one) for part in ("confirmed", "new") for one in record(run).get(part, ())}


def record(run: store.Run) -> dict[str, Any]:
    """Return what a night has left; nothing of one that was cut off before its end, or is none."""
    try:
        found = json.loads((run.path / FILE).read_text(encoding="utf-8"))
        [name_of(one) for part in ("confirmed", "new") for one in found[part]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return dict(found)


def name(one: Comparison, reference: str) -> Name:
    """Return what names a comparison from night to night."""
    return one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric, reference


def name_of(finding: Mapping[str, Any]) -> Name:
    """Return the name of a finding that was written down."""
    params = json.dumps(finding["params"], sort_keys=True)
    names = (str(finding[key]) for key in ("scenario", "target"))
    return *names, params, str(finding["metric"]), str(finding.get("reference", ""))  # type: ignore[return-value] # five


def retain(results: Path, suite: str, tonight: store.Run, base: Collection[str], keep: int) -> list[str]:
    """Remove the oldest nights of the suite beyond ``keep``, each with its fresh blocks.

    Tagged baselines, and ``base``, what is tonight's baseline, stay. Returns the ids of the nights that were removed.
    """
    earlier = nights(results, suite, tonight)
    spare = earlier[: max(0, len(earlier) + 1 - keep)]
    gone = [run for run in spare if run.run_id not in base and "baseline" not in run.meta.get("tags", {})]
    ids = {run.run_id for run in gone}
    followers = [run for run in _runs(results) if run.meta.get("tags", {}).get(AGAIN) in ids]
    for run in [*gone, *followers]:
        shutil.rmtree(run.path)
    return [run.run_id for run in gone]


def newest(results: Path, suite: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the id of a suite's newest night and what was confirmed in it.

    Raises:
        UsageError: There is no night that was judged.
    """
    judged = [run for run in _runs(results) if run.meta.get("tags", {}).get(TAG) == suite and record(run)]
    if not judged:
        msg = f"'{results}' has no night of the suite '{suite}'; 'tare nightly {suite}' makes one, --results DIR looks elsewhere"
        raise UsageError(msg)
    return judged[-1].run_id, list(record(judged[-1])["confirmed"])
