"""What a fleet's hosts did: records without sentences of their own, but for those that a host or Ansible said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.hosts.ansible import PlayResult

_WORST_FIRST = (1, 4, 5)
"""Exit codes, the one that matters most first: a regression, something that did not work, too noisy to decide."""


@dataclass(frozen=True)
class Clock:
    """How far a host's clock is from this one's, in seconds; the error is the largest that the connection allows."""

    offset_s: float
    error_s: float

    @property
    def is_off(self) -> bool:
        """Whether the clocks differ for certain by more than a second."""
        return abs(self.offset_s) - self.error_s > 1


@dataclass(frozen=True)
class HostRun:
    """The result of one host.

    Attributes:
        host: The host's name in the inventory.
        run_id: The id of its run, empty when there is none.
        exit_code: The exit code of Tare there, ``None`` when it was not started or did not end.
        reason: Why there is no run, or why it is not whole.
        version: The version of Tare there.
        clock: What is known of its clock.
        more: Ids of further runs: a night's fresh blocks.
        was_here: Whether the run was fetched before.
        name: The name that the host has itself.
        boot: The id of the boot of its kernel, by which one machine under two names is known.
    """

    host: str
    run_id: str = ""
    exit_code: int | None = None
    reason: str = ""
    version: str = ""
    clock: Clock | None = None
    more: tuple[str, ...] = ()
    was_here: bool = False
    name: str = ""
    boot: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether there is a run without failures."""
        return bool(self.run_id) and self.exit_code == 0 and not self.reason

    @property
    def night_code(self) -> int:
        """The exit code of its night: 0, 1 or 5 as the host decided, 4 if there is no whole night."""
        if self.exit_code == 1 and self.run_id:
            return 1
        return self.exit_code or 0 if self.exit_code in (0, 5) and self.run_id and not self.reason else 4


@dataclass(frozen=True)
class Gathered:
    """The results of all hosts, and ``play``, the playbook with which the runs were begun or looked for."""

    hosts: tuple[HostRun, ...]
    play: PlayResult
    fleet: str = ""

    @property
    def exit_code(self) -> int:
        """Return 0 when every host has a complete run without failures, else 4."""
        return 0 if self.hosts and all(one.is_whole for one in self.hosts) else 4

    @property
    def worst(self) -> int:
        """Return the exit code of a night of the whole fleet: 1, 4 or 5 if a host has it, in this order, else 0."""
        found = {one.night_code for one in self.hosts} or {4}
        return next((code for code in _WORST_FIRST if code in found), 0)


@dataclass(frozen=True)
class Answer:
    """What one host said in one round.

    Attributes:
        said: The agent's answer, empty when there was none.
        failure: Why there was none.
        clock: What the answer says of the host's clock.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    clock: Clock | None = None
