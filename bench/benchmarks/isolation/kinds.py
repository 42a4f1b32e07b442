"""What victims and neighbours are: rates, what they need, and which pairs belong together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.benchmarks.isolation import NATURAL
from bench.core.model import ParamValue
from bench.workloads.neighbours import Work

Room = Literal["none", "memory", "disk"]
LIMIT_TIMES, LIMIT_LEAST_S = 3, 3.0
"""A victim gives up after this many times the time that it needs alone, and not before this time."""


@dataclass(frozen=True)
class Victim:
    """A kind of victim.

    Attributes:
        per_s: Its own rate, operations a second.
        files: Whether it works with files.
        far: Whether it calls a program at the far end of its network path.
    """

    per_s: int
    files: bool = False
    far: bool = False


@dataclass(frozen=True)
class Neighbour:
    """A kind of neighbour.

    Attributes:
        victim: Its natural victim.
        unit: What it counts, for people.
        room: What it takes ``room_bytes`` of.
        files: Whether it has files.
        device: The rate of the device that a limit is for.
        shared: What victim and neighbour compete for, for people.
        does: What it does without end, for people, as in "a neighbour that …".
        called: The same as a noun, as in "beside …".
        far: Whether it sends to a program at the far end of its network path, which counts what arrives.
        storms: Whether the host would not be usable beside it, if the rest of the host did not come first.
    """

    victim: str
    unit: str
    shared: str
    does: str
    called: str
    room: Room = "none"
    files: bool = False
    device: Literal["", "read", "write"] = ""
    far: bool = False
    storms: bool = False


STORM_PERCENT = 50
"""A storm in no more than this part of the time leaves the host usable as it is."""
EMULATED_TIMES = 10
"""How many times slower a victim's own rate is on emulated processors."""

VICTIMS: Mapping[str, Victim] = {
    "tick": Victim(1000),
    "compute": Victim(100),
    "fork": Victim(100),
    "map": Victim(200),
    "file": Victim(50, files=True),
    "read": Victim(100, files=True),
    "cache": Victim(100, files=True),
    "tcp": Victim(500),
    "remote": Victim(500, far=True),
}
"""Rates that a small host keeps alone with room to spare."""

NEIGHBOURS: Mapping[str, Neighbour] = {
    "cpu": Neighbour("tick", "computations", "the CPUs", "uses every CPU", "busy CPUs"),
    "memory": Neighbour("map", "bytes", "free memory", "fills the memory", "full memory", room="memory"),
    "bandwidth": Neighbour(
        "compute", "bytes", "caches and memory bandwidth", "reads and writes memory", "memory traffic", room="memory"
    ),
    "write": Neighbour(
        "file", "bytes", "the disk", "writes to the disk", "disk writes", room="disk", files=True, device="write"
    ),
    "read": Neighbour(
        "read", "bytes", "the disk", "reads from the disk", "disk reads", room="disk", files=True, device="read"
    ),
    "cache": Neighbour(
        "cache", "bytes", "the page cache", "fills the page cache", "a full page cache", room="disk", files=True
    ),
    "network": Neighbour("tcp", "bytes", "the network stack", "floods the network", "network traffic"),
    "bulk": Neighbour(
        "remote", "bytes received", "the network path", "sends a stream over its network", "a network stream", far=True
    ),
    "flood": Neighbour(
        "remote",
        "bytes received",
        "the network path",
        "floods its network with datagrams",
        "a flood of datagrams",
        far=True,
    ),
    "forks": Neighbour(
        "fork", "processes", "the process table and the CPUs", "starts processes", "process starts", storms=True
    ),
    "journal": Neighbour(
        "file", "files", "the file system's journal", "creates and syncs files", "file syncs", files=True
    ),
    "pages": Neighbour("map", "pages", "the page allocator", "takes and returns memory", "memory churn"),
    "inodes": Neighbour(
        "file", "files", "the tables of files and inodes", "creates files", "file creation", files=True
    ),
}


def victim_name(params: Mapping[str, ParamValue]) -> str:
    """Return the kind of victim that the parameters ask for."""
    asked = str(params["victim"])
    return NEIGHBOURS[str(params["neighbour"])].victim if asked == NATURAL else asked


def yields(params: Mapping[str, ParamValue]) -> bool:
    """Say whether the rest of the host comes first: beside a storm in most of the time, in every arm of it."""
    return NEIGHBOURS[str(params["neighbour"])].storms and int(params["percent"]) > STORM_PERCENT


def work_of(params: Mapping[str, ParamValue], *, emulated: bool = False) -> Work:
    """Return what the victim does; in an emulated machine its own rate is a tenth."""
    kind = victim_name(params)
    seconds = int(params["milliseconds"]) / 1000
    limit_s = max(LIMIT_LEAST_S, LIMIT_TIMES * seconds)
    own = VICTIMS[kind].per_s // (EMULATED_TIMES if emulated else 1)
    return Work(kind, int(params["per_s"]) or own, seconds, limit_s)
