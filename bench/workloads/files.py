"""What the payload does with files (files.c): its arguments, and what it says of them. Every stamp is the host's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

STORM = ("create", "stat", "rename", "unlink")
"""What a storm does with each of its files, one kind after the other."""


@dataclass(frozen=True)
class Step:
    """One thing that the payload did.

    Attributes:
        name: What: ``poke``, ``fsync``, ``scan``, a part of a storm, ``whiteout`` or ``list``.
        count: Bytes or files, as the payload counted.
        seconds: From its word that it begins to its word that it has ended, stamped on the host.
    """

    name: str
    count: int
    seconds: float


def copy_up(path: str, wait_ms: int) -> tuple[str, ...]:
    """Return the arguments that read a file, wait to be asked, and then write into it, fsync it and write again."""
    first = ("--scan", path, "--wait", str(wait_ms))
    return (*first, "--poke", path, "--fsync", path, "--poke", path)


def metadata(storm: str, lower: str, files: int, wait_ms: int) -> tuple[str, ...]:
    """Return the arguments that wait, then make a storm in a folder of the instance's own and whiteouts in one of the image."""
    return ("--wait", str(wait_ms), "--storm", f"{storm}:{files}", "--whiteout", f"{lower}:{files}")


def steps(lines: Sequence[Line]) -> list[Step]:
    """Read what was done, in its order.

    Raises:
        InvocationFailed: Something ended that did not begin, or took no time.
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
    """Return the steps, which must be these and no others.

    Raises:
        InvocationFailed: They are others.
    """
    found = steps(lines)
    if tuple(step.name for step in found) != names:
        said = ", ".join(step.name for step in found) or "nothing"
        msg = f"the payload was to do {', '.join(names)}, but did {said}"
        raise InvocationFailed(msg)
    return found
