"""The errors that Tare raises, with the exit code of each class.

    TareError
    ├── UsageError            2    invalid arguments or input file; nothing was started
    │   └── ScenarioError     2    … with file and line
    ├── TargetUnavailable     3    a target that cannot run here: reason and remedy
    ├── InvocationFailed      4    one invocation failed; the run goes on
    │   ├── InvocationTimeout 4    … because a time limit passed (a censored sample, not a duration)
    │   ├── EvidenceMismatch  4    … because the live instance is not what was asked for
    │   ├── Disturbed         4    … because other programs changed what it read: repeated, not failed
    │   └── NotApplicable     4    … because the target lacks the feature: skipped, not failed
    ├── StoreError            4    results could not be written; earlier results are intact
    ├── ProvisionError        4    a provisioning task failed
    └── LabError              70   the private lab could not be built or torn down

    Interrupted               130  Ctrl-C, SIGTERM or SIGHUP; a KeyboardInterrupt, so that a library's
                                   ``except Exception`` cannot swallow it

A message is one sentence: the value, what is allowed, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.core.model import Disturbance


class TareError(Exception):
    """Base class; ``exit_code`` is the exit code of the command line."""

    exit_code = 70


class UsageError(TareError):
    """Arguments or an input file are invalid; nothing was started."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario or suite file is invalid; each line of the message begins with ``file:line``."""

    def __init__(self, path: str, line: int | None, message: str) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}:{line}: {message}" if line is not None else f"{path}: {message}")

    @classmethod
    def joined(cls, mistakes: Sequence[ScenarioError]) -> ScenarioError:
        """Return one error for all mistakes of a file, at least one, in the order of their lines."""
        first, *others = sorted(mistakes, key=lambda one: one.line or 0)
        if others:
            first.args = ("\n".join(dict.fromkeys(map(str, [first, *others]))),)
        return first


class TargetUnavailable(TareError):
    """A target cannot run on this host, with the reason and a remedy."""

    exit_code = 3

    def __init__(self, reason: str, remedy: str = "") -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{reason} ({remedy})" if remedy else reason)


class InvocationFailed(TareError):
    """One invocation failed; recorded as its outcome."""

    exit_code = 4


class InvocationTimeout(InvocationFailed):
    """A time limit passed; the sample is censored."""


class EvidenceMismatch(InvocationFailed):
    """The live instance has another value of ``option`` than was asked for; ``found`` is empty if nothing shows the value."""

    def __init__(self, option: str, asked: str, found: str) -> None:
        self.option = option
        self.asked = asked
        self.found = found
        but = f"the live instance has {option}={found}" if found else f"nothing in the live instance shows {option}"
        super().__init__(f"asked for {option}={asked}, but {but}")


class Disturbed(InvocationFailed):
    """Other programs changed what an attempt read: it does not count and is repeated."""

    def __init__(self, disturbance: Disturbance) -> None:
        self.disturbance = disturbance
        super().__init__(
            f"memory outside the instances ({disturbance.source}) moved by {disturbance.moved_bytes / 2**20:.1f} MiB while "
            f"the instances took {disturbance.own_bytes / 2**20:.1f} MiB"
        )


class NotApplicable(InvocationFailed):
    """The target or kernel lacks what is measured: the invocation is skipped with the reason and does not count as failed."""


class StoreError(TareError):
    """Results could not be written or read."""

    exit_code = 4


class ProvisionError(TareError):
    """A provisioning task failed; the message is the task's."""

    exit_code = 4


class LabError(TareError):
    """The private lab could not be built or torn down."""


class Interrupted(KeyboardInterrupt):
    """A signal asked the run to stop; results so far are kept."""

    exit_code = 130


def unknown(kind: str, value: str, allowed: Iterable[str]) -> str:
    """Return the sentence that ``value`` is not one of ``allowed``, with the nearest spelling if there is one."""
    names = sorted(allowed)
    near = get_close_matches(value, names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{value}', allowed: {', '.join(names)}{hint}"
