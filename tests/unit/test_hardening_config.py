"""The switches as each engine is given them: OCI configuration, Docker's API, daemon.json, subordinate users."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.core import kernelfiles
from bench.core.errors import NotApplicable
from bench.core.model import Target
from bench.engines import oci_hardening, oci_spec, users
from bench.engines.base import Engine, InstanceSpec, refuse_hardening
from bench.engines.docker import config, hardening, hardening_config, podman_service
from bench.engines.docker.api import ContainerConfig
from bench.engines.hardening import MAPPED, RULES, TMP, Hardening
from bench.lab import Lab

TARGET = Target("runc", "runc", {})


def made(wanted: Hardening | None) -> oci_spec.Config:
    spec = InstanceSpec("one", Path("/state/e/1"), hardening=wanted)
    return oci_spec.config(spec=spec, rootfs_path=Path("/r"), cgroup_path="/tare/aa/one")


def test_no_switch_leaves_the_configuration_as_it_is() -> None:
    assert made(Hardening()) == made(None)


def test_switches_are_in_the_oci_configuration() -> None:
    found = made(Hardening(user=True, userns=True, read_only=True, no_capabilities=True, seccomp="rules"))
    assert found["process"]["user"] == {"uid": 65534, "gid": 65534}
    assert not any(found["process"]["capabilities"].values())
    assert found["root"]["readonly"] is True
    assert found["mounts"][-1]["destination"] == TMP
    assert {"type": "user"} in found["linux"]["namespaces"]
    assert found["linux"]["uidMappings"] == [{"containerID": 0, "hostID": MAPPED, "size": 65536}]
    assert len(found["linux"]["seccomp"]["syscalls"]) == RULES


def test_unprivileged_user_keeps_its_bounding_set_only() -> None:
    sets = made(Hardening(user=True))["process"]["capabilities"]
    assert (sets["effective"], sets["permitted"]) == ([], [])
    assert len(sets["bounding"]) == 14


@pytest.mark.parametrize(
    ("wanted", "runtime", "why"),
    [
        (Hardening(no_new_privileges=True), "runc", "by default"),
        (Hardening(seccomp="none"), "crun", "no filter of system calls by default"),
        (Hardening(no_apparmor=True), "runc", "AppArmor"),
        (Hardening(no_selinux=True), "runsc", "names no label of SELinux"),
        (Hardening(seccomp="rules"), "runsc", "gVisor leaves out"),
    ],
)
def test_switch_that_changes_nothing_is_refused(wanted: Hardening, runtime: str, why: str) -> None:
    hardener = oci_hardening.Hardener(cast("Engine", SimpleNamespace(target=TARGET)), runtime, cast("Lab", None))
    assert why in hardener.refusal(wanted)
    with pytest.raises(NotApplicable, match="by default"):
        hardener.check(InstanceSpec("one", Path("/e"), hardening=wanted))


def test_engine_without_switches_refuses_them_and_not_their_absence() -> None:
    refuse_hardening(TARGET, InstanceSpec("one", Path("/e"), hardening=Hardening()))
    with pytest.raises(NotApplicable, match=r"'runc' has no such switch: user, read_only"):
        refuse_hardening(TARGET, InstanceSpec("one", Path("/e"), hardening=Hardening(user=True, read_only=True)))


def hardener(text: str = "docker", kind: type[hardening.Hardener] = hardening.Hardener, **options: str) -> Any:
    session = SimpleNamespace(
        target=Target(text, text.partition(":")[0], options), endpoint=SimpleNamespace(runtime="runc"), lab=None
    )
    return kind(cast("Any", session), cast("Engine", None), lambda: cast("Engine", None))


def test_switches_are_in_dockers_request() -> None:
    wanted = Hardening(user=True, read_only=True, no_capabilities=True, no_new_privileges=True, seccomp="rules")
    spec = InstanceSpec("one", Path("/e"), hardening=wanted)
    asked = hardener().config(spec, ContainerConfig("image", "bridge"))
    found = hardening_config.host_config(wanted, asked.security, asked.userns)
    assert (found["ReadonlyRootfs"], found["CapDrop"]) == (True, ["ALL"])
    assert found["SecurityOpt"][0] == "no-new-privileges"
    name, _, text = found["SecurityOpt"][1].partition("=")
    assert name == "seccomp"
    assert len(json.loads(text)["syscalls"]) == RULES
    assert hardening_config.user(wanted) == {"user": "65534:65534"}
    assert "UsernsMode" not in found


def test_no_switch_adds_nothing_to_dockers_request() -> None:
    before = ContainerConfig("image", "bridge")
    assert hardener().config(InstanceSpec("one", Path("/e")), before) is before
    assert hardening_config.host_config(None, (), "") == {}
    assert hardening_config.host_config(Hardening(), (), "") == {}


def test_podman_is_given_a_mapping_of_the_containers_own() -> None:
    spec = InstanceSpec("one", Path("/e"), hardening=Hardening(userns=True))
    assert hardener(kind=hardening.PodmanHardener)._userns(spec.hardening) == "auto:size=65536"


@pytest.mark.parametrize(("told", "refused"), [("N\n", True), ("", True), ("Y\n", False)])
def test_profile_of_apparmor_is_refused_where_the_kernel_has_none(
    monkeypatch: pytest.MonkeyPatch, told: str, refused: bool
) -> None:
    monkeypatch.setattr(kernelfiles, "text", lambda _: told)
    assert bool(hardener().refusal(Hardening(no_apparmor=True))) is refused


def test_label_of_selinux_is_left_out_only_where_an_engine_sets_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    off, podman = Hardening(no_selinux=True), hardener("podman", hardening.PodmanHardener)
    monkeypatch.setattr(hardening, "_SELINUX", tmp_path / "none")
    assert "runs without SELinux" in hardener().refusal(off)
    assert "runs without SELinux" in podman.refusal(off)
    monkeypatch.setattr(hardening, "_SELINUX", tmp_path)
    assert "the lab's daemon of 'docker' sets no labels" in hardener().refusal(off)
    assert not hardener(endpoint="system").refusal(off)
    assert not podman.refusal(off)
    assert hardening_config.security(off, "") == ["label=disable"]


def test_users_own_daemon_and_the_command_line_are_refused() -> None:
    assert "not the lab's daemon" in hardener(endpoint="system").refusal(Hardening(userns=True))
    assert not hardener(endpoint="system").refusal(Hardening(user=True))
    assert "through the API" in hardener(client="cli").refusal(Hardening(user=True))


def test_daemon_that_maps_users_is_configured_so() -> None:
    where = (Path("/home"), "overlay2", Path("/s"), Path("/c"), "/tare")
    assert json.loads(config.dockerd(*where, role=config.REMAPPED))["userns-remap"] == "65534:65534"
    assert "userns-remap" not in json.loads(config.dockerd(*where))


class Covering:
    """A lab that records with what it covers files."""

    def __init__(self, run: Path) -> None:
        self.covered: dict[Path, str] = {}
        self.daemons = self
        self.paths = SimpleNamespace(run=run)

    def cover(self, path: Path, text: str) -> None:
        """Record."""
        self.covered[path] = text


def test_ranges_of_users_do_not_overlap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paths = (tmp_path / "subuid", tmp_path / "subgid")
    monkeypatch.setattr(users, "_SUBORDINATE", paths)
    lab = Covering(tmp_path)
    with pytest.raises(NotApplicable, match=r"this host has no .*subuid and no .*subgid"):
        users.allot_users(cast("Lab", lab))
    for path in paths:
        path.touch()
    users.allot_users(cast("Lab", lab))
    assert set(lab.covered) == set(paths)
    rows = [line.split(":") for line in lab.covered[paths[0]].splitlines()]
    assert tmp_path.stat().st_mode & 0o777 == 0o711
    assert [(int(first), int(count)) for _, first, count in rows] == [(200_000, 65_536), (265_536, 65_536)]


def test_closed_folder_above_the_run_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "state/run/aa").mkdir(parents=True)
    lab = cast("Lab", SimpleNamespace(paths=SimpleNamespace(run=closed / "state/run/aa")))
    found = oci_hardening.Hardener(cast("Engine", SimpleNamespace(target=TARGET)), "runc", lab)
    closed.chmod(0o700)
    why = found.refusal(Hardening(userns=True))
    named = Path(why.split("'")[1])
    assert "TARE_STATE" in why
    assert closed.is_relative_to(named)
    assert named.stat().st_mode & 0o001 == 0
    assert found.refusal(Hardening(user=True)) == ""


def test_podman_keeps_the_capabilities_of_the_hosts_configuration(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    assert podman_service.capabilities((shipped, own)) == []
    shipped.write_text('[containers]\ndefault_capabilities = ["CHOWN", "KILL"]\n')
    own.write_text("not toml [")
    assert podman_service.capabilities((shipped, own)) == ["CHOWN", "KILL"]
    own.write_text('[containers]\ndefault_capabilities = ["CHOWN"]\n')
    assert podman_service.capabilities((shipped, own)) == ["CHOWN"]
    text = config.podman_containers(tmp_path, "crun", "/crun", capabilities=["CHOWN"])
    assert tomllib.loads(text)["containers"]["default_capabilities"] == ["CHOWN"]
    assert "default_capabilities" not in config.podman_containers(tmp_path, "crun", "/crun")
