"""What is said of a fleet's hosts: a line a host, and notes on clocks, versions and names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench import __version__
from bench.core.units import format_value
from bench.hosts.records import HostRun

_CODES = {4: " (some invocations failed)", 130: " (interrupted)"}


def line(one: HostRun) -> str:
    """Return what one host did, on one line."""
    if not one.run_id:
        return f"{one.host}: no run: {one.reason}"
    if one.reason:
        return f"{one.host}: run {one.run_id}, not whole: {one.reason}"
    before = " (fetched before)" if one.was_here else ""
    return f"{one.host}: run {one.run_id}{before}{_CODES.get(one.exit_code or 0, '')}"


def notes(hosts: Sequence[HostRun]) -> Iterator[str]:
    """Yield what a reader of the runs must know: clocks that are off, other versions of Tare, hosts that are not apart."""
    for one in hosts:
        if one.clock and one.clock.is_off:
            yield f"{one.host}: {_clock(one)}"
    for one in hosts:
        if one.version and one.version != __version__:
            yield f"{one.host}: has Tare {one.version}, this is {__version__}"
    same_boot = _groups(hosts, lambda one: one.boot)
    for names, _ in same_boot:
        yield f"{names}: one kernel under several names; what is measured there at the same time disturbs each other"
    for names, name in _groups(hosts, lambda one: one.name):
        if names not in {told for told, _ in same_boot}:
            yield f"{names}: each calls itself '{name}'; the tag fleet.host tells their runs apart"


def _clock(one: HostRun) -> str:
    assert one.clock is not None  # noqa: S101 - for the type checker: the caller looked
    offset = one.clock.offset_s
    text = format_value(abs(offset), "s")
    way = "ahead of" if offset > 0 else "behind"
    return (
        f"its clock is {text} {way} this host's (± {format_value(one.clock.error_s, 's')}); dates of its runs are wrong by that, "
        "durations are not"
    )


def _groups(hosts: Sequence[HostRun], key: Callable[[HostRun], str]) -> list[tuple[str, str]]:
    """Return the names of hosts that have the same value, joined, with the value."""
    found: dict[str, list[str]] = {}
    for one in hosts:
        if key(one) and one.host not in found.get(key(one), ()):
            found.setdefault(key(one), []).append(one.host)
    return [(", ".join(names), value) for value, names in found.items() if len(names) > 1]


def as_json(one: HostRun) -> dict[str, Any]:
    """Return one host's result for a machine."""
    return dataclasses.asdict(one)
