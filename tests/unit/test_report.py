"""The files of a report: golden contents, and runs in which something is missing."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import report, store
from bench.core.errors import StoreError
from bench.core.model import RunState, Status
from bench.report import html, markdown, sections
from tests.synthetic import SHAPES, write_run

GOLDEN = Path(__file__).parent.parent / "golden"


def rendered(folder: Path, *runs: Path) -> Path:
    return report.render([store.load(run) for run in runs], folder).parent


def words(run: Path) -> tuple[str, str]:
    """Return the page and the Markdown of a run without its figures, which take longest."""
    runs = [report.collect(store.load(run))]
    return html.text(runs, {}), markdown.text(runs, {})


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("usual")
    return rendered(folder / "report", write_run(folder))


@pytest.mark.skipif("TARE_UPDATE_GOLDEN" not in os.environ, reason="only when the golden files are to be written")
def test_update_golden(usual: Path) -> None:
    for name in ("report.md", "summary.csv"):
        (GOLDEN / name).write_bytes((usual / name).read_bytes())


def test_markdown_is_as_agreed(usual: Path) -> None:
    assert (usual / "report.md").read_text() == (GOLDEN / "report.md").read_text()


def test_csv_is_as_agreed(usual: Path) -> None:
    ours, agreed = (rows_of(folder / "summary.csv") for folder in (usual, GOLDEN))
    assert len(ours) == len(agreed)
    for mine, line in zip(ours, agreed, strict=True):
        assert len(mine) == len(line)
        assert all(map(alike, mine, line)), (mine, line)


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


def alike(mine: str, agreed: str) -> bool:
    try:
        return math.isclose(float(mine), float(agreed), rel_tol=1e-9)
    except ValueError:
        return mine == agreed


def test_files_are_named_after_scenario_and_kind(usual: Path) -> None:
    names = {path.name for path in usual.iterdir()}
    figures = {f"startup-{kind}.svg" for kind in ("ladder", "ratio", "spread", "series", "cpu")}
    assert names == {"index.html", "report.md", "summary.csv", *figures}


def test_same_run_gives_the_same_bytes(usual: Path, tmp_path: Path) -> None:
    again = rendered(tmp_path / "report", write_run(tmp_path))
    assert {path.name for path in again.iterdir()} == {path.name for path in usual.iterdir()} >= {"index.html"}
    for path in usual.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name


def test_import_does_not_load_matplotlib() -> None:
    code = "import sys, bench.report; sys.exit('matplotlib' in sys.modules or 'rich' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=GOLDEN.parent.parent)


def test_run_without_any_measurement_says_so(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "report", write_run(tmp_path, blocks=0, warmups=0))
    for name in ("index.html", "report.md"):
        text = (folder / name).read_text()
        assert sections.NOTHING in text
        assert "tare provision runsc" in text
    assert not list(folder.glob("*.svg"))
    assert len((folder / "summary.csv").read_text().splitlines()) == 1


def test_run_that_only_failed_keeps_every_target_and_reason(tmp_path: Path) -> None:
    names = (*SHAPES, "null", "sentinel")
    failures = {(name, block): (Status.FAILED, f"no {name} today") for name in names for block in range(9)}
    folder = rendered(tmp_path / "report", write_run(tmp_path, failures=failures))
    page, text = ((folder / name).read_text() for name in ("index.html", "report.md"))
    assert sections.NOTHING in text
    for name in SHAPES:
        assert f"no {name} today" in page
        assert f"| {name} |" in text
    assert "8 of 8" in text
    assert not list(folder.glob("*.svg"))


def test_only_warmups_ended_well(tmp_path: Path) -> None:
    names = (*SHAPES, "null", "sentinel")
    failures = {(name, block): (Status.FAILED, "no") for name in names for block in range(1, 9)}
    folder = rendered(tmp_path / "report", write_run(tmp_path, failures=failures))
    assert {path.name for path in folder.glob("*.svg")} == {"startup-spread.svg"}


@pytest.mark.parametrize("target", ["host", "docker", "libvirt:accel=tcg,guest=full"])
def test_one_target_without_controls(tmp_path: Path, target: str) -> None:
    folder = rendered(tmp_path / "report", write_run(tmp_path, targets=(target,), controls=(), failures={}))
    assert target in (folder / "report.md").read_text()
    assert (folder / "startup-ladder.svg").exists()
    assert not (folder / "startup-ratio.svg").exists()


def test_single_block_has_no_interval_and_says_why(tmp_path: Path) -> None:
    folder = rendered(tmp_path / "report", write_run(tmp_path, blocks=1, warmups=0, failures={}))
    assert "too few for an interval" in (folder / "report.md").read_text()
    assert "warm-up, not counted" not in (folder / "index.html").read_text()  # words of a figure


def test_several_runs_have_a_section_and_figures_each(tmp_path: Path) -> None:
    first = write_run(tmp_path, run_id="one", host="alpha")
    second = write_run(tmp_path, seed=8, run_id="two", host="beta", state=RunState.INTERRUPTED)
    folder = rendered(tmp_path / "report", first, second)
    page = (folder / "index.html").read_text()
    assert "What isolation costs on 2 hosts: alpha, beta" in page
    assert 'id="run-1"' in page
    assert 'id="run-2"' in page
    assert "the run did not finish (state: interrupted)" in page
    assert {"one-startup-ladder.svg", "two-startup-ladder.svg"} <= {path.name for path in folder.iterdir()}
    assert {row[0] for row in rows_of(folder / "summary.csv")} == {"run_id", "one", "two"}


def test_drift_shows_in_the_verdict(tmp_path: Path) -> None:
    assert "**! doubt** Drift of the host" in words(write_run(tmp_path, drift=1.5))[1]


def test_different_evidence_is_flagged(tmp_path: Path) -> None:
    evidence = {("containerd", 5): {"runtime": "runc 1.1.5", "snapshotter": "native"}}
    page, _ = words(write_run(tmp_path, evidence=evidence))
    assert "! differs between invocations: snapshotter" in page
    assert "overlayfs (8×), native (1×)" in page


def test_accelerator_that_the_name_hides_is_shown(tmp_path: Path) -> None:
    run = write_run(
        tmp_path,
        targets=("host", "libvirt"),
        shapes={"host": SHAPES["host"], "libvirt": SHAPES["libvirt:accel=tcg,guest=full"]},
    )
    assert "libvirt (accelerator tcg)" in words(run)[1]


def test_command_reproduces_the_seed(tmp_path: Path) -> None:
    data = report.collect(store.load(write_run(tmp_path, seed=11)))
    assert sections.command(data) == "tare run startup --seed 11"


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = store.load(write_run(tmp_path, targets=("host",), blocks=1, warmups=0))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match="taken"):
        report.render([run], tmp_path / "taken")
