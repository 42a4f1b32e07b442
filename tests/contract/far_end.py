"""A name service at the lab's second host: an instance that gets its answer has a way there and back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bench.core import proc
from bench.core.clock import EventHub
from bench.lab import Lab, images, network
from bench.workloads import dns

NAME = "far.tare"
_PORT = 5300
_COUNT = 20
ASKS = (*dns.resolve(NAME, f"{network.PEER_ADDRESS}#{_PORT}", _COUNT), "--sleep")
"""The payload's arguments that have it ask there."""


@contextlib.contextmanager
def answering(lab: Lab, hub: EventHub) -> Iterator[None]:
    """Have the second host answer while the block runs."""
    events = lab.paths.run / "e" / "far-end"
    program = [str(images.payload(lab.paths.state).path), "--events", f"unix:{events}"]
    asked = dns.answer((NAME,), address=network.PEER_ADDRESS, port=_PORT)
    with hub.channel(events) as channel:
        server = proc.spawn([*network.peer(lab).prefix(), *program, *asked, "--sleep"])
        try:
            channel.wait_line("B answer", 10)
            yield
        finally:
            server.stop(1)


def check(channel_lines: list[str]) -> None:
    """Check that every question was answered."""
    assert f"C resolve {_COUNT}" in channel_lines, channel_lines
    assert f"{dns.END}127.0.0.1" in channel_lines
