"""Paths of users: blanks, colons, ``$``, quotes, line breaks, letters beyond ASCII and great length work or are refused early."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from bench import scenario
from bench.core import proc
from bench.core.errors import TargetUnavailable, UsageError
from bench.core.model import Target
from bench.engines import builds, given
from bench.engines.containerd import config as containerd_config
from bench.engines.cri import config as cri_config
from bench.engines.docker import config as docker_config
from bench.engines.oci import gvisor
from bench.hosts import ansible
from bench.lab import Lab, images, sweep
from bench.lab.paths import Paths, state_dir

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
HOSTILE = (
    "a b",
    "a:b",
    "a$HOME",
    "a$(touch x)",
    "a%b",
    "a'b",
    'a"b',
    "a\\b",
    "a\nb",
    "a,b",
    "a;b",
    "a#b",
    "größe",
    "-C",
    "@a",
    "x" * 200,
)


@needs_make
@pytest.mark.parametrize("name", HOSTILE)
def test_payload_is_compiled_in_a_state_folder_of_any_name(name: str, tmp_path: Path) -> None:
    source = Path(str(resources.files("bench") / "payload"))
    before = sorted(source.rglob("*"))
    precious = tmp_path / name.split(maxsplit=1)[0] if " " in name else tmp_path / "notes"
    precious.write_text("my notes", encoding="utf-8")
    state = tmp_path / name
    assert images.payload(state).path.is_relative_to(state)
    assert images.spaces(state).exists()
    assert precious.read_text(encoding="utf-8") == "my notes"
    assert sorted(tmp_path.iterdir()) == sorted([precious, state])
    assert [path.name for path in (state / "payload").iterdir()] == [images.payload(state).path.parent.name]
    assert sorted(source.rglob("*")) == before


@needs_make
@pytest.mark.parametrize("out", ["/nowhere/a b", "a b", "build x", "../x", "$(HOME)"])
def test_payload_makefile_refuses_other_output_folders(out: str) -> None:
    source = str(resources.files("bench") / "payload")
    done = proc.run([shutil.which("make") or "make", "-n", "-C", source, f"OUT={out}"], timeout_s=30)
    assert done.status != 0
    assert "OUT must be 'build' or '..'" in done.stderr


@pytest.mark.parametrize("name", HOSTILE)
def test_configurations_of_daemons_keep_any_path(name: str) -> None:
    home = Path("/") / name
    plain = tomllib.loads(containerd_config.containerd(home, home / "c.sock", "pool"))
    assert (plain["root"], plain["grpc"]["address"]) == (f"{home}/root", f"{home}/c.sock")
    assert plain["plugins"]["io.containerd.snapshotter.v1.devmapper"]["root_path"] == f"{home}/devmapper"
    cri = tomllib.loads(cri_config.containerd(home, home / "c.sock", "i", home, {"runc": f"{home}/runc"}))
    plugin = cri["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["cni"]["bin_dir"] == str(home)
    assert plugin["containerd"]["runtimes"]["runc"]["options"]["BinaryName"] == f"{home}/runc"
    podman = tomllib.loads(docker_config.podman_containers(home, "crun", f"{home}/crun"))
    assert podman["engine"]["runtimes"]["crun"] == [f"{home}/crun"]
    assert (
        tomllib.loads(docker_config.podman_storage(home, "overlay", "podman"))["storage"]["graphroot"] == f"{home}/root"
    )
    assert json.loads(docker_config.dockerd(home, "vfs", home / "s", home / "c", "/x"))["data-root"] == f"{home}/root"


@pytest.mark.parametrize("name", HOSTILE)
def test_script_that_wraps_gvisor_runs_a_program_of_any_name(name: str, tmp_path: Path) -> None:
    program, script = tmp_path / name / "runsc", tmp_path / "wrapper"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="utf-8")
    script.write_text(gvisor.wrapper_script(str(program), "none"), encoding="utf-8")
    for path in (program, script):
        path.chmod(0o755)
    assert proc.run([str(script), "a b"], timeout_s=10).stdout == "--network=none|--fsgofer-host-uds|a b|"


@pytest.mark.parametrize("name", [*HOSTILE, "/run/user/0/tare"])
def test_paths_that_engines_cannot_handle_get_an_alias_in_the_lab(name: str) -> None:
    paths = Paths.of("aa", Path("/s") / name)
    wanted = name != "-C"
    assert paths.is_plain is not wanted
    alias = paths.below_alias()
    assert (alias.is_alias, paths.is_alias) == (True, False)
    assert alias.run == Path("/run/tare-state/run/aa")
    assert alias.journal == paths.journal


def test_state_folder_too_long_for_sockets_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    state = tmp_path / ("x" * 100) / "tare"
    with pytest.raises(UsageError, match=r"bytes too long for unix sockets; choose a shorter one with TARE_STATE=DIR"):
        Lab("aa", state=state).__enter__()
    assert list(tmp_path.iterdir()) == []


def test_colon_in_the_state_folder_of_a_user_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    with pytest.raises(UsageError, match=r"has a colon; choose another with TARE_STATE=DIR"):
        Lab("aa", state=tmp_path / "a:b").__enter__()
    assert list(tmp_path.iterdir()) == []


def test_state_folder_that_is_not_utf8_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    state = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9tat"))
    with pytest.raises(UsageError, match=r"is not UTF-8 text; choose another with TARE_STATE=DIR"), sweep.alone(state):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_lab_of_a_user_works_in_a_state_folder_of_any_name(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if len(name) > 100 or ":" in name:
        pytest.skip("refused: see the tests of long paths and of colons")
    monkeypatch.setattr("bench.lab.is_root", lambda: False)
    state = tmp_path_factory.mktemp("s") / name
    with Lab("aa", state=state) as lab:
        assert lab.paths.run.is_dir()
    assert list((state / "run").iterdir()) == list((state / "journal").iterdir()) == []


def test_relative_xdg_state_folder_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TARE_STATE", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/Jane Doe")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert state_dir() == Path("/home/Jane Doe/.local/state/tare")


def test_program_below_a_folder_with_a_colon_is_refused_for_daemons(tmp_path: Path) -> None:
    program = tmp_path / "a:b" / "dockerd"
    program.parent.mkdir()
    program.touch(mode=0o755)
    with pytest.raises(TargetUnavailable, match="has a colon, at which PATH is split"):
        builds.of_target(Target(f"docker:bin={program}", "docker", {"bin": str(program)}))


def _make(folder: Path, *arguments: str) -> proc.Completed:
    """Say what make would do in a copy of the checkout's Makefile in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    checkout = Path(str(resources.files("bench"))).parent
    for name in ("Makefile", "pyproject.toml"):
        shutil.copyfile(checkout / name, folder / name)
    return proc.run([shutil.which("make") or "make", "-n", "-C", str(folder), *arguments], timeout_s=30)


@needs_make
@pytest.mark.parametrize("name", ["my env", "a$HOME", "a;b", "$(HOME)", "a'b", "a:b"])
@pytest.mark.parametrize("goal", ["setup", "clean"])
def test_virtual_environment_that_make_cannot_name_is_refused(name: str, goal: str, tmp_path: Path) -> None:
    done = _make(tmp_path, goal, f"VENV={name}")
    assert done.status == 2
    assert f"VENV='{name}' has characters that make cannot handle" in done.stderr


@needs_make
@pytest.mark.parametrize("name", ["Jane Doe", "100%", "it's", "größe", "a;b", "a#b"])
def test_checkout_of_this_name_is_set_up_with_relative_names(name: str, tmp_path: Path) -> None:
    done = _make(tmp_path / name, "setup")
    assert done.status == 0
    assert "-m venv .venv" in done.stdout
    assert name not in done.stdout.replace(f"make: Entering directory '{tmp_path / name}'", "").replace(
        f"make: Leaving directory '{tmp_path / name}'", ""
    )


@needs_make
@pytest.mark.parametrize("name", ["a:b", "a$b", 'a"b', "a\\b", "a`b", "a\nb"])
def test_checkout_that_no_virtual_environment_can_be_in_is_refused(name: str, tmp_path: Path) -> None:
    done = _make(tmp_path / name, "setup")
    assert done.status == 2
    assert "with which no virtual environment works: move it" in done.stderr


@needs_make
def test_suite_is_one_word_in_the_makefile(tmp_path: Path) -> None:
    done = _make(tmp_path, "bench", "SUITE=my suites/it's.yaml")
    assert "/tare run 'my suites/it'\\''s.yaml' ||" in done.stdout


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["x" * 200] * 30)])
def test_path_that_is_too_long_for_the_system_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(cannot be read|there is no file).*"):
        scenario.find(f"{tmp_path}/{name}.yaml")
    with pytest.raises(TargetUnavailable, match=r"cannot be used: File name too long|does not exist"):
        given.program(Target("runc:bin=x", "runc", {"bin": f"{tmp_path}/{name}"}))
    with pytest.raises(UsageError, match=r"cannot be used: File name too long"), sweep.alone(tmp_path / name):
        pass
    with pytest.raises(UsageError, match=r"cannot be read: File name too long"):
        ansible.check_inventory(tmp_path / name)


def test_loop_of_links_is_refused_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    with pytest.raises(TargetUnavailable, match=r"cannot be used|does not exist"):
        given.program(Target("runc:bin=x", "runc", {"bin": str(tmp_path / "a")}))
