"""Which refused removals Podman's engine tries again: those of containers that restart, and no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.core.errors import InvocationFailed
from bench.engines.docker import podman
from bench.engines.docker.podman import Podman


class Session:
    """A service that refuses the first removals of its one container."""

    def __init__(self, policy: str, refusals: int) -> None:
        self.policy, self.refusals, self.removals = policy, refusals, 0
        self.lab = SimpleNamespace(daemons=SimpleNamespace(dead=list))

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what matters of the container."""
        return {"Name": name, "HostConfig": {"RestartPolicy": {"Name": self.policy}}}

    def remove_container(self, name: str) -> None:
        """Count the attempt."""
        self.removals += 1
        if self.removals <= self.refusals:
            msg = f"{name}: internal error"
            raise InvocationFailed(msg)


def delete(monkeypatch: pytest.MonkeyPatch, policy: str, refusals: int) -> Session:
    """Remove a container with that policy; return the session that counted the attempts."""
    monkeypatch.setattr(podman, "sleep_s", lambda _: None)
    engine, session = object.__new__(Podman), Session(policy, refusals)
    vars(engine).update(_session=session, commands=SimpleNamespace(end_monitors=lambda _: None))
    engine.delete("one")
    return session


@pytest.mark.parametrize("policy", ["always", "on-failure", "unless-stopped"])
def test_refused_removal_of_a_restarting_container_is_tried_again(monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    assert delete(monkeypatch, policy, refusals=3).removals == 4


@pytest.mark.parametrize("policy", ["", "no"])
def test_refused_removal_of_a_container_without_a_policy_is_reported(
    monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    with pytest.raises(InvocationFailed, match="internal error"):
        delete(monkeypatch, policy, refusals=1)


def test_removal_that_is_always_refused_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvocationFailed, match="internal error"):
        delete(monkeypatch, "always", refusals=100)
