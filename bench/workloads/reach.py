"""Who is reached, who listens, by which interfaces, and as whom, as the payload reports it (reach.c): arguments and output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface

from bench.core.errors import InvocationFailed

END, INTERFACES_END, LISTENS, SELF_END = "E reach", "E interfaces", "S listen ", "E self"
"""Lines, or their beginnings, that end an action's output."""
EVERYWHERE = "0.0.0.0"  # noqa: S104 - within namespaces of the lab
_NOBODY = "-"


@dataclass(frozen=True)
class Place:
    """Where somebody listens.

    Attributes:
        who: What the listener says to all who connect.
        address: ``ADDRESS#PORT``, or ``@TEXT`` for an abstract unix socket.
    """

    who: str
    address: str

    @property
    def text(self) -> str:
        """The place as the payload takes it."""
        return f"{self.who}@{self.address}"


@dataclass(frozen=True)
class Answer:
    """What a call to a place came to.

    Attributes:
        error: The error number of the system call that failed; 0 when somebody answered; ETIMEDOUT when the time was over.
        who: What the listener said; empty without an answer.
    """

    error: int
    who: str


@dataclass(frozen=True)
class Self:
    """As whom a program runs.

    Attributes:
        uid: Its user.
        gid: Its group.
        folder: Its working directory.
        variables: The variables of its environment that were asked for and are set.
    """

    uid: int
    gid: int
    folder: str
    variables: Mapping[str, str]


def at(who: str, port: int, address: str = EVERYWHERE) -> Place:
    """Return a place at a TCP port."""
    return Place(who, f"{address}#{port}")


def interfaces() -> tuple[str, ...]:
    """Return payload arguments that report interfaces and addresses."""
    return ("--interfaces", "ipv4")


def listen(*places: Place) -> tuple[str, ...]:
    """Return payload arguments that listen."""
    return tuple(word for place in places for word in ("--listen", place.text))


def call(places: Iterable[Place], limit_ms: int) -> tuple[str, ...]:
    """Return payload arguments that call all places at once; none for no place."""
    chosen = ",".join(place.text for place in places)
    return ("--reach", f"{limit_ms}:{chosen}") if chosen else ()


def say_self(variables: Iterable[str]) -> tuple[str, ...]:
    """Return payload arguments that report as whom the program runs."""
    return ("--self", ",".join(variables))


def answers(lines: Iterable[str]) -> dict[str, Answer]:
    """Return who was called → what it came to.

    Raises:
        InvocationFailed: A line has another form.
    """
    return {
        who: Answer(_number(error), "" if said == _NOBODY else said) for who, error, said in _rows(lines, "reach", 3)
    }


def listening(lines: Iterable[str]) -> dict[str, int]:
    """Return listener → error number; 0 where it listens."""
    return {who: _number(error) for who, error in _rows(lines, "listen", 2)}


def names(lines: Iterable[str]) -> list[str]:
    """Return the interfaces other than loopback."""
    return [name for (name,) in _rows(lines, "interface", 1) if name != "lo"]


def addresses(lines: Iterable[str]) -> list[IPv4Interface]:
    """Return the last reported IPv4 addresses other than those of loopback, in the kernel's order."""
    texts = list(lines)
    ends = [index for index, text in enumerate(texts) if text == INTERFACES_END]
    begin = ends[-2] if len(ends) > 1 else 0
    return [IPv4Interface(found) for name, found in _rows(texts[begin:], "address", 2) if name != "lo"]


def self_of(lines: Iterable[str]) -> Self:
    """Return as whom a program runs.

    Raises:
        InvocationFailed: It has not said so.
    """
    rows = [text.split(" ", 2)[1:] for text in lines if text.startswith("S ")]
    said = {row[0]: row[-1] for row in rows}
    variables = [row[-1].partition("=") for row in rows if row[0] == "variable"]
    if not {"uid", "gid", "folder"} <= said.keys():
        msg = f"the payload did not report its user, it said: {said or 'nothing'}"
        raise InvocationFailed(msg)
    return Self(
        _number(said["uid"]), _number(said["gid"]), said["folder"], {name: value for name, _, value in variables}
    )


def _rows(lines: Iterable[str], kind: str, count: int) -> list[list[str]]:
    start = f"S {kind} "
    found = [text[len(start) :].split() for text in lines if text.startswith(start)]
    if wrong := next((row for row in found if len(row) != count), None):
        msg = f"the payload's line about '{kind}' has another form: {' '.join(wrong)}"
        raise InvocationFailed(msg)
    return found


def _number(text: str) -> int:
    if not text.isdecimal():
        msg = f"the payload said '{text}' where a number belongs"
        raise InvocationFailed(msg)
    return int(text)
