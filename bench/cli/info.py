"""``tare list``, ``tare schema`` and ``tare completion``: read-only information."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import click

from bench.core import plugins
from bench.core.errors import UsageError
from bench.core.plugins import Broken


@click.command("list")
@click.argument("what", type=click.Choice(["targets", "scenarios", "suites", "metrics"]))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_command(what: str, as_json: bool) -> None:
    """List targets, scenarios, suites or metrics."""
    rows = _ROWS[what]()
    for broken in broken_plugins():
        click.echo(f"{click.style('tare:', fg='yellow', bold=True)} {broken}", err=True)
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['about']}")


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
@click.argument("what", type=click.Choice(["scenario", "claims"]), default="scenario")
def schema_command(what: str) -> None:
    """Print the JSON Schema of scenario and suite files, or of claims files, for editors and other tools."""
    from bench import scenario  # noqa: PLC0415
    from bench.claims import files  # noqa: PLC0415

    click.echo(json.dumps(files.schema() if what == "claims" else scenario.schema(), indent=2))


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
