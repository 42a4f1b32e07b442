"""A user's builds and settings of daemons: names, files, refused settings, and evidence of what runs."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bench import engines
from bench.cli import run
from bench.core import proc
from bench.core.errors import InvocationFailed, TargetUnavailable, UsageError
from bench.engines.builds import DEFAULT, Build
from bench.engines.containerd.daemon import containerd_name
from bench.engines.cri.daemon import cri_name
from bench.engines.docker import config
from bench.engines.docker import settings as docker_settings
from bench.engines.docker.daemon import containerd_build, dockerd_name
from bench.engines.docker.settings import Live
from bench.engines.evidence import daemon
from bench.scenario import parse_target

HOME = Path("/s/run/aa/x")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with the state folder below: whatever is started or made shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TARE_STATE", str(tmp_path / "state"))
    return tmp_path


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def settings(folder: Path, **keys: Any) -> Path:
    path = folder / "daemon.json"
    path.write_text(json.dumps({key.replace("_", "-"): value for key, value in keys.items()}), encoding="utf-8")
    return path


def overriding(path: Path, program: str = "") -> Build:
    """Return the build of a program with the settings of a file."""
    return Build.of(program, path, docker_settings.read(path))


def generated(build: Build, **options: Any) -> dict[str, Any]:
    text = config.dockerd(HOME, "overlay2", HOME / "d.sock", HOME / "c.sock", "/tare/aa", build=build, **options)
    return dict(json.loads(text))


def test_each_build_has_its_own_daemon_names(tmp_path: Path) -> None:
    assert (dockerd_name("vfs", "swarm"), containerd_name("btrfs"), containerd_name("native"), cri_name()) == (
        "dockerd-vfs-swarm", "containerd-btrfs", "containerd", "containerd-cri",
    )  # fmt: skip
    builds = [Build.of("/a/dockerd"), Build.of("/b/dockerd"), overriding(settings(tmp_path, debug=True))]
    builds.append(overriding(tmp_path / "daemon.json", "/a/dockerd"))
    settings(tmp_path, debug=False)
    builds.append(overriding(tmp_path / "daemon.json", "/a/dockerd"))  # the same file, changed in between
    every = (DEFAULT, *builds)
    names = [dockerd_name("vfs", role, one) for one in every for role in ("", "swarm")]
    names += [containerd_name(snapshotter, one) for one in every for snapshotter in ("", "btrfs")]
    names += map(cri_name, every)
    assert len(set(names)) == len(names) == 5 * 6
    longest = dockerd_name("fuse-overlayfs", "proxied", builds[0])
    assert len(f"/var/lib/tare/run/1a2b3c4d/{longest}/exec/libnetwork/123456789012.sock") < 100  # 107 are allowed
    assert dockerd_name("vfs", "", builds[0]) == dockerd_name("vfs", "", Build.of("/a/dockerd"))


def test_programs_beside_a_build_come_first_on_its_path(tmp_path: Path) -> None:
    build = Build.of(str(program(tmp_path / "dockerd")))
    beside = str(program(tmp_path / "sh"))
    assert build.environment["PATH"].split(":")[0] == str(tmp_path)
    assert shutil.which("sh", path=build.environment["PATH"]) == build.find("sh", "") == beside
    assert build.find("cat", "") == proc.find("cat", "")
    assert (DEFAULT.environment, DEFAULT.beside("sh")) == ({}, None)


def test_dockerd_has_its_own_containerd_only_if_its_folder_has_programs_for_it(tmp_path: Path) -> None:
    build = Build.of(str(program(tmp_path / "dockerd")))
    assert containerd_build(build) == DEFAULT
    program(tmp_path / "runc")
    assert containerd_build(build) == Build(folder=str(tmp_path))  # containerd of PATH, which finds that runc first
    beside = str(program(tmp_path / "containerd"))
    assert containerd_build(build) == Build.of(beside)
    assert containerd_build(DEFAULT) == DEFAULT


def test_settings_of_a_build_override_the_labs(tmp_path: Path) -> None:
    usual, more = generated(DEFAULT), {"log_driver": "none", "log_level": "error", "userland_proxy": False}
    build = overriding(settings(tmp_path, **more))
    found = generated(build)
    assert {key for key in found if found[key] != usual.get(key)} == {
        "log-driver", "log-level", "userland-proxy", "containerd-namespace", "containerd-plugins-namespace",
    }  # fmt: skip
    assert found["containerd-namespace"] == f"tare-overlay2{build.mark}"
    assert (usual["log-level"], found["log-level"]) == ("warn", "error")


def test_helpers_beside_a_build_are_named_in_its_configuration(tmp_path: Path) -> None:
    proxy = program(tmp_path / "docker-proxy")
    build = Build.of(str(program(tmp_path / "dockerd")))
    found = generated(build)
    assert found["userland-proxy-path"] == str(proxy)
    assert "init-path" not in found
    both = overriding(settings(tmp_path, userland_proxy_path="/x"), build.program)
    with pytest.raises(UsageError, match="may not set 'userland-proxy-path'"):
        generated(both)


def test_storage_options_are_refused_only_with_a_pool(tmp_path: Path) -> None:
    build = overriding(settings(tmp_path, storage_opts=["size=1G"]))
    assert generated(build)["storage-opts"] == ["size=1G"]
    with pytest.raises(UsageError, match="'storage-opts'"):
        generated(build, pool="tare-x")


@pytest.mark.parametrize("key", sorted(generated(DEFAULT, role="proxied").keys() - {"log-level"}))
def test_setting_of_the_lab_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match=f"{tmp_path}/daemon.json' may not set '{key}': it "):
        docker_settings.read(settings(tmp_path, **{key: "x"}))


def test_refused_settings_are_all_named_with_a_remedy(tmp_path: Path) -> None:
    path = settings(tmp_path, data_root="/x", icc=False, default_runtime="crun", debug=True)
    with pytest.raises(UsageError) as caught:
        docker_settings.read(path)
    said = str(caught.value)
    assert all(part in said for part in ("'data-root'", "'icc': it changes docker0", "docker:runtime="))
    assert "debug" not in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"debug":', "is not JSON: "),
        (b"", "is not JSON: "),
        (b"\xff\xfe", "is not JSON: "),
        (b"[1]", "expected, not list"),
    ],
)
def test_invalid_daemon_json_is_a_usage_error_before_anything_is_started(
    here: Path, capsys: pytest.CaptureFixture[str], content: bytes, says: str
) -> None:
    path = here / "daemon.json"
    path.write_bytes(content)
    assert run(["run", "startup", "-t", "docker:network=none", "-t", f"docker:config={path}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tare: ")
    assert f"'{path}'" in said
    assert says in said
    assert list(here.iterdir()) == [path]


@pytest.mark.parametrize(
    "option", ["runc:bin", "docker:bin", "containerd:bin", "cri:bin", "docker:config", "libvirt:kernel"]
)
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/nowhere/x", "does not exist"),
        ("{tmp}", "is not a file but a folder"),
        ("/dev/null", "is not a file but a device"),
        ("/run/x", "is below /run, of which the lab has its own"),
    ],
)
def test_unusable_file_makes_the_target_unavailable_before_anything_is_started(
    here: Path, capsys: pytest.CaptureFixture[str], option: str, path: str, says: str
) -> None:
    text = f"{option}={path.format(tmp=here)}"
    assert run(["run", "startup", "-t", "host", "-t", text]) == 3
    said = capsys.readouterr().err
    assert f"of '{text}' {says}" in said
    assert f"give {option.partition(':')[2]}= the absolute path" in said
    assert not list(here.iterdir())


@pytest.mark.parametrize("option", ["runc:bin", "docker:bin", "docker:config", "libvirt:kernel"])
def test_relative_path_is_a_usage_error(option: str) -> None:
    with pytest.raises(UsageError, match="must be the absolute path of a"):
        parse_target(f"{option}=bin/x")


def test_only_a_program_must_be_executable(tmp_path: Path) -> None:
    path = settings(tmp_path, debug=True)
    with pytest.raises(TargetUnavailable, match=r"may not be executed .*chmod"):
        engines.check(parse_target(f"docker:bin={path}"))
    engines.check(parse_target(f"docker:config={path}"))
    path.chmod(0o755)
    engines.check(parse_target(f"docker:bin={path}"))


@pytest.mark.parametrize("text", ["docker:bin={}", "docker:config={}", "cri:bin={}"])
def test_build_of_a_users_own_daemon_is_refused(tmp_path: Path, text: str) -> None:
    path = settings(tmp_path, debug=True)
    path.chmod(0o755)
    for endpoint in ("/crio.sock",) if text.startswith("cri") else ("system",):
        with pytest.raises(TargetUnavailable, match=r"not the lab's cannot be chosen .*leave out"):
            engines.check(parse_target(f"{text.format(path)},endpoint={endpoint}"))


@pytest.fixture
def sleeper(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A running program that is a copy of its own."""
    path = tmp_path / "d" / "dockerd"
    path.parent.mkdir()
    shutil.copy(proc.find("sleep", ""), path)
    process = subprocess.Popen([path, "60"])
    while Path(f"/proc/{process.pid}/comm").read_text().strip() != "dockerd":
        time.sleep(0.005)
    yield path, process.pid
    process.kill()
    process.wait()


def test_daemon_evidence_is_the_program_that_runs(sleeper: tuple[Path, int], tmp_path: Path) -> None:
    path, pid = sleeper
    found = daemon.program(pid, Build.of(str(path)))
    assert (found["bin"], found["daemon"]) == (str(path), str(path))
    other = shutil.copy(path, tmp_path / "other")
    assert daemon.program(pid, Build.of(str(other)))["bin"] == str(path)  # no proof that it is the other
    link = tmp_path / "link"
    link.symlink_to(path)
    assert daemon.program(pid, Build.of(str(link)))["bin"] == str(link)
    script = program(tmp_path / "script")
    assert daemon.program(pid, Build.of(str(script)))["bin"] == str(script)  # it has become what it started
    assert "bin" not in daemon.program(pid, DEFAULT)
    path.unlink()
    shutil.copy(proc.find("cat", ""), path)  # built anew while its daemon runs
    rebuilt = daemon.program(pid, Build.of(str(path)))
    assert rebuilt["bin"] == f"{path} (deleted)"
    assert rebuilt["daemon_digest"] == found["daemon_digest"]


def test_evidence_of_a_dead_daemon_is_an_error() -> None:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    with pytest.raises(InvocationFailed, match=r"the daemon .* is gone"):
        daemon.program(process.pid, DEFAULT)


def test_settings_evidence_lists_what_was_read_back_and_what_was_not(tmp_path: Path) -> None:
    soft, hard = resource.prlimit(os.getpid(), resource.RLIMIT_NOFILE)
    limit = {"nofile": {"Name": "nofile", "Soft": soft, "Hard": hard}}
    path = settings(
        tmp_path, log_driver="none", default_ulimits=limit, labels=["b=1", "a=2"], mystery=1, live_restore=True
    )
    said = {"HostConfig": {"LogConfig": {"Type": "none"}}}
    live = Live(said, {"LiveRestoreEnabled": True, "Labels": ["a=2", "b=1"]}, os.getpid())
    build = overriding(path)
    assert docker_settings.in_force(build, live) == {
        "config": str(path),
        "config_digest": build.digest,
        "config_read": "default-ulimits labels live-restore log-driver",
        "config_unread": "mystery",
    }
    hidden = docker_settings.in_force(build, Live(said, {"Labels": None}, None))
    assert hidden["config_unread"] == "default-ulimits labels live-restore mystery"


def test_setting_that_is_not_in_force_is_in_the_evidence(tmp_path: Path) -> None:
    path = settings(tmp_path, log_driver="none", debug=True)
    live = Live({"HostConfig": {"LogConfig": {"Type": "json-file"}}}, {"Debug": True}, None)
    assert docker_settings.in_force(overriding(path), live)["config"] == f"{path}, but log-driver is json-file"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_daemon_json_is_decoded_by_its_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a b$HOME.json"
    path.write_bytes('{"log-driver": "local", "labels": ["größe"]}'.encode(encoding))
    text = docker_settings.read(path)
    assert json.loads(text) == {"log-driver": "local", "labels": ["größe"]}


@pytest.mark.parametrize("text", [b'{"a": ' + b"[" * 200_000, b'{"a": NaN}', b"\xff\xfe\x00", b'{"a": "\xe9"}', b""])
def test_daemon_json_that_is_no_json_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_bytes(text)
    with pytest.raises(UsageError, match=r"d\.json' is not (JSON|a daemon\.json of dockerd)"):
        docker_settings.read(tmp_path / "d.json")
