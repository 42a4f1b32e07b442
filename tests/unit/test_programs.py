"""The payload of the installed package: which one is used, and what is said when there is none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from bench.core import proc
from bench.core.errors import TargetUnavailable
from bench.lab import images, programs

needs_compiler = pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("make")), reason="there is no C compiler, or no make"
)
Installed = Callable[[str], Path]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """Return a function that makes an installed package with a payload for a machine; its program is a script."""
    package = tmp_path / "site packages/bench"
    shutil.copytree(Path(str(resources.files("bench") / "payload")), package / "payload")
    monkeypatch.setattr(programs, "_package", lambda: package)

    def install(machine: str) -> Path:
        home = package / "_data/payload" / machine / programs._source_digest()
        home.mkdir(parents=True)
        for name in (programs.PAYLOAD, programs.STAMP, programs.SPACES):
            (home / name).write_text("#!/bin/sh\necho from the wheel\n", encoding="ascii")
            (home / name).chmod(0o644)
        return home

    return install


def test_payload_of_the_wheel_is_used_without_a_compiler(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = installed(os.uname().machine)
    monkeypatch.setattr(proc, "_path", lambda: "/nonexistent")
    found = images.payload(tmp_path / "s")
    assert found.path.read_bytes() == (ready / programs.PAYLOAD).read_bytes()
    assert found.digest == images.sha256(found.path.read_bytes())
    assert proc.run([str(found.path)], timeout_s=10).check().stdout == "from the wheel\n"
    assert images.spaces(tmp_path / "s").parent == images.stamp(tmp_path / "s").parent == found.path.parent
    assert [path.name for path in (tmp_path / "s/payload").iterdir()] == [found.path.parent.name]


@needs_compiler
def test_payload_of_the_wheel_is_preferred_to_a_compiled_one_and_leaves_it(
    installed: Installed, tmp_path: Path
) -> None:
    compiled = images.payload(tmp_path)
    installed(os.uname().machine)
    shipped = images.payload(tmp_path)
    assert shipped.digest != compiled.digest
    assert shipped.path.parent.name.startswith(compiled.path.parent.name)
    assert images.sha256(compiled.path.read_bytes()) == compiled.digest


@needs_compiler
@pytest.mark.parametrize("change", ["sources", "machine"])
def test_payload_of_other_sources_or_another_machine_is_not_used(
    installed: Installed, tmp_path: Path, change: str
) -> None:
    ready = installed(os.uname().machine if change == "sources" else "sparc")
    if change == "sources":
        with (programs._package() / "payload/payload.c").open("a", encoding="ascii") as file:
            file.write("/* changed */\n")
    assert programs.shipped() is None
    assert images.payload(tmp_path / "s").path.read_bytes() != (ready / programs.PAYLOAD).read_bytes()


def failing(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    """Put a compiler that fails with these words first on PATH."""
    (folder / "bin").mkdir()
    (folder / "bin/cc").write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{says}\nEND\nexit 1\n", encoding="ascii")
    (folder / "bin/cc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")


@needs_compiler
@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("/usr/bin/ld: cannot find -lc\ncollect2: error: ld returned 1 exit status", "/usr/bin/ld: cannot find -lc"),
        (
            "In file included from payload.c:3:\nfeatures.h:1:10: fatal error: gnu/stubs.h: No such file or directory\n 1 | #include",
            "features.h:1:10: fatal error: gnu/stubs.h: No such file or directory",
        ),
        ("Killed", "Killed"),
    ],
)
def test_failed_compilation_is_one_line_with_the_compilers_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, reason: str
) -> None:
    failing(tmp_path, monkeypatch, says)
    with pytest.raises(TargetUnavailable) as raised:
        images.payload(tmp_path / "s")
    assert raised.value.reason == f"the payload does not compile here: {reason}"
    assert raised.value.remedy == "run 'tare provision payload' as root, or install gcc, make and the static C library"


def test_missing_compiler_names_the_machine_that_the_package_has_no_payload_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proc, "_path", lambda: "/nonexistent")
    with pytest.raises(TargetUnavailable, match=f"this installation has no payload for {os.uname().machine}"):
        images.payload(tmp_path)
