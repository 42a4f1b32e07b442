"""What was not measured on each host, why, and which command measures it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench import scenario
from bench.site.records import Past, Series, Track
from bench.site.source import Source


class Why(StrEnum):
    """Why there is no value."""

    UNAVAILABLE = "cannot run here"
    NO_VALUE = "no value in the newest run"
    GONE = "not in the newest run"


@dataclass(frozen=True)
class Gap:
    """Something without a value.

    Attributes:
        track: The runs in which it is missing.
        what: A target, or a target and its metric.
        scenario: The scenario.
        why: Why.
        detail: The reason, as the run recorded it.
        command: What measures it, or what makes it possible.
        run: The run that says so, or the last that had it.
    """

    track: Track
    what: str
    scenario: str
    why: Why
    detail: str
    command: str
    run: Past


def gaps(source: Source) -> list[Gap]:
    """Return the gaps of the newest runs of all tracks."""
    by_track: dict[int, list[Series]] = {}
    for one in source.series:
        by_track.setdefault(id(one.track), []).append(one)
    return [gap for track in source.tracks for gap in _of_track(track, by_track.get(id(track), ()))]


def _of_track(track: Track, series: Sequence[Series]) -> Iterator[Gap]:
    every = {name: [at for at in places if track.runs[at].complete] for name, places in track.places.items()}
    newest = {name: places[-1] for name, places in every.items() if places}
    for name, place in newest.items():
        run = track.runs[place]
        skipped = [gap for gap in run.run.meta.get("skipped", ()) if gap["scenario"] == name]
        for gap in skipped:
            yield Gap(track, gap["target"], name, Why.UNAVAILABLE, gap["reason"], gap["remedy"], run)
        mine = [one for one in series if one.name.scenario == name and not one.control]
        present = {series.name.target for series in mine if place in series.measured}
        gone = {str(gap["target"]) for gap in skipped}
        asked = [_target(one) for one in run.scenarios[name].get("targets", ())]
        yield from (_silent(track, run, name, target) for target in asked if target not in present | gone)
        ended = [one for one in mine if one.measured and place not in one.measured and one.name.target not in gone]
        yield from (_ended(one, run) for one in ended if one.name.target in present)
        for target in sorted({one.name.target for one in ended} - present - set(asked)):
            last = track.runs[max(one.measured[-1] for one in ended if one.name.target == target)]
            command = shlex.join(["tare", "run", name, "-t", target])
            yield Gap(track, target, name, Why.GONE, f"last measured in {last.run_id}", command, last)


def _target(one: Any) -> str:
    return one if isinstance(one, str) else str(one.get("text", ""))


def _silent(track: Track, run: Past, name: str, target: str) -> Gap:
    command = shlex.join(["tare", "show", run.run_id, "--scenario", name])
    return Gap(track, target, name, Why.NO_VALUE, "no invocation gave a value", command, run)


def _ended(one: Series, run: Past) -> Gap:
    command = shlex.join(["tare", "show", run.run_id, "--scenario", one.name.scenario])
    last = one.track.runs[one.measured[-1]]
    what = f"{one.name.target}: {one.name.metric}"
    return Gap(one.track, what, one.name.scenario, Why.NO_VALUE, f"last value in {last.run_id}", command, last)


def never(source: Source) -> dict[str, list[str]]:
    """Return for each host the scenarios that were never measured on it."""
    known = list(scenario.names("scenario"))
    found: dict[str, list[str]] = {}
    for host in source.hosts:
        measured = {name for one in source.runs if one.host == host for name in one.scenarios}
        found[host] = [name for name in known if name not in measured]
    return found


def as_json(found: Sequence[Gap], scenarios: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what the page says, for programs."""
    return {
        "gaps": [
            {
                "host": one.track.host,
                "suite": one.track.suite,
                "scenario": one.scenario,
                "what": one.what,
                "why": str(one.why),
                "detail": one.detail,
                "command": one.command,
                "run_id": one.run.run_id,
            }
            for one in found
        ],
        "never": dict(scenarios),
    }
