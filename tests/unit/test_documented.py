"""The pages on adding an engine and a benchmark show the example package's files as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import documented


def test_pages_show_every_file_of_the_example() -> None:
    shown = {path: text for page in documented.PAGES for path, text in documented.files(page).items()}
    real = {
        str(path.relative_to(documented.EXAMPLE)): path.read_text(encoding="utf-8")
        for path in documented.EXAMPLE.rglob("*")
        if path.suffix in (".py", ".toml", ".yaml")
    }
    assert {path: text for path, text in real.items() if path != "tare_hello/__init__.py"} == shown


@pytest.mark.parametrize(("part", "most"), [("bwrap.py", 150), ("goodbye", 150)])
def test_example_is_short(part: str, most: int) -> None:
    place = documented.EXAMPLE / "tare_hello" / part
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.suffix in (".py", ".yaml")]
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= most


@pytest.mark.parametrize("page", documented.PAGES, ids=lambda page: page.stem)
def test_pages_name_commands_to_try(page: Path) -> None:
    assert any(line.startswith("tare run") for line in documented.commands(page))
