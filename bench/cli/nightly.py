"""``tare nightly``, ``tare ack`` and ``tare tag``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import scenario, store
from bench.cli.indexed import indexed
from bench.cli.measure import scenarios_of
from bench.cli.options import RESULTS, MeasureOptions, collected, pairs, seed_of
from bench.cli.progress import coverage, observer
from bench.core.clock import wall_time
from bench.core.errors import UsageError
from bench.core.model import Scenario
from bench.run import session

if TYPE_CHECKING:
    from bench.compare import acknowledged, nightly
    from bench.index import Index

_ACKNOWLEDGED_DAYS = 30
"""Days that an acknowledgement lasts without --until."""


@dataclass(frozen=True)
class NightlyOptions:
    """The command's options, as click reads them; their help says what they mean."""

    targets: Sequence[str]
    references: Sequence[tuple[str, str]]
    blocks: int | None
    seed: int | None
    confirm: bool
    keep: int
    tags: Sequence[str]
    output: Path | None


@click.command("nightly")
@click.argument("suite", default="nightly")
@click.option(
    "-t", "--target", "targets", multiple=True, metavar="TARGET", help="Measure only this target (repeatable)."
)
@click.option(
    "--against",
    "references",
    nargs=2,
    multiple=True,
    metavar="CURRENT REFERENCE",
    help="Measure REFERENCE next to CURRENT and compare the two block by block (repeatable).",
)
@click.option("--blocks", type=click.IntRange(1, 10_000), help="Number of measured blocks; default: the scenario's.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the order; default: random, recorded in the run.")
@click.option(
    "--confirm/--no-confirm", default=True, help="Measure what regressed or is in doubt again, on fresh blocks."
)
@click.option("--keep", type=click.IntRange(min=10), default=90, show_default=True, help="Number of nights to keep.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for run.json (repeatable).")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: reports/RUN.")
@RESULTS
@collected(options=NightlyOptions)
def nightly_command(*, suite: str, options: NightlyOptions, results: Path) -> int:
    """Run a suite, compare it with this host's baseline, write the report and summaries.

    Whatever regressed or is in doubt is measured again on fresh blocks. Exit code 1: a confirmed regression (on the fresh blocks
    too, or two nights in a row unless the fresh blocks are clean); 5: too noisy to decide; 4: invocations failed. A regression
    seen once is reported without an alarm. 'tare ack' accepts a known regression, 'tare tag RUN baseline=main' makes a run the
    baseline.
    """
    from bench.compare import acknowledged, nightly, nights  # noqa: PLC0415
    from bench.report import night as summaries  # noqa: PLC0415

    acknowledged.load(results)  # report a damaged file before an hour of measuring, not after
    request = _request(suite, options, results)
    run = _measured(request)
    if run is None:
        return 130
    night = nightly.judge(indexed(results), run, suite, options.references)
    folder = options.output or Path("reports") / run.run_id
    summaries.write(night, folder)  # keep the findings even if the confirmation fails
    if options.confirm and nightly.to_repeat(night):
        fresh = _measured(_confirmation(request, night))
        if fresh is None:
            return 130
        night = nightly.confirm(night, indexed(results), fresh, options.references)
        summaries.write(night, folder)
    past = indexed(results)
    page = _pages(night, folder, past)
    gone = nights.retain(past, suite, night.run, night.baseline, options.keep)
    click.echo(summaries.summary(night), nl=False)
    if gone:
        click.echo(f"removed {len(gone)} nights older than the last {options.keep}; baselines are always kept")
    for line in coverage(run):
        click.echo(line)
    click.echo(f"report: {page}")
    click.echo(f"run {run.run_id}")
    return night.exit_code


def _request(suite: str, options: NightlyOptions, results: Path) -> session.RunRequest:
    from bench.compare import nights  # noqa: PLC0415

    chosen = MeasureOptions(names=(suite,), targets=options.targets, blocks=options.blocks)
    explicit = [*options.targets, *(text for pair in options.references for text in pair)]
    return session.RunRequest(
        _with_references(scenarios_of(chosen), options.references),
        frozenset(scenario.parse_target(text).text for text in explicit),
        seed_of(options.seed),
        results,
        {**pairs("--tag", options.tags), nights.TAG: suite},
        ["tare", *sys.argv[1:]],
    )


def _pages(night: nightly.Night, folder: Path, results: Index) -> Path:
    """Write the run's report and the page of changes; return the page to open first."""
    from bench import report  # noqa: PLC0415
    from bench.compare import Side, course, trend  # noqa: PLC0415
    from bench.report import changes, drawing, trends  # noqa: PLC0415
    from bench.report import night as summaries  # noqa: PLC0415

    page = report.render([night.run], folder, processes=drawing.worthwhile([night.run]))
    if not night.compared:
        return page
    past = trend.history(results, suite=night.suite)
    made = course.course(results, past, trend.change_points(past))
    base = Side(night.chosen.runs[0]) if night.chosen.runs else None
    subject = changes.Subject(night.compared, Side(night.run), base, summaries.headline(night), made)
    trends.render(made, folder, results.results, subject.primary)
    return changes.render(subject, folder)


def _with_references(scenarios: Sequence[Scenario], references: Sequence[tuple[str, str]]) -> list[Scenario]:
    """Add each reference target to the scenarios that measure its current target.

    Raises:
        UsageError: No scenario has the current target, or current and reference are the same.
    """
    changed = list(scenarios)
    for pair in references:
        current, reference = (scenario.parse_target(text) for text in pair)
        having = [one for one in changed if current in one.targets]
        if current == reference or not having:
            there = ", ".join(dict.fromkeys(target.text for one in changed for target in one.targets))
            wrong = "the first must be a target of the suite and differ from the second"
            msg = f"'--against {pair[0]} {pair[1]}': {wrong}; the suite has {there}"
            raise UsageError(msg)
        short = [one.name for one in having if reference not in one.targets]
        changed = [
            dataclasses.replace(one, targets=(*one.targets, reference)) if one.name in short else one for one in changed
        ]
    return changed


def _confirmation(request: session.RunRequest, night: nightly.Night) -> session.RunRequest:
    """Return the request for fresh blocks: the scenarios with a regression or in doubt, all their targets, another seed."""
    from bench.compare.nightly import to_repeat  # noqa: PLC0415
    from bench.compare.nights import AGAIN  # noqa: PLC0415
    from bench.compare.verdicts import Verdict  # noqa: PLC0415
    from bench.store.hosts import FLEET_TAG  # noqa: PLC0415

    wanted, doubtful = to_repeat(night), sum(one.verdict is Verdict.INVALID for one in night.results)
    parts = [f"{len(night.findings)} series regressed in the first comparison"] * bool(night.findings)
    parts += [f"{doubtful} series in doubt"] * bool(doubtful)
    click.echo(f"{', '.join(parts)}: measuring {', '.join(wanted)} again, on fresh blocks")
    return dataclasses.replace(
        request,
        scenarios=[one for one in request.scenarios if one.name in wanted],
        seed=request.seed + 1,
        tags={AGAIN: night.run.run_id, **{name: text for name, text in request.tags.items() if name == FLEET_TAG}},
    )


def _measured(request: session.RunRequest) -> store.Run | None:
    with observer(as_json=False) as watch:
        result = session.run(request, watch)
    if result.left:
        click.echo(result.left)
    if result.interrupted:
        click.echo(f"interrupted ({result.interrupted}); continue with: tare run --resume {result.run_id}")
        return None
    return store.load(result.folder)


@click.command("ack")
@click.argument("series", required=False)
@click.option("--reason", metavar="TEXT", help="Why the regression is accepted.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Last day of the acknowledgement; default: 30 days from now.",
)
@click.option("--suite", default="nightly", show_default=True, help="Suite of the night.")
@RESULTS
def ack_command(*, series: str | None, reason: str | None, until: datetime | None, suite: str, results: Path) -> None:
    """Acknowledge a confirmed regression of the newest night: no alarm until a given day, unless it grows.

    SERIES is scenario/target/metric as in the summary, with * and ?. Without SERIES, list open and acknowledged regressions.
    """
    from bench.compare import acknowledged, nights  # noqa: PLC0415

    run, found = nights.newest(indexed(results), suite)
    if series is None:
        _list_ledger(acknowledged.load(results), run, found)
        return
    if not reason or not reason.strip():
        msg = f"give the reason for accepting '{series}' with --reason TEXT"
        raise UsageError(msg)
    today = wall_time().date()
    last = until.date() if until is not None else today + timedelta(days=_ACKNOWLEDGED_DAYS)
    if last < today:
        msg = f"--until {last} is in the past; give a day from {today} on"
        raise UsageError(msg)
    for one in acknowledged.acknowledge(results, found, series, reason=reason.strip(), until=last, run=run):
        click.echo(f"acknowledged until {one.until}: {one.series}")


def _list_ledger(known: Sequence[acknowledged.Acknowledgement], run: str, found: Sequence[Mapping[str, Any]]) -> None:
    from bench.compare.acknowledged import series_text  # noqa: PLC0415

    for one in known:
        click.echo(f"acknowledged until {one.until}: {one.series} ({one.reason})")
    covered = {one.series for one in known}
    texts = dict.fromkeys(series_text(one["scenario"], one["target"], one["metric"]) for one in found)
    still = [text for text in texts if text not in covered]
    for text in still:
        click.echo(f"open since the night {run} or before: {text}")
    if not known and not still:
        click.echo(f"nothing is open after the night {run}, and nothing is acknowledged")


@click.command("tag")
@click.argument("run")
@click.argument("tags", nargs=-1, required=True, metavar="KEY=VALUE…")
@RESULTS
def tag_command(run: str, tags: Sequence[str], results: Path) -> None:
    """Tag a run: 'tare tag RUN baseline=main' makes it the baseline of later nights.

    A results folder has one baseline: the run that was tagged baseline=main last. 'KEY=' removes a tag.
    """
    found = store.load(store.find(results, run))
    kept = dict(found.meta.get("tags", {}))
    for text in tags:
        key, equals, value = text.partition("=")
        if equals and key and not value:
            kept.pop(key, None)
        else:
            kept |= pairs("tag", [text])
    store.RunWriter.beside(found).update(tags=kept)
    told = " ".join(f"{key}={value}" for key, value in kept.items()) or "no tags"
    click.echo(f"{found.run_id}: {told}")
