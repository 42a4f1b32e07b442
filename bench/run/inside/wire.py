"""Files between host and guest in the shared folder: the request as JSON, events as JSON lines."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.core.errors import LabError
from bench.core.model import Disturbance, Invocation, Outcome, Skipped, Status
from bench.run import record, session

REQUEST, EVENTS, RESULTS = "request.json", "events.jsonl", "results"
"""File names in the shared folder."""


def write_request(folder: Path, request: session.RunRequest) -> None:
    """Write a request, with its scenarios as the host loaded them."""
    given = {
        "scenarios": {scenario.name: record.scenario_meta(scenario) for scenario in request.scenarios},
        "explicit": sorted(request.explicit),
        "seed": request.seed,
        "tags": dict(request.tags),
        "command": list(request.command),
        "surroundings": dict(request.surroundings),
    }
    (folder / REQUEST).write_text(json.dumps(given), encoding="utf-8")


def read_request(folder: Path) -> session.RunRequest:
    """Read the request; its results folder is in the same folder."""
    given = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    scenarios = [record.scenario_from(name, meta) for name, meta in given["scenarios"].items()]
    return session.RunRequest(
        scenarios=scenarios,
        explicit=frozenset(given["explicit"]),
        seed=given["seed"],
        results=folder / RESULTS,
        tags=given["tags"],
        command=given["command"],
        surroundings=given["surroundings"],
    )


class EventWriter(session.RunObserver):
    """Writes the events of a run for the host, one line each."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS

    def write(self, kind: str, **what: Any) -> None:
        """Append one event."""
        with self._path.open("ab", buffering=0) as file:
            file.write(json.dumps({"kind": kind, **what}).encode() + b"\n")

    def preparing(self, text: str) -> None:
        """Write that a target is being prepared."""
        self.write("preparing", text=text)

    def left_out(self, scenarios: Any) -> None:
        """Write the scenarios that cannot run."""
        self.write("left_out", scenarios=[*map(dataclasses.asdict, scenarios)])

    def planned(self, run_id: str, skipped: Any, invocations: Any, total: int) -> None:
        """Write the invocations to come and the skipped targets."""
        plain = {"skipped": [*map(dataclasses.asdict, skipped)], "invocations": [*map(dataclasses.asdict, invocations)]}
        self.write("planned", run_id=run_id, total=total, **plain)

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Write how an invocation ended."""
        self.write("outcome", outcome=dataclasses.asdict(outcome), left=left)


def forward(event: Mapping[str, Any], observer: session.RunObserver) -> None:
    """Call the observer's method for an event; events of other kinds are ignored."""
    if event["kind"] == "up":
        observer.preparing(f"in the guest, which is up with kernel {event['kernel']}")
    elif event["kind"] == "preparing":
        observer.preparing(event["text"])
    elif event["kind"] == "left_out":
        observer.left_out([Skipped(**one) for one in event["scenarios"]])
    elif event["kind"] == "planned":
        skipped = [Skipped(**one) for one in event["skipped"]]
        observer.planned(event["run_id"], skipped, [Invocation(**one) for one in event["invocations"]], event["total"])
    elif event["kind"] == "outcome":
        given = event["outcome"]
        told = tuple(Disturbance(**one) for one in given["disturbed"])
        outcome = Outcome(
            **{**given, "status": Status(given["status"]), "flags": tuple(given["flags"]), "disturbed": told}
        )
        observer.outcome(outcome, event["left"])


class EventReader:
    """Reads the events that were added since the last call."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._rest = b""
        self._place = 0

    def new(self) -> Iterator[Mapping[str, Any]]:
        """Yield the new events; an incomplete line is kept for the next call.

        Raises:
            LabError: A line is not an event.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._place)
            data = file.read()
        self._place += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
                event["kind"]
            except (ValueError, TypeError, KeyError) as error:
                msg = f"the guest sent a line that is not an event: {line[:80]!r}"
                raise LabError(msg) from error
            yield event
