"""``tare list``, ``tare schema`` and ``tare completion``: read-only information."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.indexed import indexed
from bench.cli.options import RESULTS
from bench.core import plugins
from bench.core.errors import UsageError
from bench.core.plugins import Broken

if TYPE_CHECKING:
    from bench.index import Entry


@click.command("list")
@click.argument("what", type=click.Choice(["targets", "scenarios", "suites", "metrics", "runs"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@RESULTS
def list_command(what: str, as_json: bool, results: Path) -> None:
    """List targets, scenarios, suites, metrics, or the runs of the results folder."""
    if what == "runs":
        _list_runs(results, as_json=as_json)
        return
    rows = _ROWS[what]()
    for broken in broken_plugins():
        click.echo(f"{click.style('tare:', fg='yellow', bold=True)} {broken}", err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['about']}")


def _list_runs(results: Path, *, as_json: bool) -> None:
    """Print the runs, the oldest first; on standard error what is left out."""
    found = indexed(results)
    for one in found.each():
        if isinstance(one, str):
            click.echo(f"! left out: {one}", err=True)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in found.entries], indent=1))
        return
    if not found.entries:
        click.echo(f"no runs in '{results}'")
    rows = [(one.folder, one.state, one.host, _about(one)) for one in found.entries]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    for row in rows:
        click.echo("  ".join(f"{text:<{width}}" for text, width in zip(row, (*widths, 0), strict=True)).rstrip())


def _about(one: Entry) -> str:
    counts = f"{one.invocations} invocations" + (f", {one.failed} failed" if one.failed else "")
    tags = [f"{name}={value}" for name, value in one.tags.items()]
    copied = [f"a copy of {one.copy_of}"] if one.copy_of else []
    doubts = ["doubtful ('tare show' says why)"] if one.warnings else []
    broken = [] if one.readable else ["its lines cannot be read"]
    return "  ".join([counts, *tags, *copied, *doubts, *broken])


def broken_plugins() -> tuple[Broken, ...]:
    """Load what installed packages declare and return the plug-ins that cannot be used."""
    from bench import benchmarks, engines  # noqa: PLC0415

    engines.names()
    benchmarks.names()
    return plugins.broken()


def _targets() -> list[dict[str, Any]]:
    from bench import engines  # noqa: PLC0415

    rows = []
    for one in map(engines.get, engines.names()):
        options = {key: list(values) for key, values in one.options.items()}
        words = {key: "|".join(values) or ("PATH" if key in one.files else "…") for key, values in options.items()}
        about = ", ".join(f"{key}={word}" for key, word in words.items()) or "no options"
        rows.append({"name": one.name, "about": about, "options": options})
    return rows


def _scenarios() -> list[dict[str, Any]]:
    from bench import benchmarks, scenario  # noqa: PLC0415
    from bench.scenario import description  # noqa: PLC0415

    rows = []
    for name, path in scenario.names("scenario").items():
        try:
            one = scenario.load(path)[0]
        except UsageError as error:
            if name not in benchmarks.scenario_files():
                raise
            benchmarks.leave_out_scenario(name, str(error))
            continue
        targets = [target.text for target in one.targets]
        told = description.of(one)
        rows.append({"name": name, "about": one.title, "description": told, "targets": targets, "blocks": one.blocks})
    return rows


def _suites() -> list[dict[str, Any]]:
    from bench import scenario  # noqa: PLC0415

    rows = []
    for name, path in scenario.names("suite").items():
        parts = [f"{one.name} ({one.blocks} blocks)" for one in scenario.load(path)]
        rows.append({"name": name, "about": ", ".join(parts), "scenarios": [one.name for one in scenario.load(path)]})
    return rows


_BETTER = {"lower": "lower is better", "higher": "higher is better", "one": "1 is best", "zero": "0 is best"}


def _metrics() -> list[dict[str, Any]]:
    from bench.core.metrics import METRICS  # noqa: PLC0415

    return [
        {**dataclasses.asdict(one), "about": f"{one.unit}, {_BETTER[one.better]}: {one.title}"}
        for one in METRICS.values()
    ]


_ROWS = {"targets": _targets, "scenarios": _scenarios, "suites": _suites, "metrics": _metrics}


@click.command("schema")
@click.argument("what", type=click.Choice(["scenario", "claims", "show"]), default="scenario")
def schema_command(what: str) -> None:
    """Print the JSON Schema of scenario and suite files, of claims files, or of 'tare show --json', for editors and tools."""
    from bench import scenario  # noqa: PLC0415
    from bench.claims import files  # noqa: PLC0415
    from bench.report import shape  # noqa: PLC0415

    made = {"scenario": scenario.schema, "claims": files.schema, "show": shape.schema}
    click.echo(json.dumps(made[what](), indent=2))


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print a shell's completion script.

    \b
    bash: eval "$(tare completion bash)"
    zsh:  eval "$(tare completion zsh)"
    fish: tare completion fish | source
    """  # noqa: D301 - as in 'tare run'
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    from bench.cli import tare  # noqa: PLC0415

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click knows these three shells
    click.echo(found(tare, {}, "tare", "_TARE_COMPLETE").source())
