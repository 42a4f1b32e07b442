"""``tare doctor``, ``tare provision`` and ``tare sweep``: check, install and clean up on this host."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli import tasks
from bench.core.model import Target
from bench.core.plugins import Broken
from bench.run.preflight import Verdict

if TYPE_CHECKING:
    from bench.hosts.ansible import PlayResult


@click.command("doctor")
@click.option("-t", "--target", "targets", multiple=True, metavar="TARGET", help="Only this target (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor_command(targets: Sequence[str], as_json: bool) -> int:
    """Try every target and say which ones work here, why others do not and how to fix that; then check the host for noise.

    Starts one instance of each target (a container, a virtual machine) and removes it again. Exit code 3: a target named with -t
    does not work.
    """
    from bench.cli.info import broken_plugins  # noqa: PLC0415
    from bench.run import preflight, session  # noqa: PLC0415

    wanted = _wanted(targets)
    with session.open_lab(session.make_id()) as (lab, hub):
        verdicts: list[Verdict] = []
        for number, target in enumerate(wanted):
            verdict = preflight.examine(target, lab, hub, number)
            if not as_json:
                _print(_as_before(verdict, verdicts))
            verdicts.append(verdict)
        stamps = preflight.stamps(hub.instrument)
    noise, broken, unfinished = [stamps, *preflight.noise()], broken_plugins(), _unfinished()
    if as_json:
        parts: dict[str, Sequence[Verdict | Broken]] = {
            "targets": verdicts,
            "noise": noise,
            "plugins": broken,
            "parts": unfinished,
        }
        click.echo(
            json.dumps({key: [dataclasses.asdict(one) for one in found] for key, found in parts.items()}, indent=1)
        )
    else:
        for one in broken:
            click.echo(f"{_mark(ok=False)}  {one}")
        for verdict in unfinished:
            _print(verdict)
        click.echo("\nHow quiet is this host?")
        for verdict in noise:
            _print(verdict)
        good = sum(verdict.ok for verdict in verdicts)
        click.echo(
            f"\n{good} of {len(verdicts)} targets run here, {sum(one.ok for one in noise)} of {len(noise)} noise checks are fine"
        )
    return 3 if targets and not all(verdict.ok for verdict in verdicts) else 0


def _wanted(texts: Sequence[str]) -> list[Target]:
    """Return the targets to try: the given ones, or by default those of the scenario startup and the engines' examples."""
    from bench import engines, scenario  # noqa: PLC0415

    if texts:
        return [scenario.parse_target(text) for text in texts]
    found = [*scenario.load(scenario.find("startup"))[0].targets]
    for name in engines.names():
        found += map(scenario.parse_target, engines.get(name).examined)
        if all(target.engine != name for target in found):
            found.append(scenario.parse_target(name))
    return list({target.text: target for target in found}.values())


def _unfinished() -> list[Verdict]:
    """Return what ``tare provision`` could not set up on this host."""
    from bench.hosts import parts  # noqa: PLC0415
    from bench.lab.paths import state_dir  # noqa: PLC0415

    return [
        Verdict(
            f"provision {part.role}",
            ok=False,
            says=f"failed at '{part.task}': {part.message.splitlines()[-1] if part.message else 'it said nothing'}",
            remedy=f"'tare provision {part.role}' as root tries again and prints the whole message",
        )
        for part in parts.read(state_dir())
    ]


def _as_before(verdict: Verdict, earlier: Sequence[Verdict]) -> Verdict:
    """Return the verdict with a reference in place of a reason that was printed for an earlier target."""
    for one in earlier:
        if not verdict.ok and (one.says, one.remedy) == (verdict.says, verdict.remedy):
            return dataclasses.replace(verdict, says=f"for the same reason as {one.name}", remedy="")
    return verdict


def _print(verdict: Verdict) -> None:
    click.echo(f"{_mark(ok=verdict.ok)}  {verdict.name:<36} {verdict.says}")
    if verdict.remedy:
        click.echo(f"    {'':<36} → {verdict.remedy}")


def _mark(*, ok: bool) -> str:
    return click.style("ok", fg="green") if ok else click.style("--", fg="yellow")


@click.command("provision")
@click.argument("engines", nargs=-1, metavar="[ENGINE…]")
@click.option("-i", "--inventory", type=click.Path(path_type=Path), help="Ansible inventory; default: this host.")
@click.option("--check", is_flag=True, help="Show what would change without changing it.")
def provision_command(engines: Sequence[str], inventory: Path | None, check: bool) -> int:
    """Install and configure engines with Ansible; a second run changes nothing.

    Without an ENGINE all of them, and on the hosts of an inventory also Tare itself ('tare'), for which they need no network.
    Needs root on the host that is provisioned. A part that fails does not keep the others from being installed: exit code 4, and
    the end says what failed and why; so does 'tare doctor'.
    """
    from bench.hosts import provision  # noqa: PLC0415

    with tasks.observer() as show_task:
        result = provision.provision(engines, inventory=inventory, check=check, on_event=show_task)
    for host, counts in sorted(result.hosts.items()):
        told = f"ok={counts.ok} changed={counts.changed} skipped={counts.skipped} failed={counts.failures}"
        click.echo(f"{host}: {told}" + (f" unreachable={counts.unreachable}" if counts.unreachable else ""))
    if result.failed:
        _print_failed(result)
    else:
        result.log.unlink(missing_ok=True)
    return 4 if result.failed else 0


def _print_failed(result: PlayResult) -> None:
    """Print each failed task with what it said, then which roles are missing."""
    said = ""
    for task in result.failed:
        message = "as above" if task.message == said else task.message
        click.echo(f"{tasks.name_of(task)}: {task.status}\n{message}", err=True)
        said = task.message
    if roles := ", ".join(dict.fromkeys(task.role for task in result.failed if task.role)):
        click.echo(f"not set up: {roles}; everything else is. 'tare doctor' says what cannot run without it", err=True)
    click.echo(f"Ansible's own output is in {result.log}", err=True)


@click.command("sweep")
@click.option("--dry-run", is_flag=True, help="Show what would be removed without removing it.")
def sweep_command(dry_run: bool) -> int:
    """Remove what killed runs left behind, as their journals list it, and nothing else."""
    from bench import engines  # noqa: PLC0415
    from bench.lab import sweep  # noqa: PLC0415
    from bench.lab.paths import state_dir  # noqa: PLC0415

    with sweep.alone(state_dir()):
        found = sweep.sweep(state_dir(), engines.undo_functions(), dry_run=dry_run)
    for thing in found:
        word = "would be removed" if dry_run else "removed" if thing.gone else "could NOT be removed"
        click.echo(f"{thing.kind} {thing.name}: {word}")
    if not found:
        click.echo("nothing to sweep")
    return 0 if dry_run or all(thing.gone for thing in found) else 4
