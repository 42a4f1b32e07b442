"""Progress of ``tare run``: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence

import click

from bench import store
from bench.core.model import Invocation, Outcome, Skipped, Status
from bench.core.units import format_value
from bench.run.session import RunObserver


@contextlib.contextmanager
def observer(*, as_json: bool) -> Iterator[RunObserver]:
    """Yield the observer for standard error: a bar on a terminal, else lines, and nothing with ``as_json``."""
    if as_json:
        yield RunObserver()
    elif sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines()


def _announce(run_id: str, skipped: Sequence[Skipped], count: int, total: int) -> list[str]:
    targets: dict[str, dict[str, None]] = {}
    for item in skipped:
        targets.setdefault(_why(item), {})[item.target] = None
    lines = [f"not measured: {', '.join(names)}: {why}" for why, names in targets.items()]
    done = f", {total - count} done before" if total != count else ""
    return [*lines, f"run {run_id}: {count} invocations{done}"]


def _left_out(scenarios: Sequence[Skipped]) -> list[str]:
    return [f"left out: {item.scenario}: {_why(item)}" for item in scenarios]


def _why(item: Skipped) -> str:
    return item.reason + (f" → {item.remedy}" if item.remedy else "")


def coverage(run: store.Run) -> list[str]:
    """Return the lines on what a run measured and what it left out; none when nothing was left out."""
    skipped = store.skipped(run)
    if not skipped:
        return []
    outcomes = store.outcomes(run)
    done = outcomes[outcomes["status"] == Status.OK]
    scenarios, ended = run.meta["scenarios"], set(done["target"])
    measured = [name for name in scenarios if name in set(done["scenario"])]
    targets = list(dict.fromkeys(text for one in scenarios.values() for text in one["targets"] if text in ended))
    lines = [f"measured: {', '.join(measured) or 'nothing'}" + (f"; targets: {', '.join(targets)}" if targets else "")]
    whole = {one.scenario: one.reason for one in skipped if one.scenario not in scenarios}
    lines += [f"left out: {name}: {reason}" for name, reason in whole.items()]
    never = dict.fromkeys(one.target for one in skipped if one.scenario in scenarios)
    rest = [target for target in never if target not in targets]
    return lines + ([f"left out: targets {', '.join(rest)}; 'tare doctor' says why"] if rest else [])


def _describe(outcome: Outcome) -> str:
    return f"{outcome.scenario} block {outcome.block} {outcome.target} {_given(outcome)}".rstrip()


def _given(outcome: Outcome) -> str:
    return " ".join(f"{key}={value}" for key, value in outcome.params.items())


class _Problems:
    """Lines on invocations without numbers: each failure, but each reason for skipping only once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def line(self, outcome: Outcome) -> str | None:
        """Return the line to print for an outcome, ``None`` for none."""
        if outcome.status is Status.OK:
            return None
        if outcome.status is not Status.SKIPPED:
            return f"{_describe(outcome)}: {outcome.status}: {outcome.reason}"
        skip = (outcome.scenario, f"{outcome.target} {_given(outcome)}".rstrip(), outcome.reason)
        if skip in self._seen:
            return None
        self._seen.add(skip)
        return f"not applicable: {skip[0]} {skip[1]}: {skip[2]}"


class _Lines(RunObserver):
    """Plain lines: one for each block and each failure."""

    def __init__(self) -> None:
        self._block: tuple[str, int] | None = None
        self._problems = _Problems()
        self._total = 0

    def preparing(self, text: str) -> None:
        """Print what is being prepared."""
        click.echo(f"preparing {text}", err=True)

    def left_out(self, scenarios: Sequence[Skipped]) -> None:
        """Print the scenarios that are left out, and why."""
        for line in _left_out(scenarios):
            click.echo(line, err=True)

    def planned(self, run_id: str, skipped: Sequence[Skipped], invocations: Sequence[Invocation], total: int) -> None:
        """Print the run id, the skipped targets and the number of invocations."""
        self._total = total
        for line in _announce(run_id, skipped, len(invocations), total):
            click.echo(line, err=True)

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Print a failure, and the first outcome of each block."""
        if text := self._problems.line(outcome):
            click.echo(text, err=True)
        here = (outcome.scenario, outcome.block)
        if self._block != here:
            self._block = here
            mark = " (warm-up)" if outcome.warmup else ""
            click.echo(
                f"{outcome.scenario}: block {outcome.block}{mark}, {self._total - left} of {self._total}", err=True
            )


class _Bar(RunObserver):
    """A bar with the time left; failures are printed above it."""

    def __enter__(self) -> _Bar:
        from rich import progress  # noqa: PLC0415
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it

        console = Console(stderr=True)
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("left"),
            progress.TimeRemainingColumn(),
            console=console,
            auto_refresh=False,  # no thread of ours may wake up during a measurement
        )
        self._problems = _Problems()
        self._progress.start()
        self._task = self._progress.add_task("preparing", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def preparing(self, text: str) -> None:
        """Show what is being prepared."""
        self._progress.update(self._task, description=f"preparing {text}", refresh=True)

    def left_out(self, scenarios: Sequence[Skipped]) -> None:
        """Print the scenarios that are left out, and why, above the bar."""
        for line in _left_out(scenarios):
            self._progress.console.print(line, highlight=False, markup=False)

    def planned(self, run_id: str, skipped: Sequence[Skipped], invocations: Sequence[Invocation], total: int) -> None:
        """Print the run id and the skipped targets; set the bar's length to the number of invocations."""
        for line in _announce(run_id, skipped, len(invocations), total):
            self._progress.console.print(line, highlight=False, markup=False)
        self._progress.reset(self._task, total=total, completed=total - len(invocations), description="measuring")
        self._progress.refresh()

    def outcome(self, outcome: Outcome, left: int) -> None:
        """Advance the bar by one invocation; print a failure above it."""
        if text := self._problems.line(outcome):
            self._progress.console.print(text, style="yellow", highlight=False, markup=False)
        wall = format_value(outcome.wall_s, "s")
        text = f"{outcome.scenario} block {outcome.block} {outcome.target} ({wall})"
        self._progress.update(self._task, advance=1, description=text, refresh=True)
