"""One run from its scenarios to its folder: lab, engines, plan, execution, final state. What ``tare run`` calls."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from bench import __version__, store
from bench.core.clock import EventHub, now_s, wall_time
from bench.core.errors import Interrupted, StoreError, TargetUnavailable, UsageError
from bench.core.model import Invocation, Outcome, RunState, Scenario, Skipped, Status
from bench.engines import check as check_files
from bench.engines import undo_functions
from bench.engines.base import Engine
from bench.lab import Lab, images
from bench.run import available, facts, preflight, runner, stopping
from bench.scenario import parse_target, plan


@dataclasses.dataclass(frozen=True)
class Order:
    """What a run is asked to do.

    Attributes:
        scenarios: What to measure, with the command line's changes already in.
        explicit: Targets that the user named: one that is unavailable ends the run before anything is measured.
        seed: Seed of the plan.
        results: The results folder.
        tags: From ``--tag``.
        command: The arguments, for the record.
        surroundings: When this system is a guest that was made for the run: ``inside`` (which one) and what is around it.
        precision: Half width of the intervals at which a scenario has blocks enough; ``None``: as many as it says.
        budget_s: Time for all scenarios together, seconds; only with ``precision``.
    """

    scenarios: Sequence[Scenario]
    explicit: frozenset[str]
    seed: int
    results: Path
    tags: Mapping[str, str]
    command: Sequence[str]
    surroundings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    precision: float | None = None
    budget_s: float | None = None


@dataclasses.dataclass
class Result:
    """How a run ended."""

    run_id: str
    folder: Path
    failed: int = 0
    measured: int = 0
    interrupted: str = ""


class Watcher:
    """What a run tells while it goes on; the command line overrides it."""

    def preparing(self, text: str) -> None:
        """Say what is being prepared."""

    def planned(self, run_id: str, skipped: Sequence[Skipped], invocations: Sequence[Invocation], total: int) -> None:
        """Say what will be measured, and what not."""

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Say how an invocation ended and how many are left."""


def run(order: Order, watcher: Watcher) -> Result:
    """Measure what the order says.

    Raises:
        TargetUnavailable: A target that the user named cannot run here.
        UsageError: Nothing is left to measure, or a file that such a target names cannot be used.
        StoreError: The results folder cannot be made.
    """
    available.refuse_cold(order.scenarios)
    for text in sorted(order.explicit):
        check_files(parse_target(text))
    run_id = make_id()
    with open_lab(run_id, order.results) as (lab, hub):
        prepared = available.prepare(order.scenarios, lab, watcher.preparing)
        available.refuse_missing(order.explicit, prepared)
        scenarios, skipped = available.resolve(order.scenarios, prepared)
        invocations = plan.build(scenarios, order.seed)
        meta = _meta(order, run_id, scenarios, skipped, prepared)
        writer = store.RunWriter.create(order.results, meta, invocations)
        watcher.planned(run_id, skipped, invocations, len(invocations))
        engines = {engine.target.text: engine for engine in prepared.engines.values()}
        context = _context(
            run_id=run_id,
            scenarios=scenarios,
            engines=engines,
            lab=lab,
            hub=hub,
            writer=writer,
            began_s=float(meta["started_mono_s"]),
        )
        return _execute(context, invocations, watcher, meta, _rule(meta, context))


def resume(folder: Path, watcher: Watcher) -> Result:
    """Go on with a run that was cut off: the same plan, the invocations without an outcome.

    Raises:
        UsageError: The run is complete, or the host is another or has changed.
        TargetUnavailable: A target of the plan cannot run any more.
    """
    found = store.load(folder)
    if found.meta.get("state") == RunState.COMPLETE:
        msg = f"the run {found.run_id} is complete; start a new one"
        raise UsageError(msg)
    if "inside" in found.meta:
        msg = f"the run {found.run_id} was in the guest {found.meta['inside']}, which is gone: start a new one with --inside"
        raise UsageError(msg)
    now = facts.host()
    same_boot = now.values.get("boot") == found.meta.get("facts", {}).get("boot")
    if facts.fingerprint(now) != found.meta.get("fingerprint") or not same_boot:
        msg = f"the run {found.run_id} was measured on another host or before a change or a restart of this one: start a new one"
        raise UsageError(msg)
    done = set(store.outcomes(found)["invocation"])
    every = store.plan(found)
    left = [invocation for invocation in every if invocation.index not in done]
    scenarios = [scenario_from(name, meta) for name, meta in found.meta["scenarios"].items()]
    with open_lab(found.run_id, folder.parent) as (lab, hub):
        prepared = available.prepare(scenarios, lab, watcher.preparing)
        for text, error in prepared.missing.items():
            msg = f"'{text}' ran before and cannot now: {error.reason}"
            raise TargetUnavailable(msg, error.remedy)
        writer = store.RunWriter.reopen(found)
        writer.update(state=RunState.RUNNING)
        watcher.planned(found.run_id, store.skipped(found), left, len(every))
        engines = {engine.target.text: engine for engine in prepared.engines.values()}
        # at_s goes on from where the first part stopped counting, on the same boot's clock
        context = _context(
            run_id=found.run_id,
            scenarios=scenarios,
            engines=engines,
            lab=lab,
            hub=hub,
            writer=writer,
            began_s=float(found.meta["started_mono_s"]),
        )
        return _execute(context, left, watcher, found.meta, _rule(found.meta, context))


def _rule(meta: Mapping[str, Any], context: runner.Context) -> stopping.StoppingRule | None:
    """Return the rule that says when there are blocks enough, as the run's record has it."""
    given = meta.get("rule")
    if given is None:
        return None
    scenarios = dict(context.scenarios)
    return stopping.StoppingRule(float(given["precision"]), given["budget_s"], context.writer.path, scenarios)


def make_id() -> str:
    """Return a run id: UTC time to sort by, and 32 random bits so that hosts never collide."""
    return f"{wall_time():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def open_lab(run_id: str, results: Path = Path("results")) -> Iterator[tuple[Lab, EventHub]]:
    """Open the lab and the event hub of a run; SIGTERM and SIGHUP end it in order, like Ctrl-C."""
    if results.resolve().is_relative_to("/run"):
        msg = f"results cannot be written to '{results}': the lab has a /run of its own; choose another with --results DIR"
        raise UsageError(msg)
    with _signals(), Lab(run_id.rpartition("-")[2], undo=undo_functions()) as lab, _hub(lab) as hub:
        yield lab, hub


def _hub(lab: Lab) -> EventHub:
    """Return the event hub, with the compiled stamp where the payload can be compiled at all."""
    try:
        return EventHub(images.stamp(lab.paths.state))
    except (TargetUnavailable, OSError):  # no compiler, or a state folder from which nothing may be loaded
        return EventHub()


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into an orderly end, like Ctrl-C."""

    def interrupt(number: int, _: FrameType | None) -> None:
        msg = f"got {signal.Signals(number).name}"
        raise Interrupted(msg)

    earlier = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _meta(order: Order, run_id: str, scenarios: Sequence[Scenario], skipped: Sequence[Skipped],
          prepared: preflight.Prepared) -> dict[str, Any]:  # fmt: skip
    known = facts.within(facts.host(), order.surroundings)
    return {
        "run_id": run_id,
        **{key: order.surroundings[key] for key in ("inside",) if key in order.surroundings},
        "tare_version": __version__,
        "command": list(order.command),
        "seed": order.seed,
        "host": known.values.get("host", ""),
        "started_at": wall_time().isoformat(timespec="seconds"),
        "started_mono_s": now_s(),
        "tags": dict(order.tags),
        "scenarios": {scenario.name: scenario_meta(scenario) for scenario in scenarios},
        **({"rule": {"precision": order.precision, "budget_s": order.budget_s}} if order.precision else {}),
        "skipped": [dataclasses.asdict(item) for item in skipped],
        **facts.as_meta(known),
        "engines": {engine.target.text: dict(prepared.facts[text]) for text, engine in prepared.engines.items()},
    }


def scenario_meta(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario as ``run.json`` has it."""
    meta = dataclasses.asdict(scenario)
    meta["targets"] = [target.text for target in scenario.targets]
    del meta["name"]
    return meta


def scenario_from(name: str, meta: Mapping[str, Any]) -> Scenario:
    """Read a scenario back from ``run.json``."""
    given = {**meta, "name": name, "targets": tuple(parse_target(text) for text in meta["targets"])}
    given["params"] = {key: tuple(values) for key, values in meta["params"].items()}
    given["primary"] = tuple(meta["primary"])
    return Scenario(**given)


def _context(*, run_id: str, scenarios: Sequence[Scenario], engines: Mapping[str, Engine], lab: Lab, hub: EventHub,
             writer: store.RunWriter, began_s: float) -> runner.Context:  # fmt: skip
    return runner.Context(
        run_id=run_id,
        scenarios={scenario.name: scenario for scenario in scenarios},
        engines=engines,
        host=engines["host"],
        lab=lab,
        hub=hub,
        writer=writer,
        began_s=began_s,
    )


def _execute(
    context: runner.Context,
    invocations: Sequence[Invocation],
    watcher: Watcher,
    meta: Mapping[str, Any],
    rule: stopping.StoppingRule | None = None,
) -> Result:
    result = Result(context.run_id, context.writer.path)
    begin = now_s()
    harness = 0.0

    def note(outcome: Outcome, left: int) -> None:
        nonlocal harness
        harness += outcome.harness_s
        result.measured += 1
        result.failed += outcome.status in (Status.FAILED, Status.TIMEOUT)
        watcher.outcome(outcome, left)

    state = RunState.INTERRUPTED
    try:
        runner.execute(context, invocations, note, rule.wants if rule else lambda _: True)
        state = RunState.COMPLETE
        if rule:
            ended = rule.finish()
            context.writer.update(scenarios={n: {**one, "stopped": ended[n]} for n, one in meta["scenarios"].items()})
    except KeyboardInterrupt as error:
        result.interrupted = str(error) or "Ctrl-C"
    finally:
        wall = now_s() - begin
        account = context.account
        spent = {"wall_s": wall, "engine_s": account.engine_s, "barrier_s": account.barrier_s}
        spent["harness_s"] = wall - account.engine_s - account.barrier_s
        earlier = meta.get("harness", {})
        total = {key: value + earlier.get(key, 0.0) for key, value in spent.items()}
        with contextlib.suppress(StoreError) if state is not RunState.COMPLETE else contextlib.nullcontext():
            context.writer.update(state=state, finished_at=wall_time().isoformat(timespec="seconds"), harness=total)
    return result
