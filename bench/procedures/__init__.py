"""The procedures: how a scenario of each kind is measured, and which parameters it takes.

A procedure is a module with ``measure(place) -> Reading``; ``PROCEDURES`` names it and its parameters here, so that a
scenario can be checked and a plan made without importing any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from bench.errors import UsageError, unknown
from bench.model import ParamValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.procedures.base import Place, Reading


@dataclass(frozen=True)
class Param:
    """One parameter of a procedure.

    Attributes:
        default: Value when the scenario does not say; its type is the parameter's type.
        meaning: One line for people, with the unit.
        allowed: The values, or none when any of the type will do.
        minimum: Smallest number allowed.
    """

    default: ParamValue
    meaning: str
    allowed: tuple[ParamValue, ...] = ()
    minimum: float = 0


@dataclass(frozen=True)
class Procedure:
    """One way of measuring: the module that does it and the parameters it takes."""

    module: str
    params: Mapping[str, Param]


_SIZE = {
    "memory_bytes": Param(256 * 2**20, "declared memory of each instance, bytes", minimum=64 * 2**20),
    "cpus": Param(1, "declared CPUs of each instance", minimum=1),
}
_TOUCH = {"touch_bytes": Param(0, "memory that the payload writes to before it is ready, bytes")}
_CONCURRENCY = {"concurrency": Param(1.0, "instances started at once, in multiples of the CPUs", minimum=0.01)}

_MACHINES = {"machines": Param(4, "the same for virtual machines, each of which boots a kernel", minimum=2)}
_DISK = {
    "milliseconds": Param(1000, "how long each fio job runs", minimum=100),
    "file_bytes": Param(64 * 2**20, "size of the file that fio reads and writes, bytes", minimum=2**20),
}
_OPERATIONS = ("life", "copy-up", "metadata", "io", "cache", "unpack")
_BASES = ("scratch", "busybox", "debian", "compiler")
_RECIPES = (
    *("good-order", "bad-order", "multi-stage", "single-stage", "many-run", "one-run"),
    *("clean-same", "clean-later", "ignore", "no-ignore"),
)

PROCEDURES: dict[str, Procedure] = {
    "startup": Procedure(
        "bench.procedures.startup",
        {"cache": Param("warm", "host page cache at the request", ("warm", "cold")), **_SIZE, **_TOUCH},
    ),
    "memory": Procedure(
        "bench.procedures.memory",
        {
            **_SIZE,
            **_TOUCH,
            **_CONCURRENCY,
            "instances": Param(50, "instances at the top of the ramp", minimum=2),
            **_MACHINES,
            "steps": Param(5, "readings on the way up, after the one without any", minimum=2),
        },
    ),
    "density": Procedure(
        "bench.procedures.density",
        {
            **_SIZE,
            **_TOUCH,
            **_CONCURRENCY,
            "instances": Param(100, "instances at which the ramp stops at the latest", minimum=2),
            **_MACHINES,
            "step": Param(20, "instances between two readings", minimum=1),
            "floor_bytes": Param(
                0, "MemAvailable that is left to others, bytes; 0: a tenth of the memory, at least 1 GiB"
            ),
            "slower": Param(20.0, "start time, in multiples of the first step's, at which the ramp stops", minimum=1),
            "pressure_percent": Param(
                50, "share of time in which somebody waits for memory at which it stops", minimum=1
            ),
        },
    ),
    "stack": Procedure(
        "bench.procedures.stack",
        {**_SIZE, "lives": Param(10, "further lives, one after the other, under which the daemons are watched")},
    ),
    "namespaces": Procedure(
        "bench.procedures.namespaces",
        {"rounds": Param(100, "namespaces made of each kind, and of each kind at each concurrency", minimum=10)},
    ),
    "limits": Procedure(
        "bench.procedures.limits",
        {
            "limit": Param(
                "none",
                "what is limited",
                ("none", "cpu", "cpu-shares", "memory", "memory-swap", "pids", "read", "write", "network"),
            ),
            "milliseconds": Param(1000, "how long CPU and block I/O are watched", minimum=100),
        },
    ),
    "compute": Procedure(
        "bench.procedures.compute",
        {**_SIZE, "milliseconds": Param(500, "how long each loop runs; sysbench twice as long", minimum=50)},
    ),
    "network-modes": Procedure(
        "bench.procedures.network_modes",
        {
            "seconds": Param(1, "how long each stream runs", minimum=1),
            "streams": Param(4, "streams at once in the test with several", minimum=2),
        },
    ),
    "discovery": Procedure(
        "bench.procedures.discovery", {"lookups": Param(1000, "lookups of each kind of name", minimum=10)}
    ),
    "storage-drivers": Procedure(
        "bench.procedures.storage_drivers",
        {
            "operation": Param("life", "what is measured", _OPERATIONS),
            "largest_bytes": Param(64 * 2**20, "largest file that is copied up, bytes", minimum=4096),
            "readers": Param(4, "instances that read the same file of the image", minimum=2),
            "files": Param(1000, "files of the metadata storm and the whiteouts", minimum=10),
            **_DISK,
        },
    ),
    "storage-types": Procedure(
        "bench.procedures.storage_types",
        {"files": Param(500, "small files", minimum=10), "memory_bytes": _SIZE["memory_bytes"], **_DISK},
    ),
    "size": Procedure(
        "bench.procedures.size", {"base": Param("scratch", "what the application is packed with", _BASES)}
    ),
    "image-build": Procedure(
        "bench.procedures.image_build", {"recipe": Param("good-order", "how the image is built", _RECIPES)}
    ),
    "pull": Procedure(
        "bench.procedures.pull",
        {
            "layers": Param(1, "layers that the same bytes are in", minimum=1),
            "image_bytes": Param(32 * 2**20, "bytes in all layers together", minimum=2**20),
        },
    ),
}


def load(name: str) -> Callable[[Place], Reading]:
    """Return the ``measure`` function of a procedure."""
    return cast("Callable[[Place], Reading]", import_module(_named(name).module).measure)


def check_params(procedure: str, given: Mapping[str, Sequence[ParamValue]]) -> dict[str, tuple[ParamValue, ...]]:
    """Return the parameters after checking names, types and values.

    Raises:
        UsageError: One is unknown or has a value that is not allowed.
    """
    known = PROCEDURES[procedure].params
    checked: dict[str, tuple[ParamValue, ...]] = {}
    for name, values in given.items():
        if name not in known:
            raise UsageError(unknown(f"parameter of '{procedure}'", name, known))
        checked[name] = tuple(dict.fromkeys(_value(name, known[name], value) for value in values))
        if not checked[name]:
            msg = f"the parameter '{name}' has no value"
            raise UsageError(msg)
    return checked


def with_defaults(procedure: str, params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return the parameters of one variant with the defaults of those that the scenario does not name."""
    return {name: param.default for name, param in _named(procedure).params.items()} | dict(params)


def _named(name: str) -> Procedure:
    """Return a procedure; the sentinel has one, too, that no scenario names."""
    return PROCEDURES[name] if name in PROCEDURES else Procedure(f"bench.procedures.{name}", {})


def _value(name: str, param: Param, value: ParamValue) -> ParamValue:
    if isinstance(param.default, str):
        if value not in param.allowed and param.allowed:
            raise UsageError(unknown(f"value of '{name}'", str(value), map(str, param.allowed)))
        return str(value)
    if isinstance(param.default, float):
        return _fraction(name, param, value)
    try:
        number = int(value)
    except (ValueError, OverflowError):
        msg = f"'{name}' takes a whole number ({param.meaning}), found '{value}'"
        raise UsageError(msg) from None
    if isinstance(value, bool) or (number != value and not isinstance(value, str)) or number < param.minimum:
        msg = f"'{name}' takes a whole number of at least {param.minimum:g} ({param.meaning}), found '{value}'"
        raise UsageError(msg)
    return number


def _fraction(name: str, param: Param, value: ParamValue) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number) or number < param.minimum:
        msg = f"'{name}' takes a number of at least {param.minimum:g} ({param.meaning}), found '{value}'"
        raise UsageError(msg)
    return number
