"""DNS lookups by the payload (names.c): its arguments and its output. All times are host stamps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

OWN = "own"
"""The name server in the instance's /etc/resolv.conf."""
NOBODY = "nobody"
"""The payload's answer for a name that does not exist (NXDOMAIN)."""
END = "S answer "
"""Start of the last line of each lookup."""


@dataclass(frozen=True)
class Lookup:
    """Result of one lookup action of the payload.

    Attributes:
        name: The name that was looked up.
        server: The name server that was asked.
        count: Number of answered lookups, or of tries until the name had an address.
        begin_s: Stamp of the action's first line, seconds.
        end_s: Stamp of the action's last line, seconds.
        answer: An address, :data:`NOBODY`, or the reason why a lookup failed.
    """

    name: str
    server: str
    count: int
    begin_s: float
    end_s: float
    answer: str

    @property
    def each_s(self) -> float:
        """Mean duration of a lookup or a try, seconds."""
        return (self.end_s - self.begin_s) / self.count


def resolve(name: str, server: str, count: int) -> tuple[str, ...]:
    """Return payload arguments that look up a name ``count`` times."""
    return ("--resolve", f"{name}:{server}:{count}")


def wait_for(name: str, server: str, pause_ms: int) -> tuple[str, ...]:
    """Return payload arguments that look up a name until it has an address."""
    return ("--await", f"{name}:{server}:{pause_ms}")


def until(name: str, server: str, limit_ms: int, *, there: bool) -> tuple[str, ...]:
    """Return payload arguments that look up a name until it has an address, or until it does not exist; at most that long."""
    return ("--found" if there else "--gone", f"{name}:{server}:{limit_ms}")


def answer(names: Sequence[str], *, address: str = "", port: int = 0) -> tuple[str, ...]:
    """Return payload arguments that serve these names, by default on loopback and a free port."""
    return ("--answer", f"{f'{address}#' if address else ''}{port}:{','.join(names)}")


def looked_up(lines: Sequence[Line], name: str, count: int) -> Lookup:
    """Return the result of looking up one name ``count`` times.

    Raises:
        InvocationFailed: The name was not looked up, or the ``count`` lookups did not all get the same answer.
    """
    found = _one(lines, "resolve", name)
    if found.count != count or count < 1 or found.end_s <= found.begin_s:
        msg = f"{found.server} answered {found.count} of {count} lookups of {name}, then: {found.answer}"
        raise InvocationFailed(msg)
    return found


def waited_for(lines: Sequence[Line], name: str) -> Lookup:
    """Return the result of waiting for a name to have an address.

    Raises:
        InvocationFailed: The name never had one.
    """
    found = _one(lines, "await", name)
    if found.count < 1 or found.answer == NOBODY or found.end_s <= found.begin_s:
        msg = f"{found.server} was asked {found.count} times for {name}, then: {found.answer}"
        raise InvocationFailed(msg)
    return found


def settled(lines: Sequence[Line], name: str, *, there: bool) -> Lookup:
    """Return the last result of :func:`until` for one name.

    Raises:
        InvocationFailed: There is none.
    """
    return _one(lines, "found" if there else "gone", name, last=True)


def _one(lines: Sequence[Line], action: str, name: str, *, last: bool = False) -> Lookup:
    found = [one for one in _actions(lines, action) if one.name == name]
    if not found:
        said = " | ".join(line.text for line in lines[-4:]) or "nothing"
        msg = f"no '{action}' of the name {name} finished; the payload said: {said}"
        raise InvocationFailed(msg)
    return found[-1 if last else 0]


@dataclass
class _Heard:
    server: str = "unknown"
    name: str = ""
    begin_s: float = 0.0
    end_s: float = 0.0
    count: int | None = None


def _actions(lines: Sequence[Line], action: str) -> Iterator[Lookup]:
    """Yield each completed action, in order."""
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
