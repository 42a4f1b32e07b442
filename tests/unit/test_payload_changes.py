"""The payload looks for changes, makes them and fills a file system."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bench.benchmarks.volumes import changes
from bench.benchmarks.volumes.changes import CHANGES
from bench.core import proc
from bench.core.clock import now_s, sleep_s
from bench.lab import images

LIMIT_S = 60.0


def program(state: Path) -> str:
    return str(images.payload(state).path)


def said(out: Path, start: str) -> str:
    """Wait until a program has said a line, and return all that it said."""
    end = now_s() + LIMIT_S
    while start not in (text := out.read_text() if out.exists() else ""):
        assert now_s() < end, f"'{start}' was not said: {text}"
        sleep_s(0.005)
    return text


def watched(state: Path, folder: Path, out: Path, wanted: tuple[str, ...]) -> list[str]:
    """Return what the payload says of a folder in which these changes are made."""
    argv = [program(state), "--events", "fd:1", "--watch", f"{folder}:{500 if wanted != CHANGES else 60000}", "--exit"]
    process = proc.spawn(argv, stdout=out)
    try:
        said(out, "B watch")
        for change in wanted:
            changes.apply(folder, change)
        assert process.wait(LIMIT_S) == 0
    finally:
        process.stop(0, signal.SIGKILL)
    return [line for line in out.read_text().splitlines() if line.startswith(("S ", "E "))]


def test_every_change_is_seen_and_told_of_once_and_ends_the_watch(built_state: Path, tmp_path: Path) -> None:
    changes._lay_out(tmp_path / "in")
    found = watched(built_state, tmp_path / "in", tmp_path / "out", CHANGES)
    assert found[-1] == "E watch"
    assert sorted(found[:-1]) == sorted(f"S {how} {change}" for how in ("seen", "notified") for change in CHANGES)


@pytest.mark.parametrize("change", CHANGES)
def test_change_that_is_not_made_is_not_seen(built_state: Path, tmp_path: Path, change: str) -> None:
    changes._lay_out(tmp_path / "in")
    others = tuple(one for one in CHANGES if one != change)
    found = watched(built_state, tmp_path / "in", tmp_path / "out", others)
    assert not [line for line in found if line.endswith(f" {change}")]
    assert len(found) == 2 * len(others) + 1


def test_folder_that_is_not_there_shows_nothing(built_state: Path, tmp_path: Path) -> None:
    argv = [program(built_state), "--events", "fd:1", "--watch", f"{tmp_path}/none:50", "--exit"]
    done = proc.run(argv, timeout_s=LIMIT_S)
    assert done.status == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("S ")] == []


def test_payload_makes_the_same_changes_as_the_host(built_state: Path, tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        changes._lay_out(tmp_path / name)
    for change in CHANGES:
        changes.apply(tmp_path / "ours", change)
    argv = [program(built_state), "--events", "fd:1", "--change", f"{tmp_path}/theirs", "--exit"]
    done = proc.run(argv, timeout_s=LIMIT_S)
    assert done.stdout.splitlines()[-2:] == ["B change", "C change 4"]
    ours, theirs = (
        {path.name: path.read_text() for path in (tmp_path / name).iterdir()} for name in ("ours", "theirs")
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("path", "most", "says"),
    [("{tmp}/file", 2**20 + 5, ["M fill 1048576", "S fill all", "C fill 1048581"]), ("/dev/full", 4096, None)],
)
def test_file_system_is_filled_until_it_refuses(
    built_state: Path, tmp_path: Path, path: str, most: int, says: list[str] | None
) -> None:
    argv = [program(built_state), "--events", "fd:1", "--fill", f"{path.format(tmp=tmp_path)}:{most}", "--exit"]
    done = proc.run(argv, timeout_s=LIMIT_S)
    assert done.status == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if line[:2] not in ("F", "R", "B ")]
    assert found == (says or ["S fill No space left on device", "C fill 0"])


@pytest.mark.parametrize("option", ["--watch", "--fill"])
def test_number_that_is_missing_is_refused(built_state: Path, option: str) -> None:
    done = proc.run([program(built_state), option, "nowhere", "--exit"], timeout_s=LIMIT_S)
    assert done.status == 64
    assert option in done.stderr
