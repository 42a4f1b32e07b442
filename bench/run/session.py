"""One run from its scenarios to its results folder: lab, engines, plan, execution, final state. Called by ``tare run``."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import __version__, store
from bench.core.clock import EventHub, now_s, wall_time
from bench.core.errors import StoreError, TareError, TargetUnavailable, UsageError
from bench.core.model import Invocation, Outcome, RunState, Scenario, Skipped, Status
from bench.engines import check as check_files
from bench.engines import undo_functions
from bench.lab import Lab, events
from bench.run import available, facts, interrupts, preflight, record, runner, stopping
from bench.scenario import description, parse_target, plan


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What to measure, how, and where to put the results.

    Attributes:
        scenarios: What to measure, with the command line's overrides applied.
        explicit: Targets that the user named. If one of them is unavailable, the run ends before anything is measured.
        seed: Seed of the plan.
        results: The results folder.
        tags: Keys and values from ``--tag``.
        command: The command line, for ``run.json``.
        surroundings: Facts of the host around this system when it is a guest started for the run: ``inside`` names the
            guest, ``outer.*`` are the host's facts. Empty otherwise.
        precision: Relative half-width of the confidence intervals at which a scenario stops; ``None`` runs all its blocks.
        budget_s: Time for all scenarios together, seconds; used only with ``precision``.
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
class RunResult:
    """How a run ended.

    Attributes:
        run_id: The run's id.
        folder: The run's results folder.
        failed: Invocations that failed or timed out.
        measured: Invocations with an outcome, failed ones included.
        interrupted: What interrupted the run, empty when it ran to its end.
        left: What could not be removed after it, empty when everything is gone.
    """

    run_id: str
    folder: Path
    failed: int = 0
    measured: int = 0
    interrupted: str = ""
    left: str = ""


class RunObserver:
    """Callbacks for the progress of a run; they do nothing here, the command line overrides them."""

    def preparing(self, text: str) -> None:
        """Report that a target is being prepared."""

    def left_out(self, scenarios: Sequence[Skipped]) -> None:
        """Report the scenarios that cannot run here, one item each."""

    def planned(self, run_id: str, skipped: Sequence[Skipped], invocations: Sequence[Invocation], total: int) -> None:
        """Report the invocations to come, the skipped targets and the size of the whole plan."""

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Report how an invocation ended and how many are left."""


def run(request: RunRequest, observer: RunObserver) -> RunResult:
    """Measure the scenarios of a request and return how the run ended.

    Raises:
        TargetUnavailable: A target that the user named cannot run here.
        UsageError: Nothing is left to measure, or a file that an explicit target names cannot be used.
        StoreError: The results folder cannot be created.
    """
    available.refuse_cold(request.scenarios)
    for text in sorted(request.explicit):
        check_files(parse_target(text))
    run_id = make_id()
    ended: list[RunResult] = []
    with _kept(ended), open_lab(run_id, request.results) as (lab, hub):
        prepared = available.prepare(request.scenarios, lab, observer.preparing)
        available.refuse_missing(request.explicit, prepared)
        scenarios, skipped = available.resolve(request.scenarios, prepared)
        invocations = plan.build(scenarios, request.seed)
        meta = {**_meta(request, run_id, scenarios, skipped, prepared), record.INSTRUMENT: hub.instrument}
        writer = store.RunWriter.create(request.results, meta, invocations)
        observer.planned(run_id, _of_measured(observer, scenarios, skipped), invocations, len(invocations))
        run_context = _context(meta, scenarios, prepared, lab=lab, hub=hub, writer=writer)
        ended.append(_execute(run_context, invocations, observer, meta, _rule(meta, run_context)))
    return ended[0]


def resume(folder: Path, observer: RunObserver) -> RunResult:
    """Resume an unfinished run: measure the invocations of its plan that have no outcome.

    Raises:
        UsageError: The run cannot be resumed here and now.
        TargetUnavailable: A target of the plan can no longer run.
    """
    found = store.load(folder)
    record.refuse_to_resume(found)
    done = set(store.outcomes(found)["invocation"])
    every = store.plan(found)
    left = [invocation for invocation in every if invocation.index not in done]
    scenarios = [record.scenario_from(name, meta) for name, meta in found.meta["scenarios"].items()]
    ended: list[RunResult] = []
    with _kept(ended), open_lab(found.run_id, folder.parent) as (lab, hub):
        record.refuse_instrument(found, hub.instrument)
        prepared = available.prepare(scenarios, lab, observer.preparing)
        for text, error in prepared.missing.items():
            msg = f"'{text}' ran earlier and cannot run now: {error.reason}"
            raise TargetUnavailable(msg, error.remedy)
        writer = store.RunWriter.reopen(found)
        writer.update(state=RunState.RUNNING)
        skipped = _of_measured(observer, scenarios, store.skipped(found))
        observer.planned(found.run_id, skipped, left, len(every))
        run_context = _context(found.meta, scenarios, prepared, lab=lab, hub=hub, writer=writer)
        ended.append(_execute(run_context, left, observer, found.meta, _rule(found.meta, run_context)))
    return ended[0]


@contextlib.contextmanager
def _kept(ended: list[RunResult]) -> Iterator[None]:
    """Keep the result of a run whose lab could not be removed completely: what is left becomes part of the result."""
    try:
        yield
    except TareError as error:
        if not ended:
            raise
        ended[0].left = str(error)


def _of_measured(observer: RunObserver, scenarios: Sequence[Scenario], skipped: Sequence[Skipped]) -> list[Skipped]:
    """Report the scenarios that are left out as a whole; return the skipped targets of the others."""
    measured = {scenario.name for scenario in scenarios}
    if whole := {item.scenario: item for item in skipped if item.scenario not in measured}:
        observer.left_out(list(whole.values()))
    return [item for item in skipped if item.scenario in measured]


def _rule(meta: Mapping[str, Any], run_context: runner.RunContext) -> stopping.StoppingRule | None:
    """Return the stopping rule that ``run.json`` records, ``None`` without one."""
    given = meta.get("rule")
    if given is None:
        return None
    scenarios = dict(run_context.scenarios)
    return stopping.StoppingRule(float(given["precision"]), given["budget_s"], run_context.writer.path, scenarios)


def make_id() -> str:
    """Return a new run id: the UTC time, which sorts, and 32 random bits, which keep hosts apart."""
    return f"{wall_time():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def open_lab(run_id: str, results: Path = Path("results")) -> Iterator[tuple[Lab, EventHub]]:
    """Open a run's lab and event hub; SIGTERM and SIGHUP tear them down like Ctrl-C does.

    Raises:
        UsageError: ``results`` is below ``/run``, which the lab replaces with its own.
        LabError: The lab could not be built.
    """
    if results.resolve().is_relative_to("/run"):
        msg = f"results cannot be written to '{results}': the lab has its own /run; choose another with --results DIR"
        raise UsageError(msg)
    with (
        interrupts.raised(),
        Lab(run_id.rpartition("-")[2], undo=undo_functions()) as lab,
        events.open_hub(lab.paths.state) as hub,
    ):
        yield lab, hub


def _meta(
    request: RunRequest,
    run_id: str,
    scenarios: Sequence[Scenario],
    skipped: Sequence[Skipped],
    prepared: preflight.Prepared,
) -> dict[str, Any]:
    """Return the first contents of ``run.json``."""
    known = facts.within(facts.host(), request.surroundings)
    return {
        "run_id": run_id,
        **{key: request.surroundings[key] for key in ("inside",) if key in request.surroundings},
        "tare_version": __version__,
        "command": list(request.command),
        "seed": request.seed,
        "host": known.values.get("host", ""),
        "started_at": wall_time().isoformat(timespec="seconds"),
        "started_mono_s": now_s(),
        "tags": dict(request.tags),
        "scenarios": {
            scenario.name: {
                **record.scenario_meta(scenario),
                "description": description.of(scenario),
                "parameters": description.in_force(scenario),
            }
            for scenario in scenarios
        },
        **({"rule": {"precision": request.precision, "budget_s": request.budget_s}} if request.precision else {}),
        "skipped": [dataclasses.asdict(item) for item in skipped],
        **facts.as_meta(known),
        "engines": {engine.target.text: dict(prepared.facts[text].values) for text, engine in prepared.engines.items()},
        "engine_epochs": {
            engine.target.text: sorted(prepared.facts[text].epoch) for text, engine in prepared.engines.items()
        },
    }


def _context(
    meta: Mapping[str, Any],
    scenarios: Sequence[Scenario],
    prepared: preflight.Prepared,
    *,
    lab: Lab,
    hub: EventHub,
    writer: store.RunWriter,
) -> runner.RunContext:
    """Return the context of a run; ``at_s`` of a resumed run counts from the first start, on the same boot's clock."""
    engines = {engine.target.text: engine for engine in prepared.engines.values()}
    return runner.RunContext(
        run_id=str(meta["run_id"]),
        scenarios={scenario.name: scenario for scenario in scenarios},
        engines=engines,
        host=engines["host"],
        lab=lab,
        hub=hub,
        writer=writer,
        began_s=float(meta["started_mono_s"]),
    )


def _execute(
    run_context: runner.RunContext,
    invocations: Sequence[Invocation],
    observer: RunObserver,
    meta: Mapping[str, Any],
    rule: stopping.StoppingRule | None = None,
) -> RunResult:
    """Measure the invocations, and record the final state and where the time went in ``run.json``."""
    result = RunResult(run_context.run_id, run_context.writer.path)
    begin = now_s()

    def note(outcome: Outcome, left: int) -> None:
        result.measured += 1
        result.failed += outcome.status in (Status.FAILED, Status.TIMEOUT)
        observer.outcome(outcome, left)

    state = RunState.INTERRUPTED
    try:
        runner.execute(run_context, invocations, note, rule.wants if rule else lambda _: True)
        state = RunState.COMPLETE
        if rule:
            ended = rule.finish()
            run_context.writer.update(
                scenarios={n: {**one, "stopped": ended[n]} for n, one in meta["scenarios"].items()}
            )
    except KeyboardInterrupt as error:
        result.interrupted = str(error) or "Ctrl-C"
    finally:
        wall = now_s() - begin
        account = run_context.account
        spent = {"wall_s": wall, "engine_s": account.engine_s, "barrier_s": account.barrier_s}
        spent["harness_s"] = wall - account.engine_s - account.barrier_s
        earlier = meta.get("harness", {})
        total = {key: value + earlier.get(key, 0.0) for key, value in spent.items()}
        with contextlib.suppress(StoreError) if state is not RunState.COMPLETE else contextlib.nullcontext():
            run_context.writer.update(state=state, finished_at=wall_time().isoformat(timespec="seconds"), harness=total)
    return result
