"""The health benchmark over the fake engine: every case, every count, every failure; and a check as Docker writes it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.benchmarks.health import checked, left, rate, start, states
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationFailed, NotApplicable
from bench.core.model import ParamValue, Scenario, Status
from bench.engines.abilities import Finished, HealthStatus
from bench.engines.base import HealthCheck, Instance, InstanceSpec
from bench.engines.fake import Fake
from bench.invocation import poke
from tests.fakes import FakeLab, executed, outcome, small

INTERVAL_S, RETRIES, REPEATS = 0.06, 3, 2
PROBE_S = 0.01


@dataclasses.dataclass
class Patient:
    """One fake instance: its spec, its health, and since when it runs."""

    spec: InstanceSpec
    since_s: float = dataclasses.field(default_factory=now_s)
    failures: int = 0
    status: HealthStatus = "starting"

    def say(self, text: str) -> None:
        """Report as its payload."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(self.spec.events))
            sock.send(f"{text}\n".encode())


class FakeHealth:
    """Checks health as documented; ``patience`` is how many failures more than asked for it takes, ``broken`` the payload's state."""

    def __init__(self) -> None:
        self.automatic = True
        self.refusal = ""
        self.error = ""
        self.broken = False
        self.turn = threading.Lock()
        self.patience = 0
        self.patients: dict[str, Patient] = {}

    def version(self) -> str:
        """Return a version that no engine has."""
        return "Fake 1.2"

    def refuse(self, check: HealthCheck) -> None:
        """Refuse what it was told to refuse."""
        if self.refusal:
            raise NotApplicable(self.refusal)

    def status(self, instance: Instance) -> HealthStatus:
        """Return the health."""
        return self.patients[instance.name].status

    @contextlib.contextmanager
    def changes(self, name: str) -> Iterator[Iterator[HealthStatus]]:
        """Yield the changes; the probes run in the thread of the one who reads them."""
        stop = threading.Event()
        try:
            yield self._loop(name, stop)
        finally:
            stop.set()

    def probe(self, instance: Instance, timeout_s: float) -> HealthStatus:
        """Run a probe."""
        if self.error:
            raise InvocationFailed(self.error)
        return self._probe(self.patients[instance.name])

    def toggle(self, pids: Sequence[int]) -> None:
        """Break or mend every instance."""
        with self.turn:
            self.broken = not self.broken
            for patient in self.patients.values():
                patient.say("A broken" if self.broken else "A whole")

    def _loop(self, name: str, stop: threading.Event) -> Iterator[HealthStatus]:
        while self.automatic and not stop.wait(INTERVAL_S):
            if patient := self.patients.get(name):
                last = patient.status
                if self._probe(patient) != last:
                    yield patient.status

    def _probe(self, patient: Patient) -> HealthStatus:
        check = patient.spec.health
        assert check is not None
        with self.turn:  # a probe begins before or after a change, as its lines say
            begin, broken = now_s(), self.broken
            patient.say("B probe")
        hangs = ":" in check.arguments[-1]
        sleep_s(check.timeout_s if hangs else PROBE_S)
        failed = hangs or broken
        if failed and begin - patient.since_s < check.start_period_s:
            return patient.status
        patient.failures = patient.failures + 1 if failed else 0
        if not failed:
            patient.status = "healthy"
        elif patient.failures >= check.retries + self.patience:
            patient.status = "unhealthy"
        return patient.status


class FakeCommands:
    """Commands that end at once, with ``exit_code``."""

    def __init__(self) -> None:
        self.exit_code = 0

    def payload(self, instance: Instance) -> list[str]:
        """Return the begin of a command line that means nothing."""
        return ["/payload"]

    def run(self, instance: Instance, argv: Sequence[str], timeout_s: float) -> Finished:
        """End."""
        sleep_s(0.001)
        return Finished(self.exit_code, "it failed" if self.exit_code else "")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> FakeCommands:
    made = FakeCommands()
    monkeypatch.setattr(Fake, "commands", made, raising=False)
    return made


@pytest.fixture
def health(monkeypatch: pytest.MonkeyPatch, commands: FakeCommands) -> FakeHealth:
    """Make the fake engine check health, and leave the kernel out of it."""
    made = FakeHealth()
    launched, forgotten, shown = Fake.start, Fake.delete, Fake.evidence
    specs: dict[str, InstanceSpec] = {}
    made_by = Fake.create

    def create(self: Fake, spec: InstanceSpec) -> Instance:
        specs[spec.name] = spec
        return made_by(self, spec)

    def begin(self: Fake, instance: Instance) -> None:
        made.broken = False
        made.patients[instance.name] = Patient(specs[instance.name])
        launched(self, instance)

    def delete(self: Fake, name: str) -> None:
        made.patients.pop(name, None)
        forgotten(self, name)

    def evidence(self: Fake, instance: Instance) -> Mapping[str, str]:
        check = specs[instance.name].health
        return {**shown(self, instance), "health": check.text if check else ""}

    monkeypatch.setattr(Fake, "health", made, raising=False)
    for name, function in (("create", create), ("start", begin), ("delete", delete), ("evidence", evidence)):
        monkeypatch.setattr(Fake, name, function)
    monkeypatch.setattr(left, "every", lambda *_: frozenset())
    monkeypatch.setattr(checked, "with_shell", lambda _: None)
    monkeypatch.setattr(poke, "payloads", lambda _: [1])
    monkeypatch.setattr(poke, "tell", made.toggle)
    return made


def scenario(params: Mapping[str, ParamValue], *targets: str, cases: Sequence[str], blocks: int = 1) -> Scenario:
    one = small(list(targets or ["fake"]), blocks=blocks, warmup_blocks=0, timeout_s=15.0)
    given: dict[str, ParamValue] = {
        "interval_s": INTERVAL_S,
        "timeout_s": INTERVAL_S,
        "repeats": REPEATS,
        "commands": REPEATS,
        **params,
    }
    values: dict[str, tuple[ParamValue, ...]] = {name: (value,) for name, value in given.items()}
    values["case"] = tuple(cases)
    return dataclasses.replace(one, procedure="health", params=values)


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab) -> Ended:
    """Return a function that runs the scenario and returns the run."""

    def run(case: str = "cmd", **params: ParamValue) -> store.Run:
        one = scenario(params, cases=[case])
        return executed(tmp_path, one, lab)

    return run


def values(run: store.Run) -> dict[str, float]:
    found = outcome(run)
    assert found["status"] == Status.OK, found["reason"]
    frame = store.measurements(run)
    return dict(zip(frame["metric"].str.removeprefix("health."), frame["value"], strict=True))


@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize("case", ["cmd", "shell"])
def test_states_are_noticed_after_exact_numbers_of_probes(
    health: FakeHealth, ended: Ended, case: str, automatic: bool
) -> None:
    health.automatic = automatic
    run = ended(case)
    found = values(run)
    counts = [found[f"probes_to_{name}"] for name in ("healthy", "unhealthy", "recovery")]
    assert counts == [1, RETRIES, 1]
    assert (found["window_missed"], found["left_processes"]) == (0, 0)
    assert found["healthy_added_s"] > 0
    assert found["unhealthy_s"] > (RETRIES - 1) * INTERVAL_S
    assert found["exec_ratio"] > 0
    frame = store.measurements(run)
    assert (frame["metric"] == "health.probe_s").sum() == 2 * REPEATS
    assert outcome(run)["notes"]["probes"] == ("started by the engine" if automatic else "started by Tare")


def test_no_command_is_run_when_none_is_asked_for(health: FakeHealth, commands: FakeCommands, ended: Ended) -> None:
    commands.exit_code = 3
    assert "exec_ratio" not in values(ended(commands=0))


def test_engine_that_takes_one_failure_more_is_counted_exactly(health: FakeHealth, ended: Ended) -> None:
    health.patience = 1
    assert values(ended())["probes_to_unhealthy"] == RETRIES + 1


def test_failures_in_the_start_period_do_not_count(health: FakeHealth, ended: Ended) -> None:
    run = ended("start-period")
    found, doubts = values(run), outcome(run)["flags"]
    assert found["start_early"] == 0
    assert found["start_counted"] == RETRIES or any("one off" in flag for flag in doubts)
    assert found["start_forgiven"] >= 1


def test_probes_that_hang_make_the_instance_unhealthy(health: FakeHealth, ended: Ended) -> None:
    found = values(ended("hanging"))
    assert (found["probes_to_unhealthy"], found["left_timed_out"], found["left_zombies"]) == (RETRIES, 0, 0)
    assert abs(found["overrun_s"]) < 5


def test_processes_that_stay_are_counted_for_each_probe(
    health: FakeHealth, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def every(*_: object) -> frozenset[int]:
        seen.append(1)
        return frozenset({11, 12, 13} if len(seen) > 1 else ())

    monkeypatch.setattr(left, "every", every)
    monkeypatch.setattr(left, "state", lambda _: "Z")
    found = values(ended("hanging-shell"))
    assert (found["left_timed_out"], found["left_zombies"]) == (1, 1)


def test_rate_counts_the_probes_of_all_instances(health: FakeHealth, ended: Ended) -> None:
    health.automatic = False
    run = ended("rate", instances=3, rate_interval_s=0.02, window_s=0.4)
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    frame = store.measurements(run)
    frame = frame[frame["metric"] == "health.per_s"]
    found = {
        json.loads(params)["instances"]: value for params, value in zip(frame["params"], frame["value"], strict=True)
    }
    assert set(found) == {1, 3}
    assert 0 < found[1] < found[3] <= 3 / 0.02 * 1.5
    assert not health.patients


def test_refused_check_is_skipped_before_anything_starts(health: FakeHealth, ended: Ended) -> None:
    health.refusal = "no such option"
    row = outcome(ended("start-interval"))
    assert (row["status"], row["reason"]) == (Status.SKIPPED, "no such option")


def test_engine_without_the_ability_is_skipped(ended: Ended) -> None:
    row = outcome(ended())
    assert row["status"] == Status.SKIPPED
    assert "'fake' has no health checks of its own" in row["reason"]


def test_failed_request_for_a_probe_fails_the_invocation(health: FakeHealth, ended: Ended) -> None:
    health.automatic, health.error = False, "the service is gone"
    row = outcome(ended())
    assert (row["status"], row["reason"]) == (Status.FAILED, "the service is gone")


def test_other_check_than_asked_for_is_an_evidence_mismatch(
    health: FakeHealth, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "evidence", lambda *_: {"health": "cmd interval=30"})
    row = outcome(ended())
    assert row["status"] == Status.FAILED
    assert "interval=30" in row["reason"]


def test_failing_command_by_exec_fails_the_invocation(health: FakeHealth, commands: FakeCommands, ended: Ended) -> None:
    commands.exit_code = 3
    assert "ended with exit code 3 by exec: it failed" in outcome(ended())["reason"]


def test_payload_that_cannot_be_signalled_is_not_applicable(
    health: FakeHealth, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poke, "payloads", lambda _: [])
    row = outcome(ended())
    assert row["status"] == Status.SKIPPED
    assert "cannot signal the payload" in row["reason"]


@pytest.mark.parametrize(
    ("took", "missed"), [(0.99, True), (1.0, False), (2.7, False), (2.71, True)], ids=["early", "first", "last", "late"]
)
def test_window_has_both_bounds(took: float, missed: bool) -> None:
    """Use 3 retries and an interval of 0.5 s: 1.0 to 1.5 s, 0.2 s for the probes, and 1 s."""
    assert states.missed(0.0, took, 0.5, 3, 0.2) is missed


def test_probe_near_the_end_of_the_start_period_is_doubted() -> None:
    assert start.doubts([10.05], 10.0, 0.4)
    assert not start.doubts([10.2], 10.0, 0.4)
    assert not start.doubts([], 10.0, 0.4)


@pytest.mark.parametrize(("most", "steps"), [(1, [1]), (4, [1, 4]), (10, [1, 10]), (50, [1, 10, 50])])
def test_steps_are_powers_of_ten_and_the_most(most: int, steps: list[int]) -> None:
    assert rate.steps(most) == steps


config = pytest.importorskip("bench.engines.docker.health_config")
CHECK = HealthCheck(("--probe", "/x"), "cmd", 0.5, 1.5, 4, 2.0)


def recorded(check: HealthCheck) -> dict[str, Any]:
    """Return what a daemon would say of a container with a check."""
    return {"Config": {"Healthcheck": config.config(check)}}


def test_request_to_create_a_container_has_the_whole_check(monkeypatch: pytest.MonkeyPatch) -> None:
    api = pytest.importorskip("bench.engines.docker.api")
    client = api._Client(base_url="unix:///nowhere", version="1.44")
    sent: list[dict[str, Any]] = []

    def send(wanted: dict[str, Any], name: str) -> dict[str, str]:
        sent.append(wanted)
        return {"Id": name}

    monkeypatch.setattr(client, "create_container_from_config", send)
    check = dataclasses.replace(CHECK, start_interval_s=0.25)
    spec = InstanceSpec("one", Path("/events"), health=check)
    assert api.Requests(client).create(spec, api.ContainerConfig("image", "none")) == "one"
    assert sent[0]["Healthcheck"]["StartInterval"] == 250_000_000
    assert config.evidence({"Config": sent[0]}) == {"health": check.text}


@pytest.mark.parametrize(
    "check", [CHECK, dataclasses.replace(CHECK, form="shell"), dataclasses.replace(CHECK, start_interval_s=0.25)]
)
def test_recorded_check_reads_as_it_was_asked_for(check: HealthCheck) -> None:
    assert config.evidence(recorded(check)) == {"health": check.text}


def test_shell_form_keeps_the_shell_as_the_parent_of_the_probe() -> None:
    kind, line = config.config(dataclasses.replace(CHECK, form="shell"))["Test"]
    assert kind == "CMD-SHELL"
    assert line.endswith("--probe /x || exit 1")


def test_command_line_has_every_option_in_milliseconds() -> None:
    words = config.options(dataclasses.replace(CHECK, start_interval_s=0.25))
    found = dict(zip(words[::2], words[1::2], strict=True))
    assert (found["--health-interval"], found["--health-timeout"], found["--health-retries"]) == (
        "500ms",
        "1500ms",
        "4",
    )
    assert (found["--health-start-period"], found["--health-start-interval"]) == ("2000ms", "250ms")


def test_container_without_a_check_has_no_evidence_of_one() -> None:
    assert config.evidence({"Config": {"Healthcheck": None}}) == {}
