"""The end of a run whose lab cannot be removed completely: nothing that was measured, and no word on what is left, is lost."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.cli import measure
from bench.core.clock import EventHub
from bench.core.errors import LabError, TargetUnavailable
from bench.lab import Lab, journal
from bench.run import session
from tests.fakes import FakeLab, small

LEFT = "these could not be removed: pod tare-1; run 'tare sweep' later"


@pytest.fixture
def leaky(built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the lab by one that cannot be removed completely."""

    @contextlib.contextmanager
    def opened(*_: object) -> Iterator[tuple[FakeLab, EventHub]]:
        lab = FakeLab(built_state)
        try:
            with EventHub() as hub:
                yield lab, hub
        finally:
            lab.journal.close(done=True)
            shutil.rmtree(lab.paths.run)
        raise LabError(LEFT)

    monkeypatch.setattr(session, "open_lab", opened)


def request(folder: Path, **changes: object) -> session.RunRequest:
    """Return the request of a run of a fake target."""
    return session.RunRequest([small(["fake"], **changes)], frozenset(), 1, folder, {}, ["tare"])


@pytest.mark.usefixtures("leaky")
def test_result_of_run_is_kept_when_lab_cannot_be_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = session.run(request(tmp_path), session.RunObserver())
    assert (result.left, result.failed) == (LEFT, 0)
    assert measure._report_end(result, as_json=False, inside=False) == 4
    assert capsys.readouterr().out.splitlines() == [LEFT, f"results in {result.folder}", f"run {result.run_id}"]
    measure._report_end(result, as_json=True, inside=False)
    assert json.loads(capsys.readouterr().out)["left"] == LEFT


@pytest.mark.usefixtures("leaky")
def test_lab_error_without_result_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: object) -> None:
        raise TargetUnavailable("there is none")

    monkeypatch.setattr("bench.run.available.refuse_missing", unavailable)
    with pytest.raises(TargetUnavailable, match="there is none"):
        session.run(request(tmp_path), session.RunObserver())


@pytest.mark.usefixtures("leaky")
def test_epoch_facts_of_engines_are_recorded(tmp_path: Path) -> None:
    result = session.run(request(tmp_path), session.RunObserver())
    meta = json.loads((result.folder / "run.json").read_text())
    assert set(meta["engine_epochs"]) == set(meta["engines"]) == {"fake", "host"}


def test_lab_names_what_is_left_outside_and_keeps_journal(tmp_path: Path) -> None:
    lab = Lab("1eak", state=tmp_path)
    lab.journal = journal.Journal(lab.paths.journal)
    lab.journal.add_outside("pod", name="tare-1", endpoint="unix:///x")
    lab.journal.add_outside("pod", name="tare-2", endpoint="unix:///x")
    lab.journal.removed("pod", name="tare-2", endpoint="unix:///x")
    with pytest.raises(LabError, match=LEFT):
        lab._finish()
    assert [entry["name"] for entry in journal.read(lab.paths.journal)] == ["tare-1", "tare-2"]


def test_lab_removes_journal_when_everything_outside_is_gone(tmp_path: Path) -> None:
    lab = Lab("c1ea", state=tmp_path)
    lab.journal = journal.Journal(lab.paths.journal)
    lab.journal.add_outside("pod", name="tare-1", endpoint="unix:///x")
    lab.journal.removed("pod", name="tare-1", endpoint="unix:///x")
    lab._finish()
    assert not lab.paths.journal.exists()
