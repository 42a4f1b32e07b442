"""The restart benchmark over a fake engine that restarts as its policy says: every number, every failure, every promise."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from bench import store
from bench.benchmarks.restart import cases, charts, tables, words
from bench.benchmarks.restart.outcomes import Outcome, text
from bench.benchmarks.restart.watch import Watch
from bench.core.errors import NotApplicable
from bench.core.model import Scenario, Status
from bench.display.data import ScenarioData
from bench.engines.base import Instance, InstanceSpec, RestartPolicy, refuse_restart
from bench.engines.fake import Fake
from bench.engines.restarting import Cause, Fate, OwnDaemon, RestartState
from bench.invocation.context import Value
from bench.lab import Lab
from bench.report import load
from bench.scenario import parse_target
from tests.fakes import FakeLab, executed, outcome, small

NO, FAILURE, ALWAYS, UNLESS = cases.POLICIES
DOWN, AGAIN, KEPT = Fate(0, running=False), Fate(1, running=True), Fate(0, running=True)


class World:
    """All fake instances: what each runs, whether it runs, how often it was restarted.

    Attributes:
        obeys: Returns whether an instance is started again: its policy and exit status.
        uncounted: Restarts that the engine does not count.
        recorded: The policy that the engine says each instance has; empty: what was asked for.
    """

    def __init__(self) -> None:
        self.specs: dict[str, InstanceSpec] = {}
        self.running: dict[str, bool] = {}
        self.restarts: dict[str, int] = {}
        self.uncounted = 0
        self.recorded = ""
        self.obeys: Callable[[RestartPolicy, int], bool] = lambda policy, status: (
            policy.name in {"always", "unless-stopped"} or (policy.name == "on-failure" and status != 0)
        )

    def begin(self, name: str) -> None:
        """Report as a payload that starts."""
        self.running[name] = True
        arguments = self.specs[name].arguments
        quits = arguments[arguments.index("--quit") + 1]
        waits = [] if "--grow" in arguments else ["B quit"]
        self.say(name, "B start", "F", "R", *waits)
        if quits.endswith(":0"):
            self.end(name, int(quits.partition(":")[0]))

    def end(self, name: str, status: int, *, reported: bool = True) -> None:
        """End an instance and do what its policy says."""
        policy = self.specs[name].restart
        assert policy is not None
        self.running[name] = False
        if reported:
            self.say(name, f"E quit {status}")
        if self.obeys(policy, status) and not 0 < policy.retries <= self.restarts[name]:
            self.restarts[name] += 1
            self.begin(name)

    def say(self, name: str, *lines: str) -> None:
        """Send lines to an instance's channel."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(str(self.specs[name].events))
            for line in lines:
                sock.send(f"{line}\n".encode())


class FakeRestarter:
    """Says of the world's instances what an engine would."""

    backs_off = True

    def __init__(self, world: World) -> None:
        self.world = world
        self.own: OwnDaemon | None = None

    def version(self) -> str:
        """Return a name."""
        return "Fake 1"

    def state(self, instance: Instance) -> RestartState:
        """Return what the world knows."""
        running = self.world.running[instance.name]
        counted = self.world.restarts[instance.name] - self.world.uncounted
        policy = self.world.specs[instance.name].restart
        assert policy is not None
        return RestartState("running" if running else "ended", counted, self.world.recorded or policy.text)

    def documented(self, policy: RestartPolicy, cause: Cause, live_restore: bool | None) -> Fate:
        """Return what Docker promises."""
        return cast("Fate", docker_restart.Restarter.documented(self, policy, cause, live_restore))

    def own_daemon(self, live_restore: bool) -> contextlib.AbstractContextManager[OwnDaemon]:
        """Return the daemon of the test, which has no live restore."""
        if live_restore or self.own is None:
            msg = "there is none"
            raise NotApplicable(msg)
        return contextlib.nullcontext(self.own)


docker_restart = pytest.importorskip("bench.engines.docker.restart")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Make fake instances end and start again."""
    made = World()

    def create(self: Fake, spec: InstanceSpec) -> Instance:
        made.specs[spec.name], made.restarts[spec.name] = spec, 0
        return Instance(spec.name, set, lambda: None, {"events": spec.events})

    def tell(self: Watch) -> None:
        arguments = made.specs[self.name].arguments
        if "--grow" in arguments:
            made.say(self.name, "A", "M 4194304")
            made.end(self.name, 137, reported=False)
        else:
            made.end(self.name, int(arguments[arguments.index("--quit") + 1]))

    def stop(self: Fake, instance: Instance) -> None:
        made.running[instance.name] = False
        made.say(instance.name, "E quit 0")

    monkeypatch.setattr(Fake, "create", create)
    monkeypatch.setattr(Fake, "start", lambda _, instance: made.begin(instance.name))
    monkeypatch.setattr(Fake, "stop", stop)
    monkeypatch.setattr(Fake, "delete", lambda _, name: made.running.pop(name, None))
    monkeypatch.setattr(Watch, "tell", tell)
    monkeypatch.setattr(Watch, "kill", lambda watch: made.end(watch.name, 137, reported=False))
    return made


@pytest.fixture
def restarter(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeRestarter:
    made = FakeRestarter(world)
    monkeypatch.setattr(Fake, "restarts", made, raising=False)
    return made


def scenario(**params: object) -> Scenario:
    one = small(["fake"], blocks=1, warmup_blocks=0, timeout_s=5.0)
    given = {"attempts": 4, "long_run_s": 0.01, "settle_s": 0.15} | params
    return dataclasses.replace(one, procedure="restart", params={name: (value,) for name, value in given.items()})  # type: ignore[misc]


Ended = Callable[..., store.Run]


@pytest.fixture
def ended(tmp_path: Path, lab: FakeLab) -> Ended:
    """Return a function that runs the scenario and returns the run."""

    def run(**params: object) -> store.Run:
        one = scenario(**params)
        return executed(tmp_path, one, lab)

    return run


def numbers(run: store.Run) -> pd.DataFrame:
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    frame = store.measurements(run)
    params = pd.DataFrame([json.loads(text) for text in frame["params"]], index=frame.index)
    return pd.concat([frame, params], axis=1)


def table(run: store.Run) -> dict[tuple[str, str], tuple[float, float]]:
    frame = numbers(run)
    cells = {name: frame[frame["metric"] == f"restart.{name}"] for name in ("restarts", "running")}
    both = [cells[name].set_index(["policy", "cause"])["value"] for name in ("restarts", "running")]
    return {key: (both[0][key], both[1][key]) for key in both[0].index}


def test_crash_loop_times_every_restart_and_one_after_a_long_run(restarter: FakeRestarter, ended: Ended) -> None:
    frame = numbers(ended(part="delays"))
    assert list(frame.loc[frame["metric"] == "restart.gap_s", "attempt"]) == [1, 2, 3, 4]
    values = frame.set_index("metric")["value"]
    normal, first = values["restart.normal_s"], values["restart.again_s"]
    assert frame.loc[frame["metric"] == "restart.delay_s", "value"].iloc[0] == pytest.approx(first - normal)
    assert values["restart.miscounted"] == 0
    assert "restart.reset_s" in values


def test_engine_that_does_not_wait_has_neither_growth_nor_reset(restarter: FakeRestarter, ended: Ended) -> None:
    restarter.backs_off = False
    assert not {"restart.growth_ratio", "restart.reset_s"} & set(numbers(ended(part="delays"))["metric"])


def test_wrong_count_of_the_engine_is_a_number(restarter: FakeRestarter, world: World, ended: Ended) -> None:
    world.uncounted = 2
    values = numbers(ended(part="delays")).set_index("metric")["value"]
    assert values["restart.miscounted"] == 2


def test_every_policy_meets_every_cause_as_documented(restarter: FakeRestarter, ended: Ended) -> None:
    run = ended(part="policies")
    found = table(run)
    assert len(found) == 4 * 5 + 1
    wanted = {
        ("on-failure:2", "exit 1 each time"): (2, 0),
        ("on-failure:2", "exit 0"): (0, 0),
        ("always", "out of memory"): (1, 1),
        ("unless-stopped", "stopped by the user"): (0, 0),
        ("no", "SIGKILL"): (0, 0),
    }
    assert {case: found[case] for case in wanted} == wanted
    assert numbers(run).set_index("metric")["value"]["restart.deviations"] == 0


def test_engine_that_deviates_is_measured_and_counted(restarter: FakeRestarter, world: World, ended: Ended) -> None:
    world.obeys = lambda policy, _: (
        policy.name in {"always", "on-failure"}
    )  # unless-stopped does nothing, on-failure too much
    run = ended(part="policies")
    assert numbers(run).set_index("metric")["value"]["restart.deviations"] == 5
    assert table(run)["unless-stopped", "exit 1"] == (0, 0)
    assert table(run)["on-failure:2", "exit 0"] == (1, 1)


@pytest.mark.parametrize("part", ["delays", "policies"])
def test_instance_with_another_policy_than_asked_for_is_no_result(
    restarter: FakeRestarter, world: World, ended: Ended, part: str
) -> None:
    world.recorded = "on-failure"
    row = outcome(ended(part=part))
    assert row["status"] != Status.OK
    assert "restart policy" in row["reason"]


def test_instance_that_is_not_ended_for_its_memory_fails(
    restarter: FakeRestarter, world: World, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "tell", lambda watch: None)
    row = outcome(ended(part="policies"))
    assert row["status"] == Status.FAILED
    assert "was not ended for its memory" in row["reason"]


def test_daemon_without_live_restore_is_measured_and_the_reason_noted(
    restarter: FakeRestarter, world: World, ended: Ended, lab: FakeLab
) -> None:
    restarter.own = cast("OwnDaemon", FakeDaemon(Fake(parse_target("fake"), cast("Lab", lab)), world))
    run = ended(part="daemon")
    assert outcome(run)["status"] == Status.OK, outcome(run)["reason"]
    assert outcome(run)["notes"] == {"version": "Fake 1", "live_restore": "there is none"}
    frame, found = numbers(run), table(run)
    assert len(found) == 4 * 4
    wanted = {
        ("always", "daemon killed and started"): (1, 1),
        ("no", "daemon stopped and started"): (0, 0),
        ("always", "stopped by the user, daemon stopped and started"): (0, 0),
    }
    assert {case: found[case] for case in wanted} == wanted
    assert frame.set_index("metric")["value"]["restart.deviations"] == 2  # it forgets what the user has stopped
    assert len(frame[frame["metric"] == "restart.unanswered_s"]) == 2
    assert set(frame.loc[frame["metric"] == "restart.outage_s", "policy"]) == {"always", "unless-stopped"}


class FakeDaemon:
    """A daemon with which its instances end, and which starts them again as their policy says."""

    def __init__(self, engine: Fake, world: World) -> None:
        self.engine, self.world = engine, world

    def stop(self) -> None:
        """End every instance that runs."""
        for name in [name for name, running in self.world.running.items() if running]:
            self.world.end(name, 0)

    kill = stop

    def start(self) -> None:
        """Do nothing."""


def test_engine_without_the_ability_is_skipped_before_anything_starts(ended: Ended) -> None:
    row = outcome(ended(part="delays"))
    assert row["status"] == Status.SKIPPED
    assert "'fake' does not start an instance again" in row["reason"]


def test_engine_without_policies_refuses_one() -> None:
    spec = InstanceSpec("x", Path("/e"), restart=FAILURE)
    with pytest.raises(NotApplicable, match=r"'runc' .* no restart policy 'on-failure:2'"):
        refuse_restart(parse_target("runc"), spec)
    refuse_restart(parse_target("runc"), dataclasses.replace(spec, restart=None))


@pytest.mark.parametrize(
    ("policy", "cause", "live", "fate"),
    [
        (NO, "exit 1", None, DOWN),
        (FAILURE, "exit 0", None, DOWN),
        (FAILURE, "SIGKILL", None, AGAIN),
        (FAILURE, "exit 1 each time", None, Fate(2, running=False)),
        (ALWAYS, "stopped by the user", None, DOWN),
        (FAILURE, "daemon stopped and started", False, DOWN),
        (UNLESS, "daemon killed and started", False, AGAIN),
        (NO, "daemon killed and started", True, KEPT),
        (ALWAYS, "stopped by the user, daemon stopped and started", False, AGAIN),
        (UNLESS, "stopped by the user, daemon stopped and started", True, DOWN),
    ],
)
def test_promises_of_docker(policy: RestartPolicy, cause: Cause, live: bool | None, fate: Fate) -> None:
    assert docker_restart.Restarter.documented(None, policy, cause, live) == fate


def test_containers_of_podman_do_not_depend_on_the_service() -> None:
    podman = pytest.importorskip("bench.engines.docker.podman")
    promised = podman.MonitoredRestarter.documented
    assert promised(None, NO, "daemon killed and started", False) == KEPT
    assert promised(None, ALWAYS, "stopped by the user, daemon killed and started", False) == DOWN
    assert promised(None, ALWAYS, "exit 0", None) == AGAIN


def test_deviations_are_counted_by_case() -> None:
    def case(policy: str, *numbers: float) -> list[Value]:
        names = ("restarts", "running", "documented", "documented_running")
        return [
            Value(f"restart.{name}", number, {"policy": policy}) for name, number in zip(names, numbers, strict=True)
        ]

    found = [*case("no", 0, 0, 0, 0), *case("always", 1, 0, 1, 1), Value("restart.outage_s", 1.0, {"policy": "no"})]
    assert cases.deviations(found) == 1


def test_what_has_become_of_an_instance_is_written_in_words() -> None:
    said = [text(*numbers) for numbers in ((0, 0), (0, 1), (1, 1), (2, 0))]
    assert said == ["stays down", "runs on", "restarted", "restarted 2 times, then down"]


def test_sentence_names_the_version_and_each_deviation() -> None:
    good = Outcome("docker", "no", "exit 0", "", 0, 0, (0, 0), "Docker 1")
    bad = Outcome("docker", "on-failure:2", "daemon killed and started", "off", 1, 1, (0, 0), "Docker 1")
    assert words._truth([good]) == ["Docker 1 behaves as documented in all 1 cases"]
    [said] = words._truth([good, bad])
    assert said == (
        "Docker 1 deviates from its documentation in 1 of 2 cases: on-failure:2 after “daemon killed and started” with live restore "
        "off restarted (documented: stays down)"
    )


def test_payload_that_the_host_cannot_see_is_not_applicable(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch(None, "no-such-instance", 1.0)  # type: ignore[arg-type]
    with pytest.raises(NotApplicable, match="can be seen on the host"):
        watch.payload()


def shown(run: store.Run) -> ScenarioData:
    [data] = load.collect(run).scenarios
    return data


def test_crash_loop_is_shown_as_a_row_a_target_and_a_line_a_target(restarter: FakeRestarter, ended: Ended) -> None:
    data = shown(ended(part="delays"))
    loop, cost = tables.tables(data)
    assert [column.title for column in loop.columns][1:6] == ["normal start", *(f"restart {at}" for at in (1, 2, 3, 4))]
    assert [cell.text for cell in cost.rows[0]][-1] == "0"
    [plot] = [one for one in charts.charts(data) if one]
    assert plot.kind == "loop"
    assert "fake starts a failed instance again" in words.words(data)
    assert words.finding(data).startswith("first restart: ")


def test_truth_table_has_a_row_a_cause_and_marks_what_deviates(
    restarter: FakeRestarter, world: World, ended: Ended
) -> None:
    world.obeys = lambda policy, status: policy.name == "always" or (policy.name == "on-failure" and status != 0)
    data = shown(ended(part="policies"))
    [truth] = tables.tables(data)
    assert truth.title == "Restart policies of fake (Fake 1)"
    assert [column.title for column in truth.columns] == [
        "What happened",
        "no",
        "on-failure:2",
        "always",
        "unless-stopped",
    ]
    assert [row[0].text for row in truth.rows][:3] == ["exit 0", "exit 1", "exit 1 each time"]
    assert [cell.line for cell in truth.rows[1]][1:] == [
        "stays down", "restarted", "restarted", "stays down (documented: restarted)",
    ]  # fmt: skip
    assert words.finding(data) == "4 of 21 cases unlike the documentation"
    assert words.words(data).startswith(
        "Fake 1 deviates from its documentation in 4 of 21 cases: unless-stopped after “exit 0”"
    )
    assert not [one for one in charts.charts(data) if one]


def test_gap_of_a_service_is_shown_by_cause(restarter: FakeRestarter, world: World, ended: Ended, lab: FakeLab) -> None:
    restarter.own = cast("OwnDaemon", FakeDaemon(Fake(parse_target("fake"), cast("Lab", lab)), world))
    data = shown(ended(part="daemon"))
    *_, gap = tables.tables(data)
    assert [row[0].text for row in gap.rows] == [
        f"fake (daemon {how} and started, live restore off)" for how in ("stopped", "killed")
    ]
    assert "fake: there is none." in " ".join(tables.notes(data))
    [plot] = [one for one in charts.charts(data) if one]
    assert plot.kind == "away"


def test_skipped_target_is_named_with_the_reason(ended: Ended) -> None:
    assert any("does not start an instance again" in note for note in tables.notes(shown(ended(part="delays"))))
