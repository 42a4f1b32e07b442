"""``tare nightly`` and ``tare tag``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from bench import scenario, session, store
from bench.cli.measure import RESULTS, pairs, scenarios_of, seed_of
from bench.cli.progress import watcher


@click.command("nightly")
@click.argument("suite", default="nightly")
@click.option(
    "-t", "--target", "targets", multiple=True, metavar="TARGET", help="Measure only this target (repeatable)."
)
@click.option("--blocks", type=click.IntRange(1, 10_000), help="Measured blocks instead of the file's number.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the order; drawn and recorded when left out.")
@click.option("--keep", type=click.IntRange(min=10), default=90, show_default=True, help="Nights that are kept.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="A tag for run.json (repeatable).")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Folder; default reports/RUN.")
@RESULTS
def nightly_command(*, suite: str, targets: Sequence[str], blocks: int | None, seed: int | None, keep: int,
                    tags: Sequence[str], output: Path | None, results: Path) -> int:  # fmt: skip
    """Run a suite, compare it with this host's baseline, write report and summaries.

    Exit code 1: a regression for the second night; 5: too noisy to decide; 4: invocations failed. A first regression is told, and
    no alarm. 'tare tag RUN baseline=main' accepts a run as the baseline.
    """
    from bench import nightly, report  # noqa: PLC0415

    given = {**pairs("--tag", tags), "nightly": suite}
    explicit = frozenset(scenario.parse_target(text).text for text in targets)
    order = session.Order(
        scenarios_of([suite], targets, (), blocks, None),
        explicit,
        seed_of(seed),
        results,
        given,
        ["tare", *sys.argv[1:]],
    )
    with watcher(as_json=False) as watch:
        result = session.run(order, watch)
    if result.interrupted:
        click.echo(f"interrupted ({result.interrupted}); go on with: tare run --resume {result.run_id}")
        return 130
    run = store.load(result.folder)
    night = nightly.judge(results, run, suite)
    folder = output or Path("reports") / run.run_id
    page = report.render([run], folder)
    nightly.write(night, folder)
    gone = nightly.retain(results, night, keep)
    click.echo(nightly.summary(night), nl=False)
    if gone:
        click.echo(f"{len(gone)} nights older than the last {keep} were removed, baselines never are")
    click.echo(f"report: {page}")
    click.echo(f"run {run.run_id}")
    return night.exit_code


@click.command("tag")
@click.argument("run")
@click.argument("tags", nargs=-1, required=True, metavar="KEY=VALUE…")
@RESULTS
def tag_command(run: str, tags: Sequence[str], results: Path) -> None:
    """Put tags on a run: 'tare tag RUN baseline=main' makes it the baseline of the nights after it.

    There is one baseline=main in a results folder: the newest run that has the tag. KEY= takes a tag away.
    """
    found = store.load(store.find(results, run))
    kept = dict(found.meta.get("tags", {}))
    for text in tags:
        key, equals, value = text.partition("=")
        if equals and key and not value:
            kept.pop(key, None)
        else:
            kept |= pairs("tag", [text])
    store.RunWriter.reopen(found).update(tags=kept)
    told = " ".join(f"{key}={value}" for key, value in kept.items()) or "no tags"
    click.echo(f"{found.run_id}: {told}")
