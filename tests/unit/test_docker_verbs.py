"""Docker's verbs in both spellings, Podman's settings, and a client that several threads may use."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("docker")

from docker.errors import DockerException

from bench.core import proc
from bench.core.errors import InvocationFailed
from bench.engines.base import Bind, InstanceSpec, Limits
from bench.engines.docker import api, cli, spec_settings
from bench.engines.docker.api import ContainerConfig
from bench.engines.docker.cli import Commands, arguments
from bench.engines.evidence import gvisor, process
from bench.lab import images

JOB = InstanceSpec("tare-1", Path("/run/e"), ("--sleep",), memory_bytes=2**26, cpus=0.5)
CONFIG = ContainerConfig("sha256:aa", "bridge", "runc")


class Nothing:
    """Verbs that only note what is asked of them."""

    name = "api"

    def __init__(self) -> None:
        self.removed: list[str] = []

    def create(self, spec: InstanceSpec, config: ContainerConfig) -> str:
        """Refuse."""
        raise NotImplementedError

    def start(self, container: str, timeout_s: float) -> None:
        """Refuse."""
        raise NotImplementedError

    def stop(self, container: str, grace_s: int, timeout_s: float) -> None:
        """Refuse."""
        raise NotImplementedError

    def remove(self, name: str, timeout_s: float) -> None:
        """Note it."""
        self.removed.append(name)


def test_cli_arguments_match_api_fields() -> None:
    binds = (Bind("data", Path("/srv")), Bind("out", Path("/o"), read_only=False))
    words = arguments(dataclasses.replace(JOB, binds=binds), CONFIG)
    assert words[:2] == ["--pull", "never"]
    pairs = set(pairwise(words))
    for pair in (
        ("--name", "tare-1"),
        ("--hostname", "tare-1"),
        ("--network", "bridge"),
        ("--runtime", "runc"),
        ("--memory", str(2**26)),
        ("--cpus", "0.500000000"),
        ("--volume", f"/run/e:{images.EVENTS}"),
        ("--volume", "/srv:/data:ro"),
        ("--volume", "/o:/out:rw"),
    ):
        assert pair in pairs
    assert words[words.index("sha256:aa") + 1 :] == ["--events", f"unix:{images.EVENTS}", "--sleep"]


def test_unset_limits_are_omitted() -> None:
    words = arguments(dataclasses.replace(JOB, memory_bytes=None, cpus=None), ContainerConfig("i", "none"))
    assert not {"--memory", "--cpus", "--pids-limit", "--runtime", "--memory-swap"} & set(words)


def test_io_rate_argument_names_device(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"device_read_bps": [{"Path": "/dev/vda", "Rate": 1000}], "pids_limit": 5}
    monkeypatch.setattr(spec_settings, "limits", lambda spec: found)
    words = arguments(JOB, CONFIG)
    assert ("--device-read-bps", "/dev/vda:1000") in set(pairwise(words))
    assert ("--pids-limit", "5") in set(pairwise(words))


def test_every_limit_has_a_cli_option() -> None:
    every = Limits(1, "0", 2**28, 5, "254:0", 1, 2, 2**26)
    assert set(spec_settings.limits(dataclasses.replace(JOB, limits=every))) == set(cli._OPTIONS)


def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str) -> tuple[Commands, Nothing]:
    """Return verbs by a command line that ends like this."""

    def run(argv: list[str], *, timeout_s: float, env: Any = None) -> proc.Completed:
        return proc.Completed(tuple(argv), status, "abc\n", said, 0, 0)

    monkeypatch.setattr(proc, "run", run)
    requests = Nothing()
    return Commands("unix:///s", tmp_path / "config", requests, "/bin/docker"), requests


def test_container_id_is_cli_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commands(tmp_path, monkeypatch, 0, "")[0].create(JOB, CONFIG) == "abc"


def test_cli_error_quotes_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs, _ = commands(tmp_path, monkeypatch, 125, "docker: Error response from daemon: no such\nimage")
    with pytest.raises(InvocationFailed, match=r"'docker start' ended with status 125: .*no such; image"):
        verbs.start("x", 5)


def test_remove_accepts_missing_or_vanishing_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs, requests = commands(tmp_path, monkeypatch, 1, "Error: No such container: x")
    verbs.remove("x", 5)
    assert requests.removed == []
    verbs, requests = commands(
        tmp_path, monkeypatch, 1, "Error response from daemon: removal of container x is already in progress"
    )
    verbs.remove("x", 5)
    assert requests.removed == ["x"]
    verbs, _ = commands(tmp_path, monkeypatch, 1, "permission denied")
    with pytest.raises(InvocationFailed, match="permission denied"):
        verbs.remove("x", 5)


def test_client_time_limit_is_per_thread() -> None:
    client = api._Client(base_url="unix:///nowhere", version="1.41", timeout=30)
    client.timeout = 5
    with ThreadPoolExecutor(1) as pool:

        def other() -> float:
            before = float(client.timeout)
            client.timeout = 7
            return before

        assert pool.submit(other).result() == 30
    assert client.timeout == 5
    client.close()


def test_daemon_death_is_named_for_every_error_type() -> None:
    for error in (DockerException("gone"), InvocationFailed("status 1")):
        with (
            pytest.raises(InvocationFailed, match="Podman's start failed because a daemon died: it ended"),
            api.asked("start", lambda: {"podman": "it ended"}, "Podman"),
        ):
            raise error
    with pytest.raises(InvocationFailed, match=r"^status 1$"), api.asked("start", dict):
        raise InvocationFailed("status 1")


@pytest.mark.parametrize(
    ("words", "runtime"),
    [
        (["/usr/bin/conmon", "-c", "x", "-r", "/usr/bin/crun", "-b", "y"], "/usr/bin/crun"),
        (["conmonrs", "--runtime=/usr/bin/runc"], "/usr/bin/runc"),
        (["conmonrs", "--runtime", "/usr/bin/runc"], "/usr/bin/runc"),
        (["conmon", "-c", "-r"], ""),
        (["conmon"], ""),
        ([], ""),
    ],
)
def test_runtime_is_read_from_conmon_arguments(words: list[str], runtime: str) -> None:
    assert process.runtime_argument(words) == runtime


def test_gvisor_default_platform_is_read_from_flags() -> None:
    said = (
        '  -platform string\n    \tspecifies which platform to use: ptrace (default), kvm. (default "ptrace")\n  -x\n'
    )
    assert gvisor.parse_default(said) == "ptrace"
    assert gvisor.parse_default(said.replace("ptrace", "systrap")) == "systrap"
    assert gvisor.parse_default("  -platform string\n    \twhich platform\n") == "default"
    assert gvisor.parse_default("") == "default"
