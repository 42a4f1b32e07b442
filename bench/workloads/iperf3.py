"""iperf3: TCP streams in both directions and UDP at a fixed rate. Bytes are counted by the receiver.

Sources of the numbers:

* bytes, retransmitted segments, lost datagrams and jitter are iperf3's, from the client's report, which includes the server's
  counts;
* durations are those of the receiver's report. The host's stamps around the process also cover loading, connecting and
  exchanging reports, a tenth of a one-second test. They are used as a check: if a test lasted longer than the process lived,
  the instance's clock is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.core.errors import InvocationFailed

REMEDY = "run 'tare provision tools' as root, or install iperf3"
Direction = Literal["out", "in"]
UDP_BITS_PER_S = 50_000_000
"""UDP rate: Linux's default socket buffer holds 20 ms of it, so a short wait for a CPU loses no datagram."""
UDP_BYTES = 1400
"""Size of each datagram: fits a 1500-byte packet even inside a tunnel."""
_CLOCK_TOLERANCE = 1.01


@dataclass(frozen=True)
class Streams:
    """Result of a TCP test.

    Attributes:
        bytes: Bytes that the receiver got.
        seconds: Duration of receiving.
        retransmits: Retransmitted segments, ``None`` where the sender's system does not report them.
    """

    bytes: int
    seconds: float
    retransmits: int | None


@dataclass(frozen=True)
class Datagrams:
    """Result of a UDP test.

    Attributes:
        bytes: Bytes that the receiver got.
        seconds: Duration of receiving.
        lost: Datagrams that never arrived, or arrived too late.
        sent: All datagrams sent.
        jitter_s: Smoothed interarrival jitter (RFC 1889), seconds.
    """

    bytes: int
    seconds: float
    lost: int
    sent: int
    jitter_s: float


def server(port: int) -> list[str]:
    """Return the server's arguments."""
    return ["--server", "--port", str(port)]


def client(address: str, port: int, seconds: int, streams: int, *, reverse: bool) -> list[str]:
    """Return the client's arguments for TCP; with ``reverse`` the client receives."""
    return [*_common(address, port, seconds), *("--parallel", str(streams)), *("--reverse",) * reverse]


def datagrams(address: str, port: int, seconds: int, *, reverse: bool) -> list[str]:
    """Return the client's arguments for UDP at the fixed rate; with ``reverse`` the client receives."""
    rate = ("--udp", "--bitrate", str(UDP_BITS_PER_S), "--length", str(UDP_BYTES))
    return [*_common(address, port, seconds), *rate, *("--reverse",) * reverse]


def _common(address: str, port: int, seconds: int) -> list[str]:
    # --interval 0: only the final report, because every line has to pass through a guest's serial port
    return ["--client", address, "--port", str(port), "--time", str(seconds), "--json", "--interval", "0"]


def parse_streams(text: str, lived_s: float) -> Streams:
    """Parse the report of a TCP test; ``lived_s`` is the process's lifetime as seen from the host, seconds.

    Raises:
        InvocationFailed: The test failed or transferred nothing, or the instance's clock is wrong.
    """
    end = _end(text)
    try:
        got, sent = end["sum_received"], end["sum_sent"]
        resent = sent.get("retransmits")
        found = Streams(int(got["bytes"]), float(got["seconds"]), None if resent is None else int(resent))
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(text, error) from error
    _check(found.bytes, found.seconds, lived_s)
    return found


def parse_datagrams(text: str, lived_s: float) -> Datagrams:
    """Parse the report of a UDP test; arguments and errors as of :func:`parse_streams`."""
    end = _end(text)
    if "sum" in end and "sum_received" not in end:
        raise _failed(
            f"{version(text)} does not report how many datagrams the receiver got (sum_received); iperf3 3.11 and later do, "
            "so install a newer one"
        )
    try:
        got = end["sum_received"]
        jitter_s, lost, sent = float(got["jitter_ms"]) / 1e3, int(got["lost_packets"]), int(got["packets"])
        found = Datagrams(int(got["bytes"]), float(got["seconds"]), max(0, lost), sent, jitter_s)
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown(text, error) from error
    if found.sent == 0:
        raise _failed("counted no datagram")
    _check(found.bytes, found.seconds, lived_s)
    return found


def version(text: str) -> str:
    """Return the version in a report, or ``unknown``."""
    try:
        return str(json.loads(text[text.index("{") :])["start"]["version"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def _end(text: str) -> Mapping[str, Any]:
    try:
        whole = json.loads(text[text.index("{") : text.rindex("}") + 1])
        end: Mapping[str, Any] = whole["end"]
    except (ValueError, KeyError, TypeError) as error:
        raise _unknown(text, error) from error
    if "error" in whole:
        raise _failed(f"failed: {whole['error']}")
    return end


def _check(moved: int, seconds: float, lived_s: float) -> None:
    if moved <= 0 or seconds <= 0:
        raise _failed(f"moved {moved} bytes in {seconds:g} s")
    if seconds > lived_s * _CLOCK_TOLERANCE:
        raise _failed(f"says that its test lasted {seconds:g} s, but the host saw it live for {lived_s:g} s")


def _unknown(text: str, error: Exception) -> InvocationFailed:
    said = " ".join(text.split())[-300:] or "nothing"
    return _failed(f"gave no report that can be read ({type(error).__name__}: {error}); it said: {said}")


def _failed(what: str) -> InvocationFailed:
    return InvocationFailed(f"iperf3 {what}")
