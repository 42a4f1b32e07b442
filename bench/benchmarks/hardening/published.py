"""The system calls that Docker's documentation lists as blocked by default, and reasons of deviations (published.yaml)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.core.document import Document
from bench.core.syscalls import NAMES, NUMBERS

_FILE = Path(__file__).with_name("published.yaml")
_LISTED, _UNLISTED = "blocked", "not in it"
_NUMBER = {name: number for number, name in NUMBERS.items()}


@dataclass(frozen=True)
class Published:
    """What is published, and what is known of differences.

    Attributes:
        version: The version of the list.
        blocked: The listed calls, in its order.
        by_arguments: Those of them that are refused with some arguments only, and tried with others.
        answers: Listed call → why it may answer.
        refused: Call that is not listed → why it may not answer.
        absent: Why calls are refused that the kernel does not have.
        newer: Why calls do not exist that are newer than the profile.
    """

    version: str
    blocked: tuple[str, ...]
    by_arguments: frozenset[str]
    answers: Mapping[str, str]
    refused: Mapping[str, str]
    absent: str
    newer: str


@dataclass(frozen=True)
class Deviation:
    """A call that the filter treats otherwise than the list says.

    Attributes:
        call: Its name.
        listed: What the list says.
        found: What was found.
        why: The known reason; empty for none.
    """

    call: str
    listed: str
    found: str
    why: str


@cache
def published() -> Published:
    """Read the list."""
    data = Document(_FILE).data
    blocked = tuple(name for row in data["blocked"] for name in row)
    others = {name: data[name] for name in ("version", "answers", "refused", "absent", "newer")}
    return Published(blocked=blocked, by_arguments=frozenset(data["by_arguments"]), **others)


def tried() -> list[str]:
    """Return the listed calls that this machine has and that are tried with arguments that the list means."""
    found = published()
    return [name for name in found.blocked if name in NAMES and name not in found.by_arguments]


def answered(refused: Collection[str], missing: Collection[str]) -> list[str]:
    """Return those of the list that are neither refused nor missing."""
    return [name for name in tried() if name not in refused and name not in missing]


@dataclass(frozen=True)
class Answers:
    """The calls that an instance was refused (EPERM), and those that do not exist for it (ENOSYS)."""

    refused: Sequence[str]
    missing: Sequence[str]


def deviations(seen: Answers, plain: Answers) -> Iterator[Deviation]:
    """Yield each call whose answer differs from the published list; ``plain`` are the answers without a filter."""
    known = published()
    for name in answered(seen.refused, seen.missing):
        yield Deviation(name, _LISTED, "answers", known.answers.get(name, ""))
    newest = max((_NUMBER[name] for name in seen.refused), default=0)
    for name in sorted(set(seen.refused) - set(plain.refused) - set(known.blocked)):
        absent = known.absent if name in plain.missing else ""
        yield Deviation(name, _UNLISTED, "refused", known.refused.get(name, absent))
    for name in sorted(set(seen.missing) - set(plain.missing) - set(known.blocked)):
        newer = known.newer if _NUMBER[name] > newest else ""
        yield Deviation(name, _UNLISTED, "does not exist", known.refused.get(name, newer))
