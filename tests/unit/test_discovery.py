"""The discovery procedure over the fake engine: order, every number, and every answer that must not be taken for one."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import socket
from pathlib import Path

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.discovery import measure
from bench.core.model import Scenario, Status
from bench.engines.base import Instance, InstanceSpec
from bench.engines.fake import Fake
from bench.lab import names, network
from bench.run import runner
from bench.scenario import plan
from bench.workloads import dns
from tests.fakes import FakeLab, context, small

FIRST, SECOND, SERVER = "10.0.0.2", "10.0.0.3", "10.0.0.1"


class Network:
    """What the name service of the fake network answers, and what the kernel says of its instances."""

    def __init__(self) -> None:
        self.answers = {"-a": FIRST, "-b": SECOND, "nobody.test": dns.NOBODY}
        self.real = {"-a": {FIRST}, "-b": {SECOND, "192.168.0.9"}}
        self.early = False
        self.jobs: list[InstanceSpec] = []
        self.started: list[Instance] = []

    def speech(self, *, awaited: bool) -> list[str]:
        """Return what the first instance says: while it waits, or of its lookups."""
        found = []
        words = self.jobs[0].arguments
        for option, value in itertools.pairwise(words):
            if option not in ("--resolve", "--await") or (option == "--await") != awaited:
                continue
            name, _, count = value.split(":")
            answer = next(answer for ending, answer in self.answers.items() if name.endswith(ending))
            end = [f"C {option[2:]} {count}", f"S answer {answer}"]
            found += [f"S server {SERVER}", f"B {option[2:]} {name}", *([] if awaited and not self.early else end)]
        return found

    def arrival(self) -> list[str]:
        """Return what the first instance says when the second one has its name."""
        return [] if self.early else ["C await 3", f"S answer {self.answers['-b']}"]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Network:
    """A fake engine with a name service."""
    made = Network()
    create, start = Fake.create, Fake.start

    def note(self: Fake, spec: InstanceSpec) -> Instance:
        made.jobs = [made.jobs[0], spec] if made.jobs and spec.name.endswith("-b") else [spec]
        return create(self, spec)

    def speak(self: Fake, instance: Instance) -> None:
        start(self, instance)
        second = instance.name.endswith("-b")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(made.jobs[0].events))
            for line in [*made.arrival(), *made.speech(awaited=False)] if second else made.speech(awaited=True):
                sock.send(f"{line}\n".encode())
        made.started.append(instance)
        instance.pids = lambda: {len(made.started)}

    def addresses(_: object, pids: set[int]) -> set[str]:
        assert pids, "of living instances"
        taken.append(1)
        return made.real["-a" if len(taken) % 2 else "-b"]

    taken: list[int] = []
    monkeypatch.setattr(Fake, "create", note)
    monkeypatch.setattr(Fake, "start", speak)
    monkeypatch.setattr(network, "addresses", addresses)
    monkeypatch.setattr(names, "last_server", lambda _: contextlib.nullcontext("10.90.1.53"))
    monkeypatch.setattr(Fake, "resolves_names", True, raising=False)
    return made


def scenario(**changes: object) -> Scenario:
    one = small(["fake"], **{"blocks": 3, "warmup_blocks": 0, "timeout_s": 0.5, **changes})
    return dataclasses.replace(one, procedure="discovery", params={"lookups": (50,)})


def run(folder: Path, one: Scenario, lab: FakeLab) -> tuple[pd.DataFrame, pd.DataFrame]:
    with context(folder, one, lab) as ready:
        runner.execute(ready, plan.build([one], 1), lambda *_: None)
        assert all(not engine.live for engine in ready.engines.values() if isinstance(engine, Fake))
    found = store.load(folder / "r1")
    return store.measurements(found), store.outcomes(found)


def test_every_metric_has_evidence(tmp_path: Path, lab: FakeLab, net: Network) -> None:
    numbers, outcomes = run(tmp_path, scenario(), lab)
    assert list(outcomes["status"]) == [Status.OK] * 3, list(outcomes["reason"])
    lookups = numbers[numbers["metric"] == "discovery.lookup_s"]
    assert sorted(json.loads(text)["name"] for text in lookups["params"]) == sorted(measure.KINDS * 3)
    assert sorted(set(numbers["metric"])) == ["discovery.gap_s", "discovery.lookup_s", "discovery.resolvable_s"]
    assert (numbers["value"] > 0).all()
    assert all(found["server"] == SERVER for found in outcomes["evidence"])
    assert all(found["address"] == SECOND and found["last_server"] == "10.90.1.53" for found in outcomes["notes"])
    assert [spec.arguments for spec in net.jobs][1] == ("--sleep",)


def test_each_kind_of_name_is_first_in_some_block(tmp_path: Path, lab: FakeLab, net: Network) -> None:
    _, outcomes = run(tmp_path, scenario(), lab)
    assert len(net.started) == 6
    orders = [found["order"].split(", ") for found in outcomes["notes"]]
    assert {kinds[0] for kinds in orders} == set(measure.KINDS)
    assert all(set(kinds) == set(measure.KINDS) for kinds in orders)
    words = net.jobs[0].arguments
    assert words[0] == "--await", "it asks before there is anything to be found"
    assert [word.rpartition(":")[2] for word in words[3::2]] == ["50", "50", "50"]


@pytest.mark.parametrize(
    ("name", "answer", "why"),
    [
        ("-a", SECOND, rf"10\.0\.0\.1 answered 10\.0\.0\.3 for .*-a \(own\), where {FIRST} is right"),
        ("-b", FIRST, r"answered 10\.0\.0\.2 for .*-b \(other\), where 10\.0\.0\.3 or 192\.168\.0\.9 is right"),
        ("-b", dns.NOBODY, r"was asked 3 times for .*-b, then: nobody"),
        ("nobody.test", FIRST, r"answered 10\.0\.0\.2 for nobody\.test \(unknown\), where nobody is right"),
        ("-a", dns.NOBODY, r"answered nobody for .*-a \(own\)"),
    ],
)
def test_wrong_answer_fails_invocation(  # noqa: PLR0917 - fixtures
    tmp_path: Path, lab: FakeLab, net: Network, name: str, answer: str, why: str
) -> None:
    net.answers[name] = answer
    numbers, outcomes = run(tmp_path, scenario(blocks=1), lab)
    assert numbers.empty
    assert list(outcomes["status"]) == [Status.FAILED]
    assert pd.Series(outcomes["reason"]).str.contains(why).all(), outcomes["reason"].iloc[0]


def test_name_known_before_request_fails(tmp_path: Path, lab: FakeLab, net: Network) -> None:
    net.early = True
    numbers, outcomes = run(tmp_path, scenario(blocks=1), lab)
    assert numbers.empty
    assert "before the second instance was requested" in outcomes["reason"].iloc[0]


def test_target_without_name_service_is_not_applicable(
    tmp_path: Path, lab: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "resolves_names", False, raising=False)
    _, outcomes = run(tmp_path, scenario(blocks=1), lab)
    assert list(outcomes["status"]) == [Status.SKIPPED]
    assert "has no name service" in outcomes["reason"].iloc[0]


def test_order_rotates_by_one_each_block() -> None:
    assert [measure.order(block)[0] for block in range(4)] == ["own", "other", "unknown", "own"]
