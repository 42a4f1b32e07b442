"""Ability with switches that make instances safer."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from bench.engines.base import Engine
from bench.engines.hardening import Hardening


class Hardener(Protocol):
    """Which switches one engine has, and with what it makes instances for them."""

    def refusal(self, wanted: Hardening) -> str:
        """Return why these switches cannot be set, or change nothing, at this target; empty when they can."""
        ...

    def engine(self, wanted: Hardening) -> Engine:
        """Return the engine that makes such instances, prepared: another one where a switch is a daemon's, not a container's.

        Raises:
            NotApplicable: These switches cannot be set.
            TargetUnavailable: Its daemon cannot run here.
        """
        ...

    def default_capabilities(self) -> int | None:
        """Return how many capabilities the documentation says a container has by default; ``None`` where it says nothing."""
        ...


@runtime_checkable
class Hardens(Protocol):
    """An engine that can make instances safer than by its default."""

    @property
    def hardening(self) -> Hardener:
        """Its switches."""
        ...
