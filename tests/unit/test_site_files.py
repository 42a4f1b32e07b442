"""The site's files: only what changed is written, all of it or nothing, and nothing of anybody else's is touched."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import index, site
from bench.core.errors import StoreError, UsageError
from bench.site import files, names
from tests.synthetic_history import Nights, add, change

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from bench.cli import run
sys.exit(run(["site", *sys.argv[2:]]))
"""
"""Builds a site where no file may be larger than so many bytes, as on a full disk."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("template")
    add(place / "results", range(3))
    add(place / "results", range(2), Nights(host="bench-02"))
    site.build(place / "results", place / "site")
    return place


@pytest.fixture
def results(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the results folder; beside it is its site, ``site``."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    site.build(tmp_path / "results", tmp_path / "site")  # the commands on the pages name this folder
    return tmp_path / "results"


def stamps(folder: Path) -> dict[str, int]:
    """Return all files of the site with the time at which each was written."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != files.LIST]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_second_build_writes_nothing(results: Path, tmp_path: Path) -> None:
    before = stamps(tmp_path / "site")
    second = site.build(results, tmp_path / "site")
    assert (second.written, second.kept, second.removed) == (0, len(before), 0)
    assert stamps(tmp_path / "site") == before


def test_new_run_writes_only_what_shows_it(results: Path, tmp_path: Path) -> None:
    before = stamps(tmp_path / "site")
    (new,) = add(results, [5])
    site.build(results, tmp_path / "site")
    after = stamps(tmp_path / "site")
    written = {path for path in after if after[path] != before.get(path)}
    assert names.run(new) in written
    assert {"index.html", "runs.html", "hosts/bench-01.html"} <= written
    assert not any("bench-02" in path for path in written)
    older = [path for path in written if path.startswith("runs/") and path != names.run(new)]
    assert len(older) == 1  # the run before it leads to it now


def test_build_from_nothing_and_build_in_steps_are_the_same(results: Path, tmp_path: Path) -> None:
    add(results, [5])
    site.build(results, tmp_path / "site")
    site.build(results, tmp_path / "other")
    assert contents(tmp_path / "site") == contents(tmp_path / "other")


def test_pages_of_a_removed_run_go_and_files_of_others_stay(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    gone = [path for path in results.iterdir() if "bench-02" in path.name]
    stranger = folder / "series" / "bench-02" / "note.txt"
    stranger.write_text("mine")
    for path in gone:
        shutil.rmtree(path)
    assert site.build(results, folder).removed > 4
    assert not (folder / names.run(gone[0].name)).exists()
    assert not (folder / "hosts" / "bench-02.html").exists()
    assert [path for path in (folder / "series" / "bench-02").rglob("*") if path.is_file()] == [stranger]


def test_page_that_was_removed_or_changed_is_written_again(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    before = contents(folder)
    (folder / "claims.html").unlink()
    (folder / "index.html").write_text("changed")
    assert site.build(results, folder).written == 2
    assert contents(folder) == before


def test_file_of_somebody_else_is_refused(results: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text("mine")
    with pytest.raises(
        UsageError, match=r"index.html' was not written by 'tare site': .* choose another folder with -o DIR"
    ):
        site.build(results, tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["index.html"]
    assert (tmp_path / "other" / "index.html").read_text() == "mine"


def test_results_folder_itself_is_refused(results: Path) -> None:
    with pytest.raises(UsageError, match="is the results folder itself"):
        site.build(results, results.parent / "results")


def limited(size: int, results: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LIMITED, str(size), str(results), "-o", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


def test_full_folder_is_a_clear_error_and_leaves_the_old_site_whole(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    before = contents(folder)
    add(results, [5])
    index.opened(results)  # brings it up to date: only the site itself is written below
    done = limited(6_000, results, folder)
    assert done.returncode == 4
    assert f"cannot write the site into '{folder}'" in done.stderr
    assert "what was there is unchanged; choose another folder with -o DIR" in done.stderr
    assert contents(folder) == before


@pytest.mark.root
def test_read_only_folder_and_unreadable_results_are_clear_errors(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    before = contents(folder)
    add(results, [5])
    for path in (results, *results.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o055)
    os.seteuid(65534)
    try:
        with pytest.raises(
            StoreError, match=r"cannot write the site into .*: Permission denied; what was there is unchanged"
        ):
            site.build(results, folder)
        os.seteuid(0)
        results.chmod(0)
        os.seteuid(65534)
        with pytest.raises(UsageError, match="cannot be read: Permission denied"):
            site.build(results, folder)
    finally:
        os.seteuid(0)
        results.chmod(0o755)
    assert contents(folder) == before


def test_folder_that_cannot_be_made_is_a_clear_error(results: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write the site into '.*/file/site': Not a directory"):
        site.build(results, tmp_path / "file" / "site")


def test_damaged_list_of_files_is_refused(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / files.LIST).write_text("{")
    with pytest.raises(UsageError, match="is damaged, so which files are the site's is unknown"):
        site.build(results, folder)


def test_two_builds_at_once_are_refused(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    held = os.open(folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="another 'tare site' writes into"):
        site.build(results, folder)
    os.close(held)


def test_build_that_was_killed_while_files_were_put_in_place_is_completed_by_the_next(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, whole = tmp_path / "site", tmp_path / "other"
    add(results, [5])
    change(results / add(results, [6])[0], state="interrupted")
    real, done = Path.replace, []

    def killed(self: Path, target: Path) -> Path:
        done.append(self)
        if len(done) == 6:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        site.build(results, folder)
    monkeypatch.undo()
    site.build(results, folder)
    site.build(results, whole)
    assert contents(folder) == contents(whole)
    assert not [path for path in json.loads((folder / files.LIST).read_text())["files"] if not (folder / path).exists()]
