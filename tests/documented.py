"""The example package as the pages of docs tell to write it: extracted from their code blocks, installed, on the path."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "docs/examples/tare-hello"
PAGES = tuple(ROOT / f"docs/adding-{what}.md" for what in ("a-benchmark", "an-engine"))
_FILE = re.compile(r"^`(?P<path>[\w./-]+)`:\n\n```(?:python|toml|yaml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(?P<lines>.*?)^```$", re.MULTILINE | re.DOTALL)


def files(page: Path) -> dict[str, str]:
    """Return the files that a page shows: path in the package → text."""
    return {found["path"]: found["text"] for found in _FILE.finditer(page.read_text(encoding="utf-8"))}


def commands(page: Path) -> list[str]:
    """Return the command lines that a page tells to type, in their order."""
    lines = [
        line for found in _CONSOLE.finditer(page.read_text(encoding="utf-8")) for line in found["lines"].splitlines()
    ]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def written(folder: Path) -> Path:
    """Write the package as a reader of the pages would, with nothing that they do not show but its docstring."""
    package = folder / "tare-hello"
    (package / "tare_hello").mkdir(parents=True)
    (package / "tare_hello/__init__.py").write_text('"""Mine."""\n', encoding="utf-8")
    for page in PAGES:
        for path, text in files(page).items():
            (package / path).parent.mkdir(parents=True, exist_ok=True)
            (package / path).write_text(text, encoding="utf-8")
    return package


def installed(package: Path, target: Path) -> Path:
    """Install a package into a folder of its own, with its entry points; the folder goes onto ``PYTHONPATH``."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        str(target),
    ]
    subprocess.run([*command, str(package)], check=True, capture_output=True, timeout=120)
    return target
