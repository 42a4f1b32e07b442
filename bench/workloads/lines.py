"""Numbered, checksummed lines (payload/lines.c): the arguments, and a count of what became of them in constant memory.

A log cuts lines into records. :func:`joined` joins records to lines again, and :class:`Counter` counts what was lost,
duplicated, reordered, split or altered. They keep two bits a line and the line that is not complete yet.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.clock import Line
from bench.core.errors import InvocationFailed

Kind = Literal["lf", "crlf", "bytes", "open"]
Record = tuple[bytes, bool]
"""What a log holds of a line, and whether the line ends with it."""

SHORTEST = 29
"""Bytes of the shortest line: its head and one byte."""
_HEAD = re.compile(rb"(\d{10}) (\d{7}) ([0-9a-f]{8}) ", re.DOTALL)
_COVERED, _FILLER = 18, 28
"""Where the covered part of a head ends, and where the filler begins."""
_LONGEST = 32 * 2**20
"""Bytes without an end of line after which a line is given up: memory stays bounded whatever a log holds."""
_PIECE = 1 << 20


@dataclass(frozen=True)
class Load:
    """One action of the payload.

    Attributes:
        count: Number of lines.
        size: Bytes of each line without its line feed.
        per_s: Lines per second, in an open loop; 0: flat out.
        kind: ``lf``; ``crlf`` (the last byte is a carriage return); ``bytes`` (not UTF-8); ``open`` (the last line has no line
            feed).
        every: Every ``every``-th write is reported before and after; 0: none.
    """

    count: int
    size: int
    per_s: int = 0
    kind: Kind = "lf"
    every: int = 0

    @property
    def arguments(self) -> tuple[str, str]:
        """The payload's arguments."""
        return "--lines", f"{self.count}:{self.size}:{self.per_s}:{self.kind}:{self.every}"

    @property
    def written_bytes(self) -> int:
        """Bytes that are written, line feeds included."""
        return self.count * (self.size + 1) - (self.kind == "open")


@dataclass(frozen=True)
class Counts:
    """What became of lines that were written.

    Attributes:
        written: Lines that were written.
        whole: Lines of which at least one copy came through with every byte.
        lost: Lines that never came.
        duplicated: Copies of lines that had come before.
        reordered: Lines that came after one with a higher number.
        split: Lines that came in more than one record.
        records: Records of which the lines were made.
        altered: Lines that came with other bytes than were written.
        trimmed: Those of them in which only the carriage return at the end is missing.
        foreign: Records that belong to no line.
        lost_first: Number of the first lost line; ``None`` without one.
        lost_last: Number of the last lost line.
    """

    written: int
    whole: int
    lost: int
    duplicated: int
    reordered: int
    split: int
    records: int
    altered: int
    trimmed: int
    foreign: int
    lost_first: int | None = None
    lost_last: int | None = None

    @property
    def complete(self) -> bool:
        """Whether every line came once, in order and with every byte; it may have been split."""
        return not (self.lost or self.duplicated or self.reordered or self.altered or self.foreign)


def joined(records: Iterable[Record]) -> Iterator[tuple[bytes, int]]:
    """Join records to lines: yield each line with the number of its records; what is left at the end is a line, too.

    A record that begins as a line does while another is incomplete begins the next one, whatever the log says: logs without a
    mark for cut lines say of every record that it ends one.
    """
    pieces: list[bytes] = []
    held = 0
    for data, ends in records:
        if pieces and _HEAD.match(data):
            yield b"".join(pieces), len(pieces)
            pieces, held = [], 0
        if pieces or data:
            pieces.append(data)
            held += len(data)
        if pieces and ((ends and _ended(pieces, held)) or held > _LONGEST):
            yield b"".join(pieces), len(pieces)
            pieces, held = [], 0
    if pieces:
        yield b"".join(pieces), len(pieces)


def _ended(pieces: Sequence[bytes], held: int) -> bool:
    """Return whether pieces are as long as the line's head says, lack only the carriage return at the end, or have no head."""
    found = _HEAD.match(pieces[0])
    if found is None or held >= int(found[2]):
        return True
    return held == int(found[2]) - 1 and _lacks_return(b"".join(pieces), found)


class Counter:
    """Count the lines ``first`` to ``first + count - 1`` in a log.

    Lines with other numbers are ignored, so that each of several loads of one log can have its own counter.
    """

    def __init__(self, count: int, first: int = 0) -> None:
        self._count, self._first = count, first
        self._seen, self._right = bytearray(-(-count // 8)), bytearray(-(-count // 8))
        self._highest = -1
        self._found = dict.fromkeys(("duplicated", "reordered", "split", "records", "altered", "trimmed", "foreign"), 0)

    def records(self, found: Iterable[Record]) -> Counter:
        """Take all records of a log and return this counter."""
        for data, pieces in joined(found):
            self.line(data, pieces)
        return self

    def counts(self) -> Counts:
        """Return what was counted so far."""
        whole, came = (sum(byte.bit_count() for byte in bits) for bits in (self._right, self._seen))
        lost = self._count - came
        first = last = None
        if lost:
            missing = (number for number in range(self._count) if not _bit(self._seen, number))
            backwards = (number for number in reversed(range(self._count)) if not _bit(self._seen, number))
            first, last = (self._first + next(numbers) for numbers in (missing, backwards))
        return Counts(written=self._count, whole=whole, lost=lost, lost_first=first, lost_last=last, **self._found)

    def line(self, data: bytes, pieces: int) -> None:
        """Take a line that came in so many records."""
        found = _HEAD.match(data)
        if found is None:
            self._found["foreign"] += pieces
            return
        number = int(found[1]) - self._first
        if not 0 <= number < self._count:
            return
        self._found["records"] += pieces
        self._found["split"] += pieces > 1
        if _bit(self._seen, number):
            self._found["duplicated"] += 1
            return
        self._seen[number >> 3] |= 1 << (number & 7)
        self._found["reordered"] += number < self._highest
        self._highest = max(self._highest, number)
        self._judge(data, number, found)

    def _judge(self, data: bytes, number: int, found: re.Match[bytes]) -> None:
        if len(data) == int(found[2]) and _checksum(data) == int(found[3], 16):
            self._right[number >> 3] |= 1 << (number & 7)
            return
        self._found["altered"] += 1
        self._found["trimmed"] += _lacks_return(data, found)


def _bit(bits: bytearray, number: int) -> int:
    return bits[number >> 3] >> (number & 7) & 1


def _lacks_return(data: bytes, found: re.Match[bytes]) -> bool:
    """Return whether a line is right but for a carriage return at its end."""
    return len(data) == int(found[2]) - 1 and _checksum(data + b"\r") == int(found[3], 16)


def _checksum(data: bytes) -> int:
    return zlib.crc32(memoryview(data)[_FILLER:], zlib.crc32(data[:_COVERED]))


def of_stream(blocks: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of a plain stream, which has no marks but line feeds: each line, or the part of it that can be held."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line, True
        if len(rest) > _LONGEST:
            yield rest, False
            rest = b""
    if rest:
        yield rest, False


@dataclass(frozen=True)
class Written:
    """What a load did, by the host's stamps.

    Attributes:
        count: Lines that were written.
        seconds: From the first line to the return of the last write.
        blocked_s: How long each reported write took, its two reports included, seconds.
        error: Why writing ended early; empty.
    """

    count: int
    seconds: float
    blocked_s: tuple[float, ...]
    error: str = ""


def written(lines: Iterable[Line]) -> list[Written]:
    """Return what each load did, in their order.

    Raises:
        InvocationFailed: One has not ended.
    """
    found: list[Written] = []
    begin = told = None
    blocked: list[float] = []
    error = ""
    for line in lines:
        if line.text == "B lines":
            begin, blocked, error = line.at_s, [], ""
        elif line.text == "B write":
            told = line.at_s
        elif line.text.startswith("C write ") and told is not None:
            blocked.append(line.at_s - told)
        elif line.text.startswith("E lines "):
            error = line.text[8:]
        elif line.text.startswith("C lines ") and begin is not None:
            found.append(Written(int(line.text[8:]), line.at_s - begin, tuple(blocked), error))
            begin = None
    if begin is not None or not found:
        msg = "the payload has not reported the end of its lines"
        raise InvocationFailed(msg)
    return found
