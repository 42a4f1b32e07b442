"""``tare fleet``: the same scenarios on many hosts."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

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
    from bench.hosts.records import Gathered

INVENTORY = click.option(
    "-i", "--inventory", type=click.Path(path_type=Path), required=True, help="Ansible inventory that names the hosts."
)
_PIPE_COLUMNS = 120
"""Table width when standard output is not a terminal."""

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("fleet")
def fleet_command() -> None:
    """Measure the same scenarios on many hosts and collect the runs in one results folder."""


@fleet_command.command("run")
@INVENTORY
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
    'tare provision -i INVENTORY' installs the engines. A run that could not be collected stays on its host: 'tare fleet fetch'
    collects it later. 'tare fleet compare RUN RUN RUN' says which hosts differ. Exit code 4: a host has no complete run.
    """
    from bench.cli import hosts_progress  # noqa: PLC0415
    from bench.hosts import fleet  # noqa: PLC0415

    _check(options, limits, tags)
    files = [Path(name) for name in options.names if Path(name).is_file()]
    arguments = _arguments(options, limits, tags)
    with hosts_progress.observer(quiet=options.as_json) as watch:
        found = fleet.run(arguments, files, inventory, results, watch)
    _print_hosts(found, as_json=options.as_json)
    return found.exit_code


@fleet_command.command("nightly")
@click.argument("suite", default="nightly")
@INVENTORY
@click.option("--blocks", type=click.IntRange(1, 10_000), help="Number of measured blocks; default: the scenario's.")
@click.option(
    "-t", "--target", "targets", multiple=True, metavar="TARGET", help="Measure only this target (repeatable)."
)
@click.option(
    "--keep", type=click.IntRange(min=10), default=90, show_default=True, help="Number of nights to keep on each host."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: reports/FLEET."
)
@AS_JSON
@RESULTS
def nightly_command(
    *,
    suite: str,
    inventory: Path,
    blocks: int | None,
    targets: Sequence[str],
    keep: int,
    output: Path | None,
    as_json: bool,
    results: Path,
) -> int:
    """Run a nightly suite on every host, compare each host with its own baseline, and collect verdicts and runs.

    The nights stay on the hosts (host variable nightly_dir, default /var/lib/tare-nightly), since they are the baseline of the
    next one. Exit code (the first that applies to any host): 1 a regression was confirmed, 4 a host has no complete night,
    5 too noisy to decide, else 0.
    """
    from bench.cli import hosts_progress  # noqa: PLC0415
    from bench.hosts import fleet, night  # noqa: PLC0415

    options = MeasureOptions(names=(suite,), targets=targets, blocks=blocks)
    scenarios_of(options)
    files = [Path(suite)] if Path(suite).is_file() else []
    arguments = [*_arguments(options, PrecisionOptions(), ()), "--keep", str(keep)]
    with hosts_progress.observer(quiet=as_json) as watch:
        found = fleet.nightly(arguments, files, inventory, results, watch)
    paths = night.write(found, suite, results, output or Path("reports") / f"fleet-{found.fleet}")
    if as_json:
        click.echo(json.dumps(night.as_json(found, suite, results), indent=1))
    else:
        click.echo(night.summary(found, suite, results), nl=False)
        click.echo(f"summary: {paths[0]}")
    _mention_log(found)
    return found.worst


@fleet_command.command("fetch")
@INVENTORY
@AS_JSON
@RESULTS
def fetch_command(inventory: Path, as_json: bool, results: Path) -> int:
    """Collect runs that 'tare fleet run' left on hosts because it was interrupted, a host was unreachable, or a copy failed.

    A run that is still in progress is left alone, and one that is here already is not copied again. Exit code 4: a run could not
    be collected, or is incomplete.
    """
    from bench.cli import hosts_progress  # noqa: PLC0415
    from bench.hosts import fleet  # noqa: PLC0415

    with hosts_progress.observer(quiet=as_json) as watch:
        found = fleet.fetch(inventory, results, watch)
    if not found.hosts and not as_json:
        click.echo("no host has a run of 'tare fleet run'")
    _print_hosts(found, as_json=as_json)
    return found.exit_code if found.hosts else 0


@fleet_command.command("wheelhouse")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The tar file.")
@click.option("--for", "python", nargs=3, metavar="PYTHON MACHINE GLIBC", help="The host's, such as 3.12 x86_64 2.36.")
def wheelhouse_command(output: Path, python: tuple[str, str, str] | None) -> None:
    """Pack this Tare, and what it needs on a host's Python, for a host without a network.

    Without --for only Tare itself is packed. 'tare provision' and 'tare fleet' do this by themselves; on a host that they cannot
    reach, unpack the file and install with: pip install --no-index --find-links DIR 'tare-bench[engines]'
    """
    from bench.hosts import wheelhouse  # noqa: PLC0415

    made = wheelhouse.make(output, wheelhouse.HostPython(*python) if python else None)
    click.echo(f"{output}: {made.size_bytes / 1e6:.1f} MB, sha256 {made.sha256}")


@fleet_command.command("compare")
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN…")
@click.option("--all", "everything", is_flag=True, help="Show every series, not only those in which a host differs.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder for hosts.html and its charts."
)
@AS_JSON
@RESULTS
def compare_command(runs: Sequence[str], everything: bool, output: Path | None, as_json: bool, results: Path) -> None:
    """Compare hosts: how much of each series' variance is between hosts, and which hosts differ from the others.

    RUN is a run of any host (an id, a unique prefix, a folder); the values of several runs of one host are pooled. Primary
    metrics are compared, as values and as ratios to the baseline. To compare two runs use 'tare compare'.
    """
    from rich.console import Console  # noqa: PLC0415

    from bench import store  # noqa: PLC0415
    from bench.compare import hosts as comparing  # noqa: PLC0415
    from bench.report import hosts as pages  # noqa: PLC0415

    loaded = [store.load(store.find(results, name)) for name in runs]
    for run in loaded:
        store.require_lines(run)
        for text in run.warnings:
            click.echo(f"! {run.run_id}: {text}", err=True)
    found = comparing.compare(loaded)
    if as_json:
        click.echo(json.dumps(pages.as_json(found), indent=1))
    else:
        Console(width=None if sys.stdout.isatty() else _PIPE_COLUMNS).print(pages.show(found, everything=everything))
    if output is not None:
        click.echo(f"page: {pages.render(found, output)}", err=as_json)


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


def _print_hosts(found: Gathered, *, as_json: bool) -> None:
    from bench.hosts import wording  # noqa: PLC0415

    notes = list(wording.notes(found.hosts))
    if as_json:
        hosts = [wording.as_json(one) for one in found.hosts]
        click.echo(
            json.dumps({"fleet": found.fleet, "hosts": hosts, "notes": notes, "exit_code": found.exit_code}, indent=1)
        )
    else:
        for text in (*map(wording.line, found.hosts), *notes):
            click.echo(text)
    _mention_log(found)


def _mention_log(found: Gathered) -> None:
    if found.play.failed:
        click.echo(f"Ansible's own output is in {found.play.log}", err=True)
    else:
        found.play.log.unlink(missing_ok=True)
