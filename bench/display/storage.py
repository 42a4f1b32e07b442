"""The quantities of fio and of file operations that a run has, in display order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.core.model import ParamValue, Status
from bench.display import lookup
from bench.display.data import Label, ScenarioData, Variant
from bench.display.paired import Quantity

FSYNC = "storage.fsync_s"
READ, WRITTEN, IOPS, FILES = (
    "storage.read_bytes_per_s",
    "storage.write_bytes_per_s",
    "storage.iops",
    "storage.metadata_per_s",
)
SKIPPED = "n/a"
ACTIONS = ("create", "stat", "rename", "unlink", "whiteout")
_TELLING = ("storage", "snapshotter", "disk", "mount")
"""Target options that say where data are stored."""


def short_label(data: ScenarioData, target: str) -> Label:
    """Return a short label of a target: where data are stored, and the options that not all targets of the engine share."""
    every = [*(row.target for row in lookup.without_control(data)), *(item.target for item in data.skipped)]
    name = target.partition(":")[0]
    mine = [_options(one) for one in dict.fromkeys(every) if one.partition(":")[0] == name]
    shared = set.intersection(*map(set, mine)) if mine else set()
    kept = [one for one in _options(target) if one not in shared or one.partition("=")[0] in _TELLING]
    return Label(name, ", ".join(kept))


def _options(target: str) -> list[str]:
    return [one for one in target.partition(":")[2].split(",") if one]


def missing_reason(data: ScenarioData, row: Variant | None) -> str:
    """Return ``n/a`` if all invocations of a variant were skipped, ``failed`` if none ended with ``ok``; otherwise empty."""
    if row is None:
        return ""
    ended = lookup.outcomes_of(data, row)["status"]
    if len(ended) and (ended == Status.SKIPPED).all():
        return SKIPPED
    return "failed" if len(ended) and not (ended == Status.OK).any() else ""


def actions(data: ScenarioData, order: Sequence[str] = ACTIONS) -> list[str]:
    """Return the file operations that were measured, in ``order``."""
    found = [str(kind) for kind in lookup.param_values(data, FILES, "action")]
    return lookup.in_order(found, order)


def disk(data: ScenarioData, metric: str, verb: str) -> list[Quantity]:
    """Return the fio jobs of a metric, sorted: direct before buffered, sequential before random, reads before writes."""
    found: dict[str, Quantity] = {}
    for item in data.summaries:
        if item.metric == metric and item.median is not None and "pattern" in item.params:
            named = {name: item.params[name] for name in ("pattern", "cache", "op") if name in item.params}
            words = f"{named['pattern']} {named.get('op', verb)}" + (f", {named['cache']}" if "cache" in named else "")
            found[json.dumps(named, sort_keys=True)] = Quantity(metric, named, words)
    return sorted(found.values(), key=lambda what: _rank(what.more))


def streams(data: ScenarioData) -> list[Quantity]:
    """Return the fio jobs to show as throughput: the sequential ones if there are any, each read beside its write."""
    both = _only("sequential", [*disk(data, READ, "read"), *disk(data, WRITTEN, "write")])
    return sorted(both, key=lambda what: (*_rank(what.more), what.metric != READ))


def singles(data: ScenarioData) -> list[Quantity]:
    """Return the fio jobs to show as operations a second: the random ones if there are any."""
    return _only("random", disk(data, IOPS, ""))


def _only(pattern: str, chosen: Sequence[Quantity]) -> list[Quantity]:
    """Return the jobs of a pattern, or all if there are none of it."""
    return [what for what in chosen if what.more.get("pattern") == pattern] or list(chosen)


def by_cache(title: str, chosen: Sequence[Quantity]) -> dict[str, list[Quantity]]:
    """Group fio jobs by cache mode: title with the mode → jobs titled without it."""
    found: dict[str, list[Quantity]] = {}
    for what in chosen:
        words, _, cache = what.title.partition(", ")
        found.setdefault(f"{title}, {cache}" if cache else title, []).append(replace(what, title=words))
    return found


def _rank(named: Mapping[str, ParamValue]) -> tuple[bool, bool, bool]:
    return named.get("cache") == "buffered", named.get("pattern") == "random", named.get("op") == "write"
