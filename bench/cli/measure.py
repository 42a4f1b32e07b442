"""``tare plan`` and ``tare run``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench import scenario, store
from bench.cli.options import (
    RESULTS,
    MeasureOptions,
    PrecisionOptions,
    choices,
    collected,
    fraction,
    pairs,
    precision_choices,
    seed_of,
)
from bench.cli.progress import coverage, observer
from bench.core.errors import TargetUnavailable, UsageError
from bench.core.model import Scenario
from bench.run import session, stopping
from bench.scenario import plan


@click.command("plan")
@choices
@collected(options=MeasureOptions)
def plan_command(options: MeasureOptions) -> None:
    """Print the seeded list of invocations without running anything.

    Choices that depend on the host, such as accel=tcg for a virtual machine, are made when the run starts.
    """
    scenarios = scenarios_of(options)
    seed = seed_of(options.seed)
    invocations = plan.build(scenarios, seed)
    if options.as_json:
        click.echo(
            json.dumps({"seed": seed, "invocations": [dataclasses.asdict(item) for item in invocations]}, indent=1)
        )
        return
    for item in invocations:
        given = " ".join(f"{key}={value}" for key, value in item.params.items())
        mark = " (warm-up)" if item.warmup else ""
        click.echo(f"{item.index:5d}  {item.scenario}  block {item.block}{mark}  {item.target}  {given}".rstrip())
    click.echo(f"{len(invocations)} invocations, seed {seed}")


@click.command("run")
@choices
@RESULTS
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for run.json (repeatable).")
@click.option(
    "--inside",
    metavar="TARGET",
    help="Do the whole run inside a virtual machine: libvirt:guest=full (docs/in-a-guest.md).",
)
@precision_choices
@click.option("--resume", "resumed", metavar="RUN", help="Continue an interrupted run.")
@collected(options=MeasureOptions, limits=PrecisionOptions)
def run_command(
    *,
    options: MeasureOptions,
    limits: PrecisionOptions,
    results: Path,
    tags: Sequence[str],
    inside: str | None,
    resumed: str | None,
) -> int:
    """Measure scenarios or suites, given by name or YAML file. The last line printed is the run id.

    \b
    Examples:
      tare run quick
      tare run startup -t host -t runc -t docker:network=none --blocks 40
      tare run startup -p cache=warm,cold
      tare run my-scenario.yaml --tag kernel=6.12
      tare run startup -t docker:storage=devicemapper --inside libvirt:guest=full
    """  # noqa: D301 - \b is click's mark for a block that is not rewrapped
    with observer(as_json=options.as_json) as watching:
        if resumed is not None:
            if (
                options != MeasureOptions(as_json=options.as_json)
                or limits != PrecisionOptions()
                or tags
                or inside is not None
            ):
                msg = "--resume continues the run's own plan; leave out the options that say what to measure"
                raise UsageError(msg)
            result = session.resume(store.find(results, resumed), watching)
        else:
            request = _request(options, _stopping_rule(limits, options.blocks, inside), results, tags)
            result = session.run(request, watching) if inside is None else _run_inside(request, inside, watching)
    return _report_end(result, as_json=options.as_json, inside=inside is not None)


def _request(
    options: MeasureOptions, rule: tuple[float | None, float | None], results: Path, tags: Sequence[str]
) -> session.RunRequest:
    precision, budget_s = rule
    if precision:
        options = dataclasses.replace(options, blocks=stopping.MOST)
    return session.RunRequest(
        scenarios_of(options),
        frozenset(scenario.parse_target(text).text for text in options.targets),
        seed_of(options.seed),
        results,
        pairs("--tag", tags),
        ["tare", *sys.argv[1:]],
        precision=precision,
        budget_s=budget_s,
    )


def _stopping_rule(
    limits: PrecisionOptions, blocks: int | None, inside: str | None
) -> tuple[float | None, float | None]:
    """Return precision (a fraction) and budget (seconds), ``None`` for what was not given.

    Raises:
        UsageError: A text is invalid, or an option does not go together with another.
    """
    if limits.precision is None and limits.budget is None:
        return None, None
    if limits.precision is None:
        msg = "--budget needs --precision, the goal to reach within that time"
        raise UsageError(msg)
    if blocks is not None or inside is not None:
        msg = f"--precision chooses the number of blocks itself; leave out {'--blocks' if blocks else '--inside'}"
        raise UsageError(msg)
    return fraction(limits.precision), stopping.duration(limits.budget) if limits.budget else None


def _run_inside(request: session.RunRequest, inside: str, watching: session.RunObserver) -> session.RunResult:
    where = scenario.parse_target(inside)
    try:
        from bench.run import inside as guest  # noqa: PLC0415 - needs libvirt's Python binding
    except ImportError as error:
        msg = f"the Python package '{error.name}' is not installed"
        raise TargetUnavailable(msg, "pip install 'tare-bench[libvirt]'") from error
    return guest.run(request, where, watching)


def _report_end(result: session.RunResult, *, as_json: bool, inside: bool) -> int:
    """Print how the run ended and return the exit code."""
    code = 130 if result.interrupted else 4 if result.failed or result.left else 0
    if as_json:
        click.echo(json.dumps({"run_id": result.run_id, "folder": str(result.folder), "measured": result.measured,
                               "failed": result.failed, "interrupted": result.interrupted, "exit_code": code,
                               **({"left": result.left} if result.left else {})}))  # fmt: skip
        return code
    if result.interrupted:
        go_on = "" if inside else f"; continue with: tare run --resume {result.run_id}"
        click.echo(f"interrupted ({result.interrupted}); what was measured is kept{go_on}")
    elif result.failed:
        said = f"{result.failed} of {result.measured} invocations failed"
        click.echo(f"{said}; 'tare show {result.run_id}' counts them, the report says why")
    if result.left:
        click.echo(result.left)
    for line in coverage(store.load(result.folder)):
        click.echo(line)
    click.echo(f"results in {result.folder}")
    click.echo(f"run {result.run_id}")
    return code


def scenarios_of(options: MeasureOptions) -> list[Scenario]:
    """Load the named scenarios and suites and apply the command line's overrides.

    Raises:
        UsageError: No name was given, a name, target or parameter is unknown, or two scenarios have the same name.
    """
    if not options.names:
        msg = f"name a scenario or a suite; there are: {', '.join(sorted(scenario.names()))}"
        raise UsageError(msg)
    given = {key: list(value.split(",")) for key, value in pairs("-p", options.params).items()}
    found: list[Scenario] = []
    for name in options.names:
        for loaded in scenario.load(scenario.find(name)):
            changed = scenario.override(
                loaded, targets=options.targets, params=given, blocks=options.blocks, warmup_blocks=options.warmup
            )
            if changed.name in [other.name for other in found]:
                msg = f"the scenario '{changed.name}' is asked for twice in one run; run it twice or name it once"
                raise UsageError(msg)
            found.append(changed)
    return found
