"""An ordinary user who runs an engine: what the host lacks, what the engines are given, and which targets cannot."""

from __future__ import annotations

import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.benchmarks.hardening import observed
from bench.core import kernelfiles, proc
from bench.core.errors import NotApplicable, TargetUnavailable
from bench.core.model import Facts, Target
from bench.engines import oci_hardening, oci_spec, rootless
from bench.engines.base import Engine, InstanceSpec
from bench.engines.docker import config, hardening, podman_service
from bench.engines.hardening import MAPPED, MAPPED_COUNT, UNPRIVILEGED, Hardening
from bench.engines.rootless import OrdinaryUser
from bench.lab import Lab

WANTED = Hardening(rootless=True)
NO_LAB = cast("Lab", None)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Forget what is known of this host before and after each test."""
    known = (rootless._forbidden, podman_service._release, podman_service.user_network)
    for one in known:
        one.cache_clear()
    yield
    for one in known:
        one.cache_clear()


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host lack nothing."""
    monkeypatch.setattr(rootless, "missing", lambda: "")
    monkeypatch.setattr(rootless, "blocked", lambda _: "")
    monkeypatch.setattr(rootless, "without_tun", lambda: "")
    monkeypatch.setattr(rootless, "allot_users", lambda _: None)


class Prepared:
    """An engine that counts how often it is prepared, and fails to be if told why."""

    target = Target("runc", "runc", {})

    def __init__(self, why: str = "") -> None:
        self.why = why
        self.times = 0

    def prepare(self) -> Facts:
        """Count, and fail if told to."""
        self.times += 1
        if self.why:
            raise TargetUnavailable(self.why, "no remedy")
        return Facts({})


def ordinary(engine: Prepared) -> OrdinaryUser:
    return OrdinaryUser(NO_LAB, lambda: cast("Engine", engine))


def programs(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the host have these programs only."""
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/bin/{name}" if name in names else None)


def test_missing_mappers_are_named_with_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, "newuidmap", "setpriv", "unshare", "true")
    why = rootless.missing()
    assert "need newgidmap, which" in why
    assert "package uidmap" in why


@pytest.mark.parametrize(("status", "forbidden"), [(0, False), (1, True)])
def test_user_namespace_of_an_ordinary_user_is_tried(
    monkeypatch: pytest.MonkeyPatch, status: int, forbidden: bool
) -> None:
    ran: list[list[str]] = []

    def run(argv: list[str], *, timeout_s: float) -> proc.Completed:
        ran.append(argv)
        return proc.Completed(tuple(argv), status, "", "unshare: write failed", 0.0, 0.0)

    monkeypatch.setattr(proc, "run", run)
    programs(monkeypatch, "newuidmap", "newgidmap", "setpriv", "unshare", "true")
    why = rootless.missing()
    assert bool(why) is forbidden
    assert ("write failed" in why) is forbidden
    assert f"--reuid={UNPRIVILEGED}" in ran[0]


def test_engine_of_an_ordinary_user_is_prepared_once(able: None) -> None:
    engine = Prepared()
    user = ordinary(engine)
    assert user.engine() is user.engine()
    assert engine.times == 1


def test_engine_that_cannot_be_prepared_is_refused_from_then_on(able: None) -> None:
    engine = Prepared("mqueue is not permitted")
    user = ordinary(engine)
    assert user.refusal() == ""
    for _ in range(2):
        with pytest.raises(NotApplicable, match="cannot run 'runc' here: mqueue is not permitted"):
            user.engine()
    assert engine.times == 1
    assert "mqueue" in user.refusal()


@pytest.mark.parametrize("mapped", [True, False])
def test_configuration_of_an_ordinary_user_has_no_control_group_and_no_limits(mapped: bool) -> None:
    spec = InstanceSpec("one", Path("/state/e/1"), memory_bytes=2**28, cpus=1)
    found = oci_spec.config(spec=spec, rootfs_path=Path("/r"), cgroup_path="/tare/aa/one")
    oci_hardening.unprivileged(found, mapped=mapped)
    linux = found["linux"]
    assert not {"cgroupsPath", "resources"} & set(linux)
    assert ({"type": "user"} in linux["namespaces"]) is mapped
    if mapped:
        assert linux["uidMappings"] == linux["gidMappings"]
        assert [row["hostID"] for row in linux["uidMappings"]] == [UNPRIVILEGED, MAPPED]
        assert [row["size"] for row in linux["uidMappings"]] == [1, MAPPED_COUNT]


def oci(name: str, user: OrdinaryUser | None) -> oci_hardening.Hardener:
    return oci_hardening.Hardener(cast("Engine", SimpleNamespace(target=Target(name, name, {}))), name, NO_LAB, user)


def docker(text: str, **options: str) -> hardening.Hardener:
    endpoint = SimpleNamespace(runtime="runc")
    session: Any = SimpleNamespace(target=Target(text, text, options), endpoint=endpoint, lab=None)
    engine = cast("Engine", SimpleNamespace())
    if text == "podman":
        return hardening.PodmanHardener(session, engine, ordinary(Prepared()))
    return hardening.Hardener(session, engine, lambda: engine)


def test_engine_with_a_daemon_of_root_is_refused() -> None:
    for hardener in (oci("containerd", None), docker("docker")):
        assert "has a daemon that runs as root" in hardener.refusal(WANTED)
        with pytest.raises(NotApplicable, match="rootlesskit"):
            hardener.engine(WANTED)


def test_mapped_users_beside_an_ordinary_user_are_refused(able: None) -> None:
    both = Hardening(rootless=True, userns=True)
    for hardener in (oci("runc", ordinary(Prepared())), docker("podman")):
        assert "mapped users already" in hardener.refusal(both)


def test_runtime_is_another_engine_for_an_ordinary_user_only(able: None) -> None:
    engine = Prepared()
    hardener = oci("crun", ordinary(engine))
    assert hardener.engine(WANTED) is cast("Engine", engine)
    assert hardener.engine(Hardening(user=True)) is not cast("Engine", engine)
    hardener.check(InstanceSpec("one", Path("/e"), hardening=WANTED))
    assert engine.times == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, ""),
        ({"network": "none"}, ""),
        ({"network": "user"}, "leave the option out"),
        ({"log": "journald"}, "a log"),
    ],
)
def test_networks_and_logs_that_root_sets_up_are_refused(
    able: None, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], why: str
) -> None:
    programs(monkeypatch, "slirp4netns")
    found = docker("podman", **options).refusal(WANTED)
    assert why in found
    assert bool(found) is bool(why)


def test_podman_without_a_network_for_users_is_refused_but_not_without_network(
    able: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch)
    assert "slirp4netns or pasta" in docker("podman").refusal(WANTED)
    assert docker("podman", network="none").refusal(WANTED) == ""


def test_podman_without_the_device_of_networks_is_refused_but_not_without_network(
    able: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, "pasta")
    monkeypatch.setattr(rootless, "without_tun", lambda: "no tun")
    assert docker("podman").refusal(WANTED) == "no tun"
    assert docker("podman", network="none").refusal(WANTED) == ""


def test_missing_device_of_networks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(rootless, "_TUN", tmp_path / "tun")
    assert "modprobe tun" in rootless.without_tun()
    (tmp_path / "tun").touch()
    assert rootless.without_tun() == ""


@pytest.mark.parametrize(
    ("here", "release", "wanted"),
    [
        (("slirp4netns", "pasta"), 4, "slirp4netns"),
        (("slirp4netns", "pasta"), 5, "pasta"),
        (("pasta",), 4, "pasta"),
        (("slirp4netns",), 5, "slirp4netns"),
        ((), 5, ""),
    ],
)
def test_network_of_an_ordinary_user_is_that_of_the_release(
    monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...], release: int, wanted: str
) -> None:
    programs(monkeypatch, *here)
    monkeypatch.setattr(podman_service, "_release", lambda: release)
    assert podman_service.user_network() == wanted


def test_podman_of_an_ordinary_user_has_its_storage_below_its_home_and_no_groups(tmp_path: Path) -> None:
    usual = tomllib.loads(config.podman_containers(tmp_path, "crun", "/crun"))["containers"]
    found = tomllib.loads(config.podman_containers(tmp_path, "crun", "/crun", grouped=False))["containers"]
    assert "cgroups" not in usual
    assert (found["cgroups"], found["pids_limit"]) == ("disabled", 0)
    stored = tomllib.loads(config.podman_storage(tmp_path, "overlay", "podman-x"))["storage"]
    assert stored["rootless_storage_path"] == stored["graphroot"] == str(tmp_path / "root")


@pytest.mark.parametrize(("mode", "covered"), [(0o666, False), (0o600, True)])
def test_device_of_networks_is_covered_only_where_others_cannot_use_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, covered: bool
) -> None:
    device, made = tmp_path / "net-tun", list[Path]()
    device.touch(mode)
    device.chmod(mode)
    monkeypatch.setattr(rootless, "_TUN", device)
    monkeypatch.setattr(os, "mknod", lambda path, kind, number: path.touch())
    lab = SimpleNamespace(
        paths=SimpleNamespace(run=tmp_path), daemons=SimpleNamespace(cover=lambda over, by: made.append(by))
    )
    rootless.open_tun(cast("Lab", lab))
    assert made == ([tmp_path / "tun"] if covered else [])
    assert not covered or made[0].stat().st_mode & 0o777 == 0o666


def test_users_of_a_process_are_all_four_of_its_status(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7/status").write_text("Name:\tone\nUid:\t65534\t65534\t0\t65534\nGid:\t1\t1\t1\t1\n")
    assert kernelfiles.users(7, tmp_path) == {0, 65534}
    assert kernelfiles.users(8, tmp_path) == frozenset()


def test_groups_of_its_own_are_neither_ours_nor_the_daemons(monkeypatch: pytest.MonkeyPatch) -> None:
    groups: dict[int | str, list[tuple[str, str]]] = {
        "self": [("1:cpuacct", "/tare/aa/harness"), ("2:memory", "/")],
        1: [("1:cpuacct", "/tare/aa/one"), ("2:memory", "/tare/aa/one")],
        2: [("1:cpuacct", "/tare/aa/lab"), ("2:memory", "/")],
        3: [("1:cpuacct", "/tare/aa/harness"), ("2:memory", "/")],
    }
    monkeypatch.setattr(observed, "_groups", lambda pid: groups[pid])
    assert [observed._own_groups([pid]) for pid in (1, 2, 3)] == [2, 0, 0]
    assert observed._own_groups([1, 2]) == 2
