"""sockperf ping-pong over TCP: 14-byte requests and their answers, one at a time. The percentiles are sockperf's.

Only a tool inside can time a single answer, so sockperf's clock is used, and the host's stamps check it. sockperf leaves the
first 0.4 s and the last 0.05 s out of its statistics (warm-up and cool-down).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bench.core.errors import InvocationFailed

REMEDY = "run 'tare provision tools' as root, or install sockperf"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PERCENTILE = re.compile(r"percentile (\d+\.\d+)\s*=\s*(\d+\.\d+)")
_COUNT = re.compile(r"Total (\d+) observations")
_RUN = re.compile(r"\[Total Run\] RunTime=(\d+\.\d+) sec")
_VERSION = re.compile(r"version #?(\S+)")
_CLOCK_TOLERANCE = 1.01


@dataclass(frozen=True)
class Answers:
    """Round-trip times from request to answer.

    Attributes:
        count: Number of round trips in the statistics.
        p50_s: Median, seconds.
        p99_s: 99th percentile, seconds.
    """

    count: int
    p50_s: float
    p99_s: float


def server(port: int) -> list[str]:
    """Return the server's arguments; it listens on all addresses."""
    return ["server", "--tcp", "-i", "0.0.0.0", "-p", str(port)]  # noqa: S104 - inside the lab's own namespaces


def client(address: str, port: int, seconds: int) -> list[str]:
    """Return the client's arguments."""
    return ["ping-pong", "--tcp", "-i", address, "-p", str(port), "-t", str(seconds), "--full-rtt"]


def parse(text: str, lived_s: float) -> Answers:
    """Parse the report; ``lived_s`` is the process's lifetime as seen from the host, seconds.

    Raises:
        InvocationFailed: Nothing was measured, or the instance's clock is wrong.
    """
    plain = _COLOUR.sub("", text)
    found = {float(share): float(value) * 1e-6 for share, value in _PERCENTILE.findall(plain)}
    count, ran = _COUNT.search(plain), _RUN.search(plain)
    if count is None or ran is None or not {50.0, 99.0} <= set(found) or int(count[1]) == 0:
        said = " | ".join(plain.split("\n"))[-300:].strip() or "nothing"
        msg = f"sockperf gave no report that can be read; it said: {said}"
        raise InvocationFailed(msg)
    if float(ran[1]) > lived_s * _CLOCK_TOLERANCE:
        msg = f"sockperf says that it ran for {ran[1]} s, but the host saw it live for {lived_s:g} s"
        raise InvocationFailed(msg)
    return Answers(int(count[1]), found[50.0], found[99.0])


def version(text: str) -> str:
    """Return the program's version, or ``unknown``."""
    found = _VERSION.search(_COLOUR.sub("", text))
    return found[1] if found else "unknown"
