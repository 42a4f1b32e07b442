"""Acknowledged regressions: each raises no alarm until its last day, for a stated reason, unless it grows.

``tare ack`` writes ``acknowledged.json`` into the results folder and every night reads it. Whether a regression is open, fixed or
accepted is never stored: it follows from the records of the nights.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bench.compare.verdicts import Comparison
from bench.core.errors import StoreError, UsageError
from bench.core.metrics import METRICS

FILE = "acknowledged.json"


@dataclass(frozen=True)
class Acknowledgement:
    """One acknowledged regression.

    Attributes:
        params: JSON text with sorted keys.
        ratio: New ÷ base when it was acknowledged, ``None`` where there was none.
        reason: Why it is accepted.
        until: Last day on which it raises no alarm, ``YYYY-MM-DD``.
        run: The night whose regression was acknowledged.
    """

    scenario: str
    target: str
    params: str
    metric: str
    ratio: float | None
    reason: str
    until: str
    run: str

    @property
    def series(self) -> str:
        """The series as it is printed and matched by a pattern."""
        return series_text(self.scenario, self.target, self.metric)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Scenario, target, params and metric of the series."""
        return self.scenario, self.target, self.params, self.metric


def series_text(scenario: str, target: str, metric: str) -> str:
    """Return ``scenario/target/metric``."""
    return f"{scenario}/{target}/{metric}"


def load(results: Path) -> list[Acknowledgement]:
    """Return the acknowledgements of a results folder.

    Raises:
        UsageError: The file is damaged.
    """
    path = results / FILE
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        found = [Acknowledgement(**entry) for entry in entries]
        for one in found:
            date.fromisoformat(one.until)
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        msg = f"'{path}' is damaged ({error}): repair or remove it, and acknowledge again with 'tare ack'"
        raise UsageError(msg) from error
    return found


def save(results: Path, entries: Sequence[Acknowledgement]) -> None:
    """Replace the file atomically.

    Raises:
        StoreError: It cannot be written.
    """
    path = results / FILE
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps([dataclasses.asdict(one) for one in entries], indent=1, ensure_ascii=False) + "\n")
        part.replace(path)
    except OSError as error:
        msg = f"cannot write '{path}': {error.strerror}"
        raise StoreError(msg) from error


def match(entries: Sequence[Acknowledgement], one: Comparison, meta: Mapping[str, Any]) -> Acknowledgement | None:
    """Return the acknowledgement that covers a regression on the day of a run; ``meta`` is the run's ``run.json``.

    A regression that has grown is not covered: its interval excludes the acknowledged ratio on the worse side, and it is larger
    by at least the metric's smallest effect.
    """
    key = one.scenario, one.target, json.dumps(dict(one.params), sort_keys=True), one.metric
    day = str(meta.get("started_at", ""))[:10]
    return next(
        (entry for entry in entries if entry.key == key and day <= entry.until and not _grown(one, entry)), None
    )


def _grown(one: Comparison, entry: Acknowledgement) -> bool:
    metric = METRICS.get(one.metric)
    if metric is None or one.ratio is None or entry.ratio is None or one.ci is None:
        return False
    below = metric.better == "one" and (one.new or 0.0) < 1
    sign = -1 if metric.better == "higher" or below else 1
    more = sign * math.log(one.ratio / entry.ratio)
    nearest = sign * math.log((one.ci.low if sign > 0 else one.ci.high) / entry.ratio)
    return nearest > 0 and more >= math.log1p(metric.min_effect)


def acknowledge(
    results: Path, found: Sequence[Mapping[str, Any]], pattern: str, *, reason: str, until: date, run: str
) -> list[Acknowledgement]:
    """Acknowledge the confirmed findings of a night that match a pattern (``*`` and ``?``); return the new entries.

    ``found`` are the confirmed findings of the night's record.

    Raises:
        UsageError: Nothing matches.
        StoreError: It cannot be written.
    """
    texts = {series_text(one["scenario"], one["target"], one["metric"]): one for one in found}
    hits = [one for text, one in texts.items() if fnmatchcase(text, pattern)]
    if not hits:
        there = ", ".join(sorted(texts)) or "nothing"
        msg = f"no confirmed regression of the night {run} matches '{pattern}'; there is {there}"
        raise UsageError(msg)
    made = [_entry(one, reason, until, run) for one in found if one in hits]
    keys = {one.key for one in made}
    save(results, [*(one for one in load(results) if one.key not in keys), *made])
    return made


def _entry(one: Mapping[str, Any], reason: str, until: date, run: str) -> Acknowledgement:
    params = json.dumps(dict(one["params"]), sort_keys=True)
    return Acknowledgement(
        one["scenario"], one["target"], params, one["metric"], one["ratio"], reason, until.isoformat(), run
    )
