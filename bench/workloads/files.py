"""File operations of the payload (files.c): its arguments and its output. All times are host stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

STORM = ("create", "stat", "rename", "unlink")
"""Operations of a metadata storm: each is done on all files before the next begins."""


@dataclass(frozen=True)
class Step:
    """One file operation of the payload.

    Attributes:
        name: ``poke``, ``fsync``, ``scan``, one of :data:`STORM`, ``whiteout`` or ``list``.
        count: Bytes or files, counted by the payload.
        seconds: Duration between its first and its last line, stamped on the host.
    """

    name: str
    count: int
    seconds: float


def copy_up(path: str, wait_ms: int) -> tuple[str, ...]:
    """Return payload arguments that read a file, wait for a signal, then write into it, fsync it and write again."""
    first = ("--scan", path, "--wait", str(wait_ms))
    return (*first, "--poke", path, "--fsync", path, "--poke", path)


def metadata(storm: str, lower: str, files: int, wait_ms: int) -> tuple[str, ...]:
    """Return payload arguments that wait, run a storm in a folder of the instance, and delete files of an image folder."""
    return ("--wait", str(wait_ms), "--storm", f"{storm}:{files}", "--whiteout", f"{lower}:{files}")


def steps(lines: Sequence[Line]) -> list[Step]:
    """Return the operations in order.

    Raises:
        InvocationFailed: An operation ended without a beginning, or took no time.
    """
    return list(_steps(lines))


def _steps(lines: Sequence[Line]) -> Iterator[Step]:
    begin: Line | None = None
    for line in lines:
        letter, _, rest = line.text.partition(" ")
        if letter == "B":
            begin = line
        elif letter == "C":
            name, _, count = rest.rpartition(" ")
            if begin is None or begin.text != f"B {name}" or not count.isdecimal() or line.at_s <= begin.at_s:
                before = begin.text if begin else "nothing"
                msg = f"the payload said '{line.text}' after '{before}': 'B {name}' was to come before, at an earlier time"
                raise InvocationFailed(msg)
            yield Step(name, int(count), line.at_s - begin.at_s)
            begin = None


def only(lines: Sequence[Line], *names: str) -> list[Step]:
    """Return the operations, which must have exactly these names.

    Raises:
        InvocationFailed: The payload did other operations.
    """
    found = steps(lines)
    if tuple(step.name for step in found) != names:
        said = ", ".join(step.name for step in found) or "nothing"
        msg = f"the payload was to do {', '.join(names)}, but did {said}"
        raise InvocationFailed(msg)
    return found
