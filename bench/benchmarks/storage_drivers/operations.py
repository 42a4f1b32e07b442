"""What ``storage-drivers`` measures, declared as groups of quantities, and the drivers that it is measured of.

- :data:`TABLES` lists the groups in the order of the tables, :data:`HEAT` in the order of the heat maps' rows.
- :func:`columns` and :func:`heat_rows` return those that a run has values of.
- :func:`drivers` sorts the run's variants by driver and operation; :func:`references` names the drivers to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from bench.core.model import ParamValue
from bench.core.units import format_value
from bench.display import lookup, paired, prose, storage
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity
from bench.stats.pairs import Times

COPY, USED = "storage.copy_up_s", "storage.used_bytes"

_FASTEST = ("storage=overlay2", "snapshotter=overlayfs")
"""The driver of the first heat map's reference: the first of these that was measured."""


@dataclass(frozen=True)
class Operation:
    """A quantity, and the value of the param ``operation`` whose invocations measure it."""

    name: str
    what: Quantity


@dataclass(frozen=True)
class Group:
    """Quantities that are columns of the same table.

    Attributes:
        title: Title of the table.
        operation: Value of the param ``operation`` whose invocations measure them.
        quantities: Finds the quantities of a run, titled as columns.
        row: Title of a quantity as a row of the heat maps; ``{}`` stands for the column's title.
        rows: Which of the quantities are rows of the heat maps.
        by_cache: Whether there is one table for each state of the page cache.
    """

    title: str
    operation: str
    quantities: Callable[[ScenarioData], Sequence[Quantity]]
    row: str = "{}"
    rows: Literal["all", "first and last", "last"] = "all"
    by_cache: bool = False


def size_text(size: ParamValue) -> str:
    """Write a size in bytes without trailing zeros: ``64 MiB``."""
    number, _, unit = format_value(float(size), "bytes").partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def _count(noun: str) -> Callable[[ParamValue], str]:
    return lambda count: prose.plural(float(count), noun)


def _along(
    metric: str, param: str, text: Callable[[ParamValue], str], **fixed: ParamValue
) -> Callable[[ScenarioData], list[Quantity]]:
    """Return a function that finds one quantity for each value of a param, increasing."""

    def quantities(data: ScenarioData) -> list[Quantity]:
        return [
            Quantity(metric, {param: value, **fixed}, text(value)) for value in lookup.param_values(data, metric, param)
        ]

    return quantities


def _files(data: ScenarioData) -> list[Quantity]:
    return [Quantity(storage.FILES, {"action": action}, action) for action in storage.actions(data)]


def _unpacking(_: ScenarioData) -> list[Quantity]:
    return [Quantity("storage.unpack_s", {}, "unpack"), Quantity(USED, {}, "disk used")]


_by_layers = partial(_along, param="layers", text=_count("layer"))
_by_size = partial(_along, param="file_bytes", text=size_text)
_of_readers = _along("storage.shared_cache_bytes", "readers", _count("reader"))

_LIFE = (
    Group("Create, by layers of the image", "life", _by_layers("storage.create_s"), "create, {}", "first and last"),
    Group("Start, by layers of the image", "life", _by_layers("storage.start_s"), "start, {}", "first and last"),
    Group("Remove, by layers of the image", "life", _by_layers("storage.remove_s"), "remove, {}", "first and last"),
)
COPIES = (
    Group(
        "First write into a file of the image",
        "copy-up",
        _by_size(COPY, write="first"),
        "first write, {}",
        "first and last",
    ),
    Group("Second write into it", "copy-up", _by_size(COPY, write="second"), "second write, {}", "first and last"),
)
"""The first write into a file of the image, which copies it up, and the second, which does not."""

_FSYNC = Group(
    "fsync after the first write", "copy-up", _by_size(storage.FSYNC, write="first"), "fsync, {}", rows="last"
)
_USED = Group("Disk used by the changed file", "copy-up", _by_size(USED))
_FILES = Group("Files a second", "metadata", _files, "files: {}")
_FIO = (
    Group("Throughput of fio", "io", storage.streams, by_cache=True),
    Group("Operations of fio a second", "io", storage.singles, by_cache=True),
)
_CACHE = Group(
    "Page cache of one file with several readers", "cache", _of_readers, "page cache, {}", rows="first and last"
)
_UNPACK = Group("Unpack an image", "unpack", _unpacking, "image: {}")

TABLES = (*COPIES, *_LIFE, _FILES, *_FIO, _CACHE, _UNPACK, _FSYNC, _USED)
"""The groups in the order of the tables."""

HEAT = (*_LIFE, *COPIES, _FSYNC, _FILES, *_FIO, _CACHE, _UNPACK)
"""The groups in the order of the heat maps' rows, top to bottom."""

Drivers = dict[str, dict[str, Variant]]
"""Driver, as a row's label → operation → the variant that measures it."""


def drivers(data: ScenarioData) -> Drivers:
    """Return the variants by driver and operation, in display order."""
    found: Drivers = {}
    for row in lookup.without_control(data):
        operation = lookup.param_of(row, "operation") or "life"
        found.setdefault(named(row).text, {})[operation] = row
    return found


def named(row: Variant) -> Variant:
    """Return a variant whose label leaves out the operation."""
    return lookup.unlabelled(row, "operation")


def columns(data: ScenarioData, group: Group) -> dict[str, Sequence[Quantity]]:
    """Return the tables of a group: title → quantities, one a column."""
    found = group.quantities(data)
    return {**storage.by_cache(group.title, found)} if group.by_cache else {group.title: found}


def heat_rows(data: ScenarioData) -> list[Operation]:
    """Return the rows of the heat maps, top to bottom; those without any value are left out."""
    rows = [
        Operation(group.operation, replace(what, title=group.row.format(what.title)))
        for group in HEAT
        for what in _chosen(group, group.quantities(data))
    ]
    every = drivers(data).values()
    return [one for one in rows if any(one.what.of(data, of.get(one.name)) for of in every)]


def _chosen(group: Group, found: Sequence[Quantity]) -> Sequence[Quantity]:
    if group.rows == "all":
        return found
    return found[-1:] if group.rows == "last" else lookup.first_and_last(found)


def references(data: ScenarioData) -> list[str]:
    """Return the drivers that the others are divided by: overlay2 and the baseline, if they have any value."""
    having = {item.target for item in data.summaries if item.median is not None}
    every = {name: next(iter(of.values())).target for name, of in drivers(data).items()}
    every = {name: target for name, target in every.items() if target in having}
    best = next((name for wanted in _FASTEST for name, target in every.items() if wanted in target), "")
    base = next((name for name, target in every.items() if target == data.baseline), "")
    return [name for name in dict.fromkeys((best, base)) if name]


def relative(
    data: ScenarioData, of: Mapping[str, Variant], reference: Mapping[str, Variant], row: Operation
) -> Times | None:
    """Return the cost of an operation ÷ its cost with the reference, paired block by block; more is always worse."""
    return paired.cost(data, of.get(row.name), reference.get(row.name), row.what)
