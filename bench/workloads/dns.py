"""Names, looked up by the payload (names.c): what it is told, and what it says. Every stamp in it is the host's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

OWN = "own"
"""The name server that the instance was given, in its /etc/resolv.conf."""
NOBODY = "nobody"
"""What the payload says of a name that nobody has (NXDOMAIN): that is an answer, too."""
END = "S answer "
"""Begins the last line of each lookup."""


@dataclass(frozen=True)
class Lookup:
    """What one action of the payload has found.

    Attributes:
        name: The name that was asked for.
        server: The name server that was asked.
        count: Lookups that were answered, or tries until there was an address.
        begin_s: Stamp of its word that it begins.
        end_s: Stamp of its word that it has ended.
        answer: An address, :data:`NOBODY`, or why one lookup failed.
    """

    name: str
    server: str
    count: int
    begin_s: float
    end_s: float
    answer: str

    @property
    def each_s(self) -> float:
        """Seconds of one lookup, or from one try to the next."""
        return (self.end_s - self.begin_s) / self.count


def resolve(name: str, server: str, count: int) -> tuple[str, ...]:
    """Return the payload's arguments that look a name up ``count`` times."""
    return ("--resolve", f"{name}:{server}:{count}")


def wait_for(name: str, server: str, pause_ms: int) -> tuple[str, ...]:
    """Return the payload's arguments that look a name up until it has an address."""
    return ("--await", f"{name}:{server}:{pause_ms}")


def answer(names: Sequence[str], *, address: str = "", port: int = 0) -> tuple[str, ...]:
    """Return the payload's arguments that answer for these names; on loopback and at a free port unless they are given."""
    return ("--answer", f"{f'{address}#' if address else ''}{port}:{','.join(names)}")


def looked_up(lines: Sequence[Line], name: str, count: int) -> Lookup:
    """Read the lookups of one name.

    Raises:
        InvocationFailed: It was not looked up, or not every one of ``count`` lookups was answered alike.
    """
    found = _one(lines, "resolve", name)
    if found.count != count or count < 1 or found.end_s <= found.begin_s:
        msg = f"{found.server} answered {found.count} of {count} lookups of {name}, then: {found.answer}"
        raise InvocationFailed(msg)
    return found


def waited_for(lines: Sequence[Line], name: str) -> Lookup:
    """Read how a name came to have an address.

    Raises:
        InvocationFailed: It never did.
    """
    found = _one(lines, "await", name)
    if found.count < 1 or found.answer == NOBODY or found.end_s <= found.begin_s:
        msg = f"{found.server} was asked {found.count} times for {name}, then: {found.answer}"
        raise InvocationFailed(msg)
    return found


def _one(lines: Sequence[Line], action: str, name: str) -> Lookup:
    found = next((one for one in _actions(lines, action) if one.name == name), None)
    if found is None:
        said = " | ".join(line.text for line in lines[-4:]) or "nothing"
        msg = f"no '{action}' of the name {name} came to an end; the payload said: {said}"
        raise InvocationFailed(msg)
    return found


@dataclass
class _Heard:
    server: str = "unknown"
    name: str = ""
    begin_s: float = 0.0
    end_s: float = 0.0
    count: int | None = None


def _actions(lines: Sequence[Line], action: str) -> Iterator[Lookup]:
    """Yield each action that has come to its end, in order."""
    heard = _Heard()
    for line in lines:
        words = line.text.split(" ", 2)
        rest = words[2] if len(words) == 3 else ""
        if words[:2] == ["S", "server"]:
            heard = _Heard(server=rest)
        elif words[:2] == ["B", action]:
            heard.name, heard.begin_s = rest, line.at_s
        elif words[:2] == ["C", action] and heard.name and rest.isdecimal():
            heard.count, heard.end_s = int(rest), line.at_s
        elif line.text.startswith(END) and heard.count is not None:
            yield Lookup(heard.name, heard.server, heard.count, heard.begin_s, heard.end_s, rest)
            heard = _Heard()
