"""The first answer of the lab's own CRI runtime."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench.core.errors import InvocationFailed
from bench.engines.builds import DEFAULT
from bench.engines.cri import session
from bench.engines.cri.session import Session
from bench.lab import Lab


class Starting:
    """A runtime whose first calls fail, as containerd's do until its CRI plugin is initialised."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def version(self, timeout_s: float) -> str:
        """Fail or answer."""
        assert timeout_s > 0
        self.failures -= 1
        if self.failures >= 0:
            msg = "the CRI runtime's Version failed (UNKNOWN): server is not initialized yet"
            raise InvocationFailed(msg)
        return "answer"


def session_of(api: Starting, dead: dict[str, str]) -> Session:
    lab: Any = SimpleNamespace(daemons=SimpleNamespace(dead=lambda: dead))
    made = Session(cast("Lab", lab), "lab", DEFAULT, lambda: None)
    made.__dict__["api"] = api
    return made


def test_runtime_that_is_not_initialised_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "sleep_s", lambda _: None)
    assert session_of(Starting(3), {}).version() == "answer"


def test_runtime_that_has_died_is_not_asked_again() -> None:
    api = Starting(9)
    with pytest.raises(InvocationFailed, match="not initialized yet"):
        session_of(api, {"containerd-cri": "it ended"}).version()
    assert api.failures == 8
