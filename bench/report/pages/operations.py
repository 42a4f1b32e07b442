"""What is measured of a storage driver: the quantities that a run has, in the order in which tables and heat maps show them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.model import ParamValue, Status
from bench.report import lookup
from bench.report.data import NULL, Label, ScenarioData, Variant
from bench.report.pages import paired
from bench.report.pages.paired import Quantity, Times
from bench.units import format_value

COPY, FSYNC, USED = "storage.copy_up_s", "storage.fsync_s", "storage.used_bytes"
READ, WRITTEN, IOPS, FILES = (
    "storage.read_bytes_per_s",
    "storage.write_bytes_per_s",
    "storage.iops",
    "storage.metadata_per_s",
)
CACHE = "storage.shared_cache_bytes"
SKIPPED = "n/a"
_LIFE = {"storage.create_s": "create", "storage.start_s": "start", "storage.remove_s": "remove"}
_ACTIONS = ("create", "stat", "rename", "unlink", "whiteout")
_TELLING = ("storage", "snapshotter", "disk", "mount")
"""Options that say where data are."""

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


def short(data: ScenarioData, target: str) -> Label:
    """Return a target as a label for narrow places: where data are, and what else tells its engine's targets apart."""
    every = [*(row.target for row in data.invoked if row.target != NULL), *(item.target for item in data.skipped)]
    name = target.partition(":")[0]
    mine = [_options(one) for one in dict.fromkeys(every) if one.partition(":")[0] == name]
    shared = set.intersection(*map(set, mine)) if mine else set()
    kept = [one for one in _options(target) if one not in shared or one.partition("=")[0] in _TELLING]
    return Label(name, ", ".join(kept))


def _options(target: str) -> list[str]:
    return [one for one in target.partition(":")[2].split(",") if one]


def columns(data: ScenarioData) -> dict[str, list[Operation]]:
    """Return title → columns of the tables that have one row a driver."""
    found = {
        f"{verb.capitalize()}, by layers of the image": [
            Operation("life", Quantity(metric, {"layers": layers}, _layers(layers)))
            for layers in lookup.kinds(data, metric, "layers")
        ]
        for metric, verb in _LIFE.items()
    }
    done = actions(data, _ACTIONS)
    found[_STORM] = [Operation("metadata", Quantity(FILES, {"action": action}, action)) for action in done]
    for title, chosen in (by_cache(_STREAM, streams(data)) | by_cache(_SINGLE, singles(data))).items():
        found[title] = [Operation("io", what) for what in chosen]
    found["Page cache of one file with several readers"] = _caches(data)
    found["Unpack an image"] = _unpacks(data)
    for title, metric in (("fsync after the first write", FSYNC), ("Disk used by the changed file", USED)):
        found[title] = [Operation("copy-up", _copied(metric, size)) for size in sizes(data, metric)]
    return found


def heat(data: ScenarioData) -> list[Operation]:
    """Return the rows of the heat maps, top to bottom: the ends of what is measured by layers or sizes, else everything."""
    found = columns(data)
    rows = [*_lives(data), *_copies(data)]
    rows += [one.called(f"files: {one.what.title}") for one in found[_STORM]]
    rows += [Operation("io", what) for what in [*streams(data), *singles(data)]]
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


def lacking(data: ScenarioData, row: Variant | None) -> str:
    """Say in a word why a variant has no value: skipped or failed; empty when it has some or was not asked for."""
    if row is None:
        return ""
    frame = data.outcomes
    ended = frame.loc[(frame["target"] == row.target) & (frame["params"] == row.params), "status"]
    if len(ended) and (ended == Status.SKIPPED).all():
        return SKIPPED
    return "failed" if len(ended) and not (ended == Status.OK).any() else ""


def actions(data: ScenarioData, order: Sequence[str] = _ACTIONS) -> list[str]:
    """Return what was done with files, in its order."""
    found = [str(kind) for kind in lookup.kinds(data, FILES, "action")]
    return [name for name in order if name in found] + [name for name in found if name not in order]


def disk(data: ScenarioData, metric: str, verb: str) -> list[Quantity]:
    """Return the fio jobs of a metric: direct before buffered, sequential before random, reads before writes."""
    found: dict[str, Quantity] = {}
    for item in data.summaries:
        if item.metric == metric and item.median is not None and "pattern" in item.params:
            named = {name: item.params[name] for name in ("pattern", "cache", "op") if name in item.params}
            words = f"{named['pattern']} {named.get('op', verb)}" + (f", {named['cache']}" if "cache" in named else "")
            found[json.dumps(named, sort_keys=True)] = Quantity(metric, named, words)
    return sorted(found.values(), key=lambda what: _rank(what.more))


def streams(data: ScenarioData) -> list[Quantity]:
    """Return the fio jobs whose bytes count, sequential ones where there are any, both directions beside each other."""
    both = _only("sequential", [*disk(data, READ, "read"), *disk(data, WRITTEN, "write")])
    return sorted(both, key=lambda what: (*_rank(what.more), what.metric != READ))


def singles(data: ScenarioData) -> list[Quantity]:
    """Return the fio jobs whose operations count: those of random places where there are any."""
    return _only("random", disk(data, IOPS, ""))


def _only(pattern: str, chosen: Sequence[Quantity]) -> list[Quantity]:
    """Return the jobs of a pattern; of the others bytes and operations say the same, so that one of them is enough."""
    return [what for what in chosen if what.more.get("pattern") == pattern] or list(chosen)


def by_cache(title: str, chosen: Sequence[Quantity]) -> dict[str, list[Quantity]]:
    """Divide fio jobs into those past the page cache and those through it: title → jobs, named without it."""
    found: dict[str, list[Quantity]] = {}
    for what in chosen:
        words, _, cache = what.title.partition(", ")
        found.setdefault(f"{title}, {cache}" if cache else title, []).append(replace(what, title=words))
    return found


def sizes(data: ScenarioData, metric: str) -> list[ParamValue]:
    """Return the sizes of the files whose copy-up was measured, increasing."""
    return lookup.kinds(data, metric, "file_bytes")


def size_text(size: ParamValue) -> str:
    """Write a size without zeros at its end: ``64 MiB``."""
    number, _, unit = format_value(float(size), "bytes").partition(" ")
    return f"{number.rstrip('0').rstrip('.') if '.' in number else number} {unit}"


def _rank(named: Mapping[str, ParamValue]) -> tuple[bool, bool, bool]:
    return named.get("cache") == "buffered", named.get("pattern") == "random", named.get("op") == "write"


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
    last = _ends(sizes(data, FSYNC))[-1:]
    return rows + [Operation("copy-up", _copied(FSYNC, size)).called(f"fsync, {size_text(size)}") for size in last]


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
