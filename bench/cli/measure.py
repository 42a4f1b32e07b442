"""``tare plan`` and ``tare run``."""

from __future__ import annotations

import dataclasses
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from bench import scenario, store
from bench.cli.progress import observer
from bench.core.errors import TargetUnavailable, UsageError
from bench.core.model import ParamValue, Scenario
from bench.run import session, stopping
from bench.scenario import plan

RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Results folder.",
)


def choices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that ``plan`` and ``run`` share."""
    for option in reversed(
        (
            click.argument("names", nargs=-1, metavar="SCENARIO|SUITE…"),
            click.option(
                "-t",
                "--target",
                "targets",
                multiple=True,
                metavar="TARGET",
                help="Measure only this target (repeatable).",
            ),
            click.option(
                "-p",
                "--param",
                "params",
                multiple=True,
                metavar="KEY=V1,V2",
                help="Values of a parameter (repeatable).",
            ),
            click.option(
                "--blocks", type=click.IntRange(1, 10_000), help="Measured blocks instead of the file's number."
            ),
            click.option("--warmup", type=click.IntRange(0, 100), help="Warm-up blocks instead of the file's number."),
            click.option(
                "--seed", type=click.IntRange(min=0), help="Seed of the order; drawn and recorded when left out."
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        )
    ):
        function = option(function)
    return function


@click.command("plan")
@choices
def plan_command(*, names: Sequence[str], targets: Sequence[str], params: Sequence[str], blocks: int | None,
                 warmup: int | None, seed: int | None, as_json: bool) -> None:  # fmt: skip
    """Print the seeded list of invocations; touches nothing.

    Choices that the host makes (such as accel=tcg of a virtual machine) are made when it runs.
    """
    scenarios = scenarios_of(names, targets, params, blocks, warmup)
    chosen = seed_of(seed)
    invocations = plan.build(scenarios, chosen)
    if as_json:
        click.echo(
            json.dumps({"seed": chosen, "invocations": [dataclasses.asdict(item) for item in invocations]}, indent=1)
        )
        return
    for item in invocations:
        given = " ".join(f"{key}={value}" for key, value in item.params.items())
        mark = " (warm-up)" if item.warmup else ""
        click.echo(f"{item.index:5d}  {item.scenario}  block {item.block}{mark}  {item.target}  {given}".rstrip())
    click.echo(f"{len(invocations)} invocations, seed {chosen}")


@click.command("run")
@choices
@RESULTS
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for run.json (repeatable).")
@click.option(
    "--inside", metavar="TARGET", help="Put the whole run into a guest: libvirt:guest=full (docs/in-a-guest.md)."
)
@click.option("--precision", metavar="5%", help="Instead of --blocks: 8 to 40 until every interval is ± this narrow.")
@click.option("--budget", metavar="10m", help="With --precision: time for all scenarios together (90s, 10m, 2h).")
@click.option("--resume", "resumed", metavar="RUN", help="Go on with a run that was cut off.")
def run_command(*, names: Sequence[str], targets: Sequence[str], params: Sequence[str], blocks: int | None, warmup: int | None,
                seed: int | None, as_json: bool, results: Path, tags: Sequence[str],
                inside: str | None, precision: str | None, budget: str | None,
                resumed: str | None) -> int:  # fmt: skip
    r"""Measure scenarios or suites by name or YAML file; prints the run id last.

    \b
    Examples:
      tare run quick
      tare run startup -t host -t runc -t docker:network=none --blocks 40
      tare run startup -p cache=warm,cold
      tare run my-scenario.yaml --tag kernel=6.12
      tare run startup -t docker:storage=devicemapper --inside libvirt:guest=full
    """
    with observer(as_json=as_json) as watch:
        if resumed is not None:
            _refuse_beside_resume(names, targets, params, blocks, warmup, seed, tags, inside, precision, budget)
            result = session.resume(store.find(results, resumed), watch)
        else:
            narrow, budget_s = _rule(precision, budget, blocks, inside)
            scenarios = scenarios_of(names, targets, params, stopping.MOST if narrow else blocks, warmup)
            explicit = frozenset(scenario.parse_target(text).text for text in targets)
            request = session.RunRequest(
                scenarios,
                explicit,
                seed_of(seed),
                results,
                pairs("--tag", tags),
                ["tare", *sys.argv[1:]],
                precision=narrow,
                budget_s=budget_s,
            )
            result = session.run(request, watch) if inside is None else _run_inside(request, inside, watch)
    return _ending(result, as_json, inside)


def _rule(
    precision: str | None, budget: str | None, blocks: int | None, inside: str | None
) -> tuple[float | None, float | None]:
    """Read the rule that says when there are blocks enough."""
    if precision is None and budget is None:
        return None, None
    if precision is None:
        msg = "--budget needs --precision: what is to be reached within that time"
        raise UsageError(msg)
    if blocks is not None or inside is not None:
        msg = f"--precision chooses the number of blocks itself; leave out {'--blocks' if blocks else '--inside'}"
        raise UsageError(msg)
    return share(precision), stopping.duration(budget) if budget else None


def _run_inside(request: session.RunRequest, inside: str, watch: session.RunObserver) -> session.RunResult:
    where = scenario.parse_target(inside)
    try:
        from bench.run import inside as guest  # noqa: PLC0415 - needs libvirt's Python binding
    except ImportError as error:
        msg = f"the Python package '{error.name}' is not installed"
        raise TargetUnavailable(msg, "pip install 'tare-bench[libvirt]'") from error
    return guest.run(request, where, watch)


def _ending(result: session.RunResult, as_json: bool, inside: str | None) -> int:
    code = 130 if result.interrupted else 4 if result.failed else 0
    if as_json:
        click.echo(json.dumps({"run_id": result.run_id, "folder": str(result.folder), "measured": result.measured,
                               "failed": result.failed, "interrupted": result.interrupted, "exit_code": code}))  # fmt: skip
        return code
    if result.interrupted:
        go_on = "" if inside else f", go on with: tare run --resume {result.run_id}"
        click.echo(f"interrupted ({result.interrupted}); what was measured is kept{go_on}")
    elif result.failed:
        said = f"{result.failed} of {result.measured} invocations failed"
        click.echo(f"{said}; 'tare show {result.run_id}' counts them, the report says why")
    click.echo(f"results in {result.folder}")
    click.echo(f"run {result.run_id}")
    return code


def scenarios_of(names: Sequence[str], targets: Sequence[str], params: Sequence[str], blocks: int | None,
                 warmup: int | None) -> list[Scenario]:  # fmt: skip
    """Load scenarios and suites by name or path, with the command line's changes."""
    if not names:
        msg = f"name a scenario or a suite; there are: {', '.join(sorted(scenario.names()))}"
        raise UsageError(msg)
    given = _param_lists(params)
    found: list[Scenario] = []
    for name in names:
        for loaded in scenario.load(scenario.find(name)):
            changed = scenario.override(loaded, targets=targets, params=given, blocks=blocks, warmup_blocks=warmup)
            if changed.name in [other.name for other in found]:
                msg = f"the scenario '{changed.name}' is asked for twice in one run; run it twice or name it once"
                raise UsageError(msg)
            found.append(changed)
    return found


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Read an option's KEY=VALUE texts.

    Raises:
        UsageError: One of them is none.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            msg = f"'{option} {text}' is not KEY=VALUE"
            raise UsageError(msg)
        found[key] = value
    return found


def _param_lists(texts: Sequence[str]) -> dict[str, list[ParamValue]]:
    return {key: list(value.split(",")) for key, value in pairs("-p", texts).items()}


def seed_of(given: int | None) -> int:
    """Return the seed, drawn when none was given."""
    return secrets.randbelow(2**31) if given is None else given


def _refuse_beside_resume(*given: object) -> None:
    if any(item is not None and item != () for item in given):
        msg = "--resume goes on with the plan that the run has; give nothing else that says what to measure beside it"
        raise UsageError(msg)


def share(text: str) -> float:
    """Read ``5%`` or ``0.05``.

    Raises:
        UsageError: It is neither, or not between 0 and 100 %.
    """
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        msg = f"'{text}' is no share: write 5% or 0.05, above 0 and below 100 %"
        raise UsageError(msg)
    return value
