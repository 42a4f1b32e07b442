"""``tare fleet run``: the same scenarios on many hosts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli.host import show_task
from bench.cli.measure import RESULTS, choices, pairs, scenarios_of, seed_of, share
from bench.run import stopping

if TYPE_CHECKING:
    from bench.hosts import fleet


@click.group("fleet")
def fleet_command() -> None:
    """Measure the same on many hosts, and gather the runs in one results folder."""


@fleet_command.command("run")
@click.option(
    "-i", "--inventory", type=click.Path(path_type=Path), required=True, help="Ansible inventory that names the hosts."
)
@choices
@click.option("--precision", metavar="5%", help="Instead of --blocks: 8 to 40 until every interval is ± this narrow.")
@click.option("--budget", metavar="10m", help="With --precision: time for all scenarios together (90s, 10m, 2h).")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for every run (repeatable).")
@RESULTS
def run_command(*, inventory: Path, names: Sequence[str], targets: Sequence[str], params: Sequence[str], blocks: int | None,
                warmup: int | None, seed: int | None, as_json: bool, precision: str | None, budget: str | None,
                tags: Sequence[str], results: Path) -> int:  # fmt: skip
    r"""Run scenarios or suites on every host of an Ansible inventory, with one seed, and gather the runs.

    A host's variable tare_program names its Tare; without it this one is installed there. 'tare provision -i INVENTORY' installs
    the engines. Compare two of the runs with: tare compare RUN RUN --factor kernel.
    """
    from bench.hosts import fleet  # noqa: PLC0415

    scenarios_of(names, targets, params, blocks, warmup)  # what is wrong here would be wrong on every host
    pairs("--tag", tags)
    if precision is not None:
        share(precision)
    if budget is not None:
        stopping.duration(budget)
    files = [Path(name) for name in names if Path(name).is_file()]
    words = [Path(name).name if Path(name).is_file() else name for name in names]
    given = {"-t": targets, "-p": params, "--tag": tags}
    arguments = [*words, *(word for option, texts in given.items() for text in texts for word in (option, text))]
    single = {
        "--blocks": blocks,
        "--warmup": warmup,
        "--seed": seed_of(seed),
        "--precision": precision,
        "--budget": budget,
    }
    arguments += [word for option, value in single.items() if value is not None for word in (option, str(value))]
    found = fleet.run(arguments, files, inventory, results, show_task if not as_json else lambda _: None)
    _tell(found, as_json=as_json)
    return found.exit_code


def _tell(found: fleet.Gathered, *, as_json: bool) -> None:
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
