"""The payload's own workloads (payload.c): its arguments and its output. All times are host stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

LOOPS = ("getpid", "open", "read", "futex", "compute")
"""Loops of ``--loop``: four system calls, and a computation without any."""
ROUNDS_A_TURN = 1024
"""Rounds of the computation in one turn of the loop ``compute`` (actions.c)."""


@dataclass(frozen=True)
class Turns:
    """Number and duration of a loop's turns.

    Attributes:
        count: Number of turns, counted by the payload.
        seconds: Duration between its first and its last line, stamped on the host.
    """

    count: int
    seconds: float


def loop_arguments(names: Sequence[str], milliseconds: int) -> tuple[str, ...]:
    """Return payload arguments that run these loops one after another, each for ``milliseconds``."""
    return tuple(word for name in names for word in ("--loop", f"{name}:{milliseconds}"))


def loops(lines: Sequence[Line], names: Sequence[str]) -> dict[str, Turns]:
    """Return each loop's turns.

    Raises:
        InvocationFailed: A loop did not begin or end, counted nothing or took no time.
    """
    return {name: _loop(lines, name) for name in names}


def _loop(lines: Sequence[Line], name: str) -> Turns:
    begin = next((line for line in lines if line.text == f"B {name}"), None)
    end = next((line for line in lines if line.text.startswith(f"C {name} ")), None)
    count = end.text.rpartition(" ")[2] if end else ""
    if begin and end and end.at_s == begin.at_s:
        msg = f"the loop '{name}' is too short for this host: its begin and its end arrived together"
        raise InvocationFailed(msg)
    if begin is None or end is None or not count.isdecimal() or int(count) == 0 or end.at_s < begin.at_s:
        heard = " | ".join(line.text for line in (begin, end) if line) or "nothing"
        msg = f"the loop '{name}' gave no count: 'B {name}' and 'C {name} COUNT' were expected, {heard} was heard"
        raise InvocationFailed(msg)
    return Turns(int(count), end.at_s - begin.at_s)


def look(lines: Sequence[Line]) -> dict[str, str]:
    """Parse the output of ``--look``: name → value, ``unreadable`` for a value that the payload could not read.

    Raises:
        InvocationFailed: The output holds no value.
    """
    found = {}
    for line in lines:
        letter, _, rest = line.text.partition(" ")
        name, _, value = rest.partition(" ")
        if letter == "S" and name:
            found[name] = "unreadable" if value == "-1" else " ".join(value.split()) or "empty"
    if not found:
        msg = f"the payload said nothing of what it sees, only: {' | '.join(line.text for line in lines[-3:]) or 'nothing'}"
        raise InvocationFailed(msg)
    return found
