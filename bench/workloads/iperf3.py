"""iperf3: TCP streams both ways and UDP at a fixed rate. Bytes are those that the receiving end counted.

What is taken from where:

* bytes, segments sent again, datagrams lost and jitter are iperf3's own, from the report of the end that calls, which has asked
  the other one for its counts;
* the seconds are those of the receiving end's report. The host's stamps around the process include that it is loaded, connects
  and exchanges reports, which is a tenth of a test of one second. So they are the check: a test cannot have lasted longer than
  the host saw the process live, or the instance's clock is wrong.
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
"""Rate of the datagrams: a buffer of Linux's usual size holds 20 ms of it, so that a short wait for a CPU is no loss."""
UDP_BYTES = 1400
"""Of each datagram: fits into what is left of a packet of 1500 bytes inside a tunnel."""
_CLOCK_TOLERANCE = 1.01


@dataclass(frozen=True)
class Streams:
    """What a TCP test gave.

    Attributes:
        bytes: That the receiving end got.
        seconds: For which it received.
        retransmits: Segments that were sent again; ``None`` where the sender's system does not tell.
    """

    bytes: int
    seconds: float
    retransmits: int | None


@dataclass(frozen=True)
class Datagrams:
    """What a UDP test gave.

    Attributes:
        bytes: That the receiving end got.
        seconds: For which it received.
        lost: Datagrams that were sent and never came, or too late.
        sent: All of them.
        jitter_s: As RFC 1889 smooths it.
    """

    bytes: int
    seconds: float
    lost: int
    sent: int
    jitter_s: float


def server(port: int) -> list[str]:
    """Return the arguments of the end that is called."""
    return ["--server", "--port", str(port)]


def client(address: str, port: int, seconds: int, streams: int, *, reverse: bool) -> list[str]:
    """Return the arguments of the end that calls; ``reverse``: it receives. The same for a run by hand."""
    return [*_common(address, port, seconds), *("--parallel", str(streams)), *("--reverse",) * reverse]


def datagrams(address: str, port: int, seconds: int, *, reverse: bool) -> list[str]:
    """Return the arguments of the end that calls, for UDP at the fixed rate."""
    rate = ("--udp", "--bitrate", str(UDP_BITS_PER_S), "--length", str(UDP_BYTES))
    return [*_common(address, port, seconds), *rate, *("--reverse",) * reverse]


def _common(address: str, port: int, seconds: int) -> list[str]:
    # --interval 0: one report at the end, for each line of it has to pass a guest's serial port
    return ["--client", address, "--port", str(port), "--time", str(seconds), "--json", "--interval", "0"]


def parse_streams(text: str, lived_s: float) -> Streams:
    """Read the report of a TCP test; ``lived_s`` is how long the host saw the process live.

    Raises:
        InvocationFailed: It failed, moved nothing, or its clock is wrong.
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
    """Read the report of a UDP test; arguments and errors as of :func:`parse_streams`."""
    end = _end(text)
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
    """Return how the program names itself in its report, ``unknown`` when it does not."""
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
