"""Programs for use in targets: copied with their libraries into a folder named by its digest."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.lab import images, tools

LDD = (Path(__file__).parents[1] / "data/sysbench/ldd.txt").read_text(encoding="utf-8")


def test_ldd_output_gives_libraries_and_loader() -> None:
    libraries, loader = tools.parse_ldd(LDD, "sysbench")
    assert loader == Path("/lib64/ld-linux-x86-64.so.2")
    assert Path("/lib/x86_64-linux-gnu/libc.so.6") in libraries
    assert len(libraries) == LDD.count("=> /")
    assert not [path for path in libraries if "vdso" in path.name]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\tlibaio.so.1 => not found\n", "needs libraries that are missing: libaio.so.1"),
        ("\tnot a dynamic executable\n", "it says: not a dynamic executable"),
        ("", "it says: nothing"),
        (LDD.replace("/lib64/ld-linux-x86-64.so.2", "ld.so"), "the loader"),
    ],
)
def test_incomplete_ldd_output_is_refused_with_the_remedy(text: str, says: str) -> None:
    with pytest.raises(TargetUnavailable, match=says) as caught:
        tools.parse_ldd(text, "sysbench")
    assert caught.value.remedy == "run 'tare provision tools' as root"


def test_copied_program_runs_from_its_folder_alone(tmp_path: Path) -> None:
    found = tools.folder(tmp_path, "env")
    assert found.path == tmp_path / "tools" / found.digest[:16]
    assert found.digest == images.folder_digest(found.path)
    argv = [str(found.path / "ld.so"), "--library-path", str(found.path / "lib"), str(found.path / "bin/env"), "X=1"]
    assert "X=1" in proc.run(argv, timeout_s=10).check().stdout
    assert [path.name for path in (tmp_path / "tools").iterdir()] == [found.path.name]


def test_same_program_is_copied_once(tmp_path: Path) -> None:
    first = tools.folder(tmp_path, "env")
    made = first.path.stat().st_mtime_ns
    tools.folder.cache_clear()
    assert tools.folder(tmp_path, "env") == first
    assert first.path.stat().st_mtime_ns == made


def test_digest_of_a_folder_changes_with_every_change(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/a").write_bytes(b"1")
    seen = {images.folder_digest(folder)}
    (folder / "bin/a").write_bytes(b"2")
    seen.add(images.folder_digest(folder))
    (folder / "bin/a").chmod(0o700)
    seen.add(images.folder_digest(folder))
    (folder / "bin/a").rename(folder / "bin/b")
    seen.add(images.folder_digest(folder))
    assert len(seen) == 4
    copy = tmp_path / "g"
    shutil.copytree(folder, copy)
    assert images.folder_digest(copy) in seen


def test_program_that_is_not_installed_is_reported_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TargetUnavailable, match="'tare-no-such-program' is not on PATH") as caught:
        tools.folder(tmp_path, "tare-no-such-program")
    assert caught.value.remedy == "run 'tare provision tools' as root"
