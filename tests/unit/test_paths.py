"""Paths of users: blanks, colons, ``$``, quotes, line breaks, letters beyond ASCII and great length work or are refused early."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from bench.core import proc
from bench.lab import images

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
HOSTILE = ("a b", "a:b", "a$HOME", "a$(touch x)", "a%b", "a'b", 'a"b', "a\\b", "a\nb", "a,b", "a;b", "a#b", "größe", "-C", "@a", "x" * 200)


@needs_make
@pytest.mark.parametrize("name", HOSTILE)
def test_payload_is_compiled_in_a_state_folder_of_any_name(name: str, tmp_path: Path) -> None:
    source = Path(str(resources.files("bench") / "payload"))
    before = sorted(source.rglob("*"))
    precious = tmp_path / name.split()[0] if " " in name else tmp_path / "notes"
    precious.write_text("my notes", encoding="utf-8")
    state = tmp_path / name
    assert images.payload(state).path.is_relative_to(state)
    assert images.spaces(state).exists()
    assert precious.read_text(encoding="utf-8") == "my notes"
    assert sorted(tmp_path.iterdir()) == sorted([precious, state])
    assert [path.name for path in (state / "payload").iterdir()] == [images.payload(state).path.parent.name]
    assert sorted(source.rglob("*")) == before


@needs_make
@pytest.mark.parametrize("out", ["/tmp/a b", "a b", "build x", "../x", "$(HOME)"])
def test_payload_makefile_refuses_other_output_folders(out: str) -> None:
    source = str(resources.files("bench") / "payload")
    done = proc.run([shutil.which("make") or "make", "-n", "-C", source, f"OUT={out}"], timeout_s=30)
    assert done.status != 0
    assert "OUT must be 'build' or '..'" in done.stderr
