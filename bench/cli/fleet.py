"""``tare fleet run``: the same scenarios on many hosts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import tasks
from bench.cli.measure import scenarios_of
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
from bench.run import stopping

if TYPE_CHECKING:
    from bench.hosts import fleet


@click.group("fleet")
def fleet_command() -> None:
    """Measure the same scenarios on many hosts and collect the runs in one results folder."""


@fleet_command.command("run")
@click.option(
    "-i", "--inventory", type=click.Path(path_type=Path), required=True, help="Ansible inventory that names the hosts."
)
@choices
@precision_choices
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for every run (repeatable).")
@RESULTS
@collected(options=MeasureOptions, limits=PrecisionOptions)
def run_command(
    *, inventory: Path, options: MeasureOptions, limits: PrecisionOptions, tags: Sequence[str], results: Path
) -> int:
    """Run scenarios or suites on every host of an Ansible inventory with one seed, and collect the runs.

    The host variable tare_program is the path of Tare on that host; without it this version is installed there.
    'tare provision -i INVENTORY' installs the engines. Compare two of the runs with: tare compare RUN RUN --factor kernel.
    """
    from bench.hosts import fleet  # noqa: PLC0415

    _check(options, limits, tags)
    files = [Path(name) for name in options.names if Path(name).is_file()]
    arguments = _arguments(options, limits, tags)
    with tasks.observer() as show_task:
        found = fleet.run(arguments, files, inventory, results, show_task if not options.as_json else lambda _: None)
    _print_hosts(found, as_json=options.as_json)
    return found.exit_code


def _check(options: MeasureOptions, limits: PrecisionOptions, tags: Sequence[str]) -> None:
    """Raise UsageError here for arguments that every host would refuse."""
    scenarios_of(options)
    pairs("--tag", tags)
    if limits.precision is not None:
        fraction(limits.precision)
    if limits.budget is not None:
        stopping.duration(limits.budget)


def _arguments(options: MeasureOptions, limits: PrecisionOptions, tags: Sequence[str]) -> list[str]:
    """Return the arguments of ``tare run`` on each host; scenario files are given by name, as they are copied there."""
    words = [Path(name).name if Path(name).is_file() else name for name in options.names]
    given = {"-t": options.targets, "-p": options.params, "--tag": tags}
    words += [word for option, texts in given.items() for text in texts for word in (option, text)]
    single = {
        "--blocks": options.blocks,
        "--warmup": options.warmup,
        "--seed": seed_of(options.seed),
        "--precision": limits.precision,
        "--budget": limits.budget,
    }
    return words + [word for option, value in single.items() if value is not None for word in (option, str(value))]


def _print_hosts(found: fleet.Gathered, *, as_json: bool) -> None:
    if as_json:
        hosts = [dataclasses.asdict(one) for one in found.hosts]
        click.echo(json.dumps({"hosts": hosts, "exit_code": found.exit_code}, indent=1))
    else:
        for one in found.hosts:
            failures = {4: " (some invocations failed)", 130: " (interrupted)"}.get(one.exit_code or 0, "")
            click.echo(f"{one.host}: run {one.run_id}{failures}" if one.run_id else f"{one.host}: no run: {one.reason}")
    if found.play.failed:
        click.echo(f"Ansible's own output is in {found.play.log}", err=True)
    else:
        found.play.log.unlink(missing_ok=True)
