"""The nightly role's cron line and systemd unit: any path in them stays one word."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from bench.hosts.ansible import playbook_dir

jinja2 = pytest.importorskip("jinja2", reason="comes with Ansible")
TEMPLATES = playbook_dir() / "roles/nightly/templates"
NAMES = ("plain", "Jane Doe", "100%", "50% of it's", 'say "hi"', "back\\slash", "größe", "a;b", "a&b", "#a")


def rendered(name: str, **values: Any) -> str:
    """Render a template with Ansible's settings and its filter ``quote``."""
    known = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    known.filters["quote"] = shlex.quote
    values = {"ansible_managed": "managed", "nightly_cron": "0 2 * * *", "nightly_keep": 90, **values}
    text: str = known.from_string((TEMPLATES / name).read_text(encoding="utf-8")).render(values)
    return text


def unit_words(text: str) -> list[str]:
    """Split a line as systemd does and undo the doubling of ``%`` (systemd.syntax(7))."""
    return [word.replace("%%", "%") for word in shlex.split(text)]


@pytest.mark.parametrize("name", NAMES)
def test_cron_line_keeps_any_path_as_one_word(name: str) -> None:
    folder, program, suite = f"/var/{name}", f"/opt/{name}/tare", f"/etc/{name}.yaml"
    text = rendered("tare-nightly.cron.j2", nightly_dir=folder, nightly_program=program, nightly_suite=suite)
    (line,) = [line for line in text.splitlines() if line and not line.startswith("#")]
    command = line.removeprefix("0 2 * * * root ")
    assert command.count("%") == command.count("\\%")  # cron ends the command at any other
    words = shlex.split(command.replace("\\%", "%"))
    assert words == [
        "cd",
        folder,
        "&&",
        program,
        "nightly",
        suite,
        "--keep",
        "90",
        ">>",
        f"{folder}/nightly.log",
        "2>&1",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_unit_keeps_any_path_as_one_word(name: str) -> None:
    folder, program, suite = f"/var/{name}", f"/opt/{name}/tare", f"/etc/{name}.yaml"
    text = rendered("tare-nightly.service.j2", nightly_dir=folder, nightly_program=program, nightly_suite=suite)
    unit = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    assert unit_words(unit["ExecStart"]) == [program, "nightly", suite, "--keep", "90"]
    assert unit["WorkingDirectory"].replace("%%", "%") == folder
    assert unit["Documentation"].replace("%%", "%") == f"{Path(folder, 'reports').as_uri()}"
