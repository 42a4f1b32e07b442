"""tare-spaces (spaces.c), which times the creation of namespaces: its arguments and its output."""

from __future__ import annotations

import errno
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.core.errors import InvocationFailed

KINDS = ("none", "mnt", "pid", "uts", "net", "ipc", "user", "cgroup", "time", "all")
"""Kinds of namespaces; ``none`` is a child without a new namespace, ``all`` creates all kinds at once."""


@dataclass(frozen=True)
class Costs:
    """Times for each kind; a kind that the kernel refused even once has none.

    Attributes:
        create_s: Kind → median time inside unshare(2), seconds.
        destroy_s: Kind → median time from the child's last instruction until it was reaped, seconds.
        refused: Kind → the kernel's errors with their counts.
    """

    create_s: Mapping[str, float]
    destroy_s: Mapping[str, float]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class Rate:
    """Rate at which several workers created namespaces of one kind.

    Attributes:
        per_s: Namespaces per second, ``None`` when one was refused.
        drain_s: Time after the last worker until all dead network namespaces were torn down, seconds; ``None`` when unknown or
            not applicable.
        refused: The kernel's error, empty when there was none.
        undrained: Why the wait for dead network namespaces failed, else empty.
    """

    per_s: float | None = None
    drain_s: float | None = None
    refused: str = ""
    undrained: str = ""


def cost_arguments(rounds: int, seed: int) -> tuple[str, ...]:
    """Return arguments that create one namespace of each kind in each round, in an order given by ``seed`` (at least 1)."""
    return ("cost", str(rounds), str(seed))


def rate_arguments(kind: str, workers: int, each: int) -> tuple[str, ...]:
    """Return arguments for ``workers`` processes that each create ``each`` namespaces of a kind as fast as possible."""
    return ("rate", kind, str(workers), str(each))


@dataclass
class _Said:
    """Parsed lines ``WORD KIND NUMBER`` of ``cost``: times in nanoseconds, and errors with their counts."""

    times: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))


def costs(text: str) -> Costs:
    """Parse the output of ``cost``.

    Raises:
        InvocationFailed: A line has another form, or a kind has neither times nor an error.
    """
    said = _Said()
    for line in text.splitlines():
        word, kind, numbers = _line(line, {"create": 1, "destroy": 1, "refused": 1})
        if word == "refused":
            said.refused[kind][numbers[0]] += 1
        else:
            said.times[word, kind].append(numbers[0])
    if silent := [kind for kind in KINDS if kind not in said.refused and not said.times["destroy", kind]]:
        msg = f"tare-spaces said nothing of: {', '.join(silent)}"
        raise InvocationFailed(msg)
    whole = [kind for kind in KINDS if kind not in said.refused]
    return Costs(
        {kind: statistics.median(said.times["create", kind]) / 1e9 for kind in whole},
        {kind: statistics.median(said.times["destroy", kind]) / 1e9 for kind in whole},
        {kind: _why(said.refused[kind]) for kind in KINDS if kind in said.refused},
    )


def rate(text: str) -> Rate:
    """Parse the output of ``rate``.

    Raises:
        InvocationFailed: A line has another form, or there is neither a rate nor an error.
    """
    found: dict[str, list[int]] = {}
    for line in text.splitlines():
        word, _, numbers = _line(line, {"rate": 2, "refused": 1, "drain": 1, "undrained": 1})
        found[word] = numbers
    if "refused" in found:
        return Rate(refused=_why(Counter(found["refused"])))
    if "rate" not in found or found["rate"][1] <= 0:
        msg = f"tare-spaces gave no rate, it said: {' | '.join(text.splitlines()[-3:]) or 'nothing'}"
        raise InvocationFailed(msg)
    count, taken_ns = found["rate"]
    return Rate(
        per_s=count / (taken_ns / 1e9),
        drain_s=found["drain"][0] / 1e9 if "drain" in found else None,
        undrained=_why(Counter(found["undrained"])) if "undrained" in found else "",
    )


def everything(text: str) -> tuple[str, ...]:
    """Parse the output of ``tare-spaces all``: the kinds that ``all`` creates on this host.

    Raises:
        InvocationFailed: A line has another form.
    """
    return tuple(_line(line, {"all": 0})[1] for line in text.splitlines())


def _line(line: str, known: Mapping[str, int]) -> tuple[str, str, list[int]]:
    word, _, rest = line.partition(" ")
    kind, *numbers = rest.split() or [""]
    if kind not in KINDS or len(numbers) != known.get(word) or not all(text.isdecimal() for text in numbers):
        msg = f"tare-spaces printed '{line}'; a line of {', '.join(known)} with a kind of namespace was expected"
        raise InvocationFailed(msg)
    return word, kind, [int(text) for text in numbers]


def _why(found: Counter[int]) -> str:
    return ", ".join(f"{errno.errorcode.get(number, str(number))} ({count})" for number, count in sorted(found.items()))


def listed(rows: Mapping[str, str]) -> str:
    """Join pairs on one line: ``net: EPERM (1); pid: EPERM (1)``."""
    return "; ".join(f"{name}: {value}" for name, value in rows.items())
