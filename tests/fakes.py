"""Stand-ins for unit tests: a lab without root and a run over fake engines."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

import pytest

from bench import engines, scenario, store
from bench.core.clock import EventHub, now_s
from bench.core.errors import TargetUnavailable
from bench.core.model import Scenario
from bench.engines.base import Instance, InstanceSpec
from bench.engines.fake import Fake
from bench.lab import Lab
from bench.lab.journal import Journal
from bench.lab.paths import Paths
from bench.run import runner
from bench.scenario import plan


class FakeLab:
    """A lab that is only folders and a journal; the test sets its residue in ``counts``."""

    cgroup_path = ""

    def __init__(self, state: Path) -> None:
        self.short_id = "fa4e"
        self.paths = Paths.of(self.short_id, state)
        self.paths.make()
        self.journal = Journal(self.paths.journal)
        self.left: dict[str, int] = {}
        self.counts: dict[str, int] = {"processes": 1, "mounts": 3}

    def cpu_s(self) -> float:
        """Return 0: CPU time never advances."""
        return 0.0

    @property
    def daemons(self) -> NoReturn:
        """Raise ``TargetUnavailable``, as without root."""
        msg = "the private lab's daemons need root"
        raise TargetUnavailable(msg, "run as root")

    def clear(self) -> None:
        """Do nothing."""

    def residue(self) -> Mapping[str, int]:
        """Return the counts."""
        return dict(self.counts)


def small(targets: list[str], **changes: object) -> Scenario:
    """Return the startup scenario with these fake targets, by default without controls."""
    base = scenario.load(scenario.find("startup"))[0]
    parsed = tuple(scenario.parse_target(text) for text in targets)
    defaults: dict[str, object] = {
        "null_target": False,
        "sentinel": False,
        "blocks": 2,
        "warmup_blocks": 1,
        "timeout_s": 0.3,
    }
    return dataclasses.replace(base, targets=parsed, baseline=parsed[0].text, **{**defaults, **changes})  # type: ignore[arg-type]


@contextlib.contextmanager
def context(folder: Path, one: Scenario, lab: FakeLab) -> Iterator[runner.RunContext]:
    """Yield the context of a run with fake engines whose folder exists."""
    as_lab = cast("Lab", lab)
    made = {target.text: engines.load(target, as_lab) for target in one.targets}
    host = Fake(scenario.parse_target("fake:copy=host"), as_lab)
    invocations = plan.build([one], 1)
    meta = {"run_id": "r1", "scenarios": {one.name: {}}, "started_mono_s": now_s()}
    with EventHub() as hub:
        writer = store.RunWriter.create(folder, meta, invocations)
        yield runner.RunContext("r1", {one.name: one}, made, host, as_lab, hub, writer, now_s())


def executed(folder: Path, one: Scenario, lab: FakeLab) -> store.Run:
    """Run a scenario over fake engines and return the run."""
    with context(folder, one, lab) as ctx:
        runner.execute(ctx, plan.build([one], 1), lambda *_: None)
    return store.load(folder / "r1")


def outcome(run: store.Run) -> dict[str, Any]:
    """Return the outcome of a run of one invocation."""
    [row] = store.outcomes(run).to_dict("records")
    return {str(key): value for key, value in row.items()}


Speech = Callable[[InstanceSpec], list[str]]
"""Returns the lines that an instance sends, from its ``InstanceSpec``."""


def speaking(monkeypatch: pytest.MonkeyPatch, speech: Speech) -> list[InstanceSpec]:
    """Make every fake instance send the lines of ``speech``; return the list to which each spec is appended."""
    specs: list[InstanceSpec] = []
    create, start = Fake.create, Fake.start

    def record(self: Fake, spec: InstanceSpec) -> Instance:
        specs.append(spec)
        instance = create(self, spec)
        instance.handle["spec"] = spec
        return instance

    def speak(self: Fake, instance: Instance) -> None:
        start(self, instance)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(instance.handle["events"]))
            for line in speech(instance.handle["spec"]):
                sock.send(f"{line}\n".encode())

    monkeypatch.setattr(Fake, "create", record)
    monkeypatch.setattr(Fake, "start", speak)
    return specs
