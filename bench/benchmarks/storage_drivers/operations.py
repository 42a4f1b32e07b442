"""What is measured of a storage driver: the quantities that a run has, in the order in which tables and heat maps show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.core.model import NULL, ParamValue
from bench.core.units import format_value
from bench.display import lookup, paired, storage
from bench.display.data import ScenarioData, Variant
from bench.display.paired import Quantity, Times

COPY, USED = "storage.copy_up_s", "storage.used_bytes"
CACHE = "storage.shared_cache_bytes"
_LIFE = {"storage.create_s": "create", "storage.start_s": "start", "storage.remove_s": "remove"}
_BEST = ("storage=overlay2", "snapshotter=overlayfs")
"""What the first heat map divides by: the first of these that was measured."""

_STREAM, _SINGLE, _STORM = "Throughput of fio", "Operations of fio a second", "Files a second"


@dataclass(frozen=True)
class Operation:
    """A quantity and the operation whose invocations measure it."""

    name: str
    what: Quantity

    def called(self, title: str) -> Operation:
        """Return the same under another title."""
        return replace(self, what=replace(self.what, title=title))


Drivers = dict[str, dict[str, Variant]]


def drivers(data: ScenarioData) -> Drivers:
    """Return target → operation → variant, in display order."""
    found: Drivers = {}
    for row in data.invoked:
        if row.target != NULL:
            found.setdefault(named(row).text, {})[_operation(row)] = row
    return found


def _operation(row: Variant) -> str:
    return str(json.loads(row.params).get("operation", "life"))


def named(row: Variant) -> Variant:
    """Return a variant as a row without its operation."""
    shown = row.params if row.shown is None else row.shown
    rest = {name: value for name, value in json.loads(shown).items() if name != "operation"}
    return replace(row, shown=json.dumps(rest, sort_keys=True))


def columns(data: ScenarioData) -> dict[str, list[Operation]]:
    """Return title → columns of the tables that have one row a driver."""
    found = {
        f"{verb.capitalize()}, by layers of the image": [
            Operation("life", Quantity(metric, {"layers": layers}, _layers(layers)))
            for layers in lookup.kinds(data, metric, "layers")
        ]
        for metric, verb in _LIFE.items()
    }
    done = storage.actions(data, storage.ACTIONS)
    found[_STORM] = [Operation("metadata", Quantity(storage.FILES, {"action": action}, action)) for action in done]
    for title, chosen in (
        storage.by_cache(_STREAM, storage.streams(data)) | storage.by_cache(_SINGLE, storage.singles(data))
    ).items():
        found[title] = [Operation("io", what) for what in chosen]
    found["Page cache of one file with several readers"] = _caches(data)
    found["Unpack an image"] = _unpacks(data)
    for title, metric in (("fsync after the first write", storage.FSYNC), ("Disk used by the changed file", USED)):
        found[title] = [Operation("copy-up", _copied(metric, size)) for size in sizes(data, metric)]
    return found


def heat(data: ScenarioData) -> list[Operation]:
    """Return the rows of the heat maps, top to bottom: the ends of what is measured by layers or sizes, else everything."""
    found = columns(data)
    rows = [*_lives(data), *_copies(data)]
    rows += [one.called(f"files: {one.what.title}") for one in found[_STORM]]
    rows += [Operation("io", what) for what in [*storage.streams(data), *storage.singles(data)]]
    caches = _caches(data)
    ends = caches if len(caches) < 2 else [caches[0], caches[-1]]
    rows += [one.called(f"page cache, {one.what.title}") for one in ends]
    rows += [one.called(f"image: {one.what.title}") for one in _unpacks(data)]
    every = drivers(data).values()
    return [one for one in rows if any(one.what.of(data, of.get(one.name)) for of in every)]


def references(data: ScenarioData) -> list[str]:
    """Return the rows that others are divided by: overlay2 and the baseline, where they have anything."""
    having = {item.target for item in data.summaries if item.median is not None}
    every = {name: next(iter(of.values())).target for name, of in drivers(data).items()}
    every = {name: target for name, target in every.items() if target in having}
    best = next((name for wanted in _BEST for name, target in every.items() if wanted in target), "")
    base = next((name for name, target in every.items() if target == data.baseline), "")
    return [name for name in dict.fromkeys((best, base)) if name]


def relative(
    data: ScenarioData, of: Mapping[str, Variant], reference: Mapping[str, Variant], row: Operation
) -> Times | None:
    """Return how many times as dear one operation is as with the reference, paired block by block."""
    return paired.cost(data, of.get(row.name), reference.get(row.name), row.what)


def sizes(data: ScenarioData, metric: str) -> list[ParamValue]:
    """Return the sizes of the files whose copy-up was measured, increasing."""
    return lookup.kinds(data, metric, "file_bytes")


def size_text(size: ParamValue) -> str:
    """Write a size without zeros at its end: ``64 MiB``."""
    number, _, unit = format_value(float(size), "bytes").partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def _lives(data: ScenarioData) -> list[Operation]:
    return [
        Operation("life", Quantity(metric, {"layers": layers}, f"{verb}, {_layers(layers)}"))
        for metric, verb in _LIFE.items()
        for layers in _ends(lookup.kinds(data, metric, "layers"))
    ]


def _copies(data: ScenarioData) -> list[Operation]:
    rows = [
        Operation("copy-up", Quantity(COPY, {"file_bytes": size, "write": write}, f"{write} write, {size_text(size)}"))
        for write in ("first", "second")
        for size in _ends(sizes(data, COPY))
    ]
    last = _ends(sizes(data, storage.FSYNC))[-1:]
    return rows + [
        Operation("copy-up", _copied(storage.FSYNC, size)).called(f"fsync, {size_text(size)}") for size in last
    ]


def _caches(data: ScenarioData) -> list[Operation]:
    return [
        Operation("cache", Quantity(CACHE, {"readers": readers}, "1 reader" if readers == 1 else f"{readers} readers"))
        for readers in lookup.kinds(data, CACHE, "readers")
    ]


def _unpacks(data: ScenarioData) -> list[Operation]:
    found = [Quantity("storage.unpack_s", {}, "unpack"), Quantity(USED, {}, "disk used")]
    every = [of.get("unpack") for of in drivers(data).values()]
    return [Operation("unpack", what) for what in found if any(what.of(data, row) for row in every)]


def _copied(metric: str, size: ParamValue) -> Quantity:
    more: dict[str, ParamValue] = {"file_bytes": size} | ({} if metric == USED else {"write": "first"})
    return Quantity(metric, more, size_text(size))


def _ends(values: Sequence[ParamValue]) -> list[ParamValue]:
    return list(dict.fromkeys([values[0], values[-1]])) if values else []


def _layers(count: ParamValue) -> str:
    return "1 layer" if count == 1 else f"{count} layers"
