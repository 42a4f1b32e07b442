"""What a network mode costs: throughput, CPU time, answers, connections, datagrams, start, and whether the usual order holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.benchmarks.network_modes.order import orders, pair_sentence, statement
from bench.core.model import ParamValue
from bench.core.units import significant
from bench.display import cells, lookup, paired
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid, ratio_cell
from bench.display.table import notes as every_note
from bench.stats.order import OrderFound, OrderVerdict

THROUGHPUT, CPU = "network.throughput_bytes_per_s", "network.cpu_s_per_gb"
MEDIAN, TAIL, CONNECTS = (
    Quantity("network.rr_p50_s", {}, "answer, median"),
    Quantity("network.rr_p99_s", {}, "answer, 99th percentile"),
    Quantity("network.connect_per_s", {}, "connections"),
)
READY = Quantity("network.ready_s", {}, "ready")
_LOST = Quantity("network.udp_loss_ratio", {}, "lost")
_DATAGRAMS = (
    Quantity("network.udp_bytes_per_s", {}, "received"),
    Quantity("network.udp_jitter_s", {}, "jitter"),
)
_WAYS = {"out": "out", "in": "in"}
_PLAIN = ("network=none", "network=host")
"""Modes without a network of their own, the cheapest first: what a mode's start is compared with."""

_SEVERAL = 2


def tables(data: ScenarioData) -> list[Grid]:
    """Return throughput, the order, latency, CPU time, datagrams, start and, in a report, who talked to whom."""
    brief = data.columns is not None
    made = [
        *(_throughput(data, streams) for streams in lookup.kinds(data, THROUGHPUT, "streams")),
        _order(data, brief=brief),
        _relative(data, "Request and answer", [MEDIAN, TAIL]),
        _relative(data, "TCP connections", [CONNECTS]),
        _costs(data, CPU, "CPU time of the whole host for 1 GB"),
        _costs(data, "network.retransmits", "Retransmitted segments"),
        _udp(data),
        _start(data),
    ]
    return cells.some(made if brief else [*made, _ends(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the numbers."""
    kept = (THROUGHPUT, MEDIAN.metric, CONNECTS.metric, CPU)
    return every_note(data, lambda item: item.metric in kept)


def ways(data: ScenarioData, metric: str) -> list[Quantity]:
    """Return a metric's series that the run has: few streams before many, out before in."""
    found = []
    for streams in lookup.kinds(data, metric, "streams"):
        directions = [str(one) for one in lookup.kinds(data, metric, "direction")]
        for direction in sorted(directions, key=lambda one: one != "out"):
            named: dict[str, ParamValue] = {"streams": streams, "direction": direction}
            if any(item.metric == metric and named.items() <= item.params.items() for item in data.summaries):
                found.append(Quantity(metric, named, f"{_streams(streams)} {_WAYS.get(direction, direction)}"))
    return found


def verdicts(data: ScenarioData) -> list[OrderFound]:
    """Weigh the claimed orders with what this scenario measured: few streams before many, out before in."""
    found = orders(data.points, data.outcomes, data.skipped)
    return sorted(found, key=lambda one: (str(one.params.get("streams", "")), one.params.get("direction") != "out"))


def plain_mode(data: ScenarioData, row: Variant) -> Variant | None:
    """Return the same engine's mode without a network of its own, if that was measured and is another one."""
    for mode in _PLAIN:
        for other in data.invoked:
            if other.engine == row.engine and mode in other.target and READY.of(data, other):
                return other if other != row else None
    return None


def reaches(row: Variant) -> bool:
    """Say whether a mode reaches anything but itself."""
    return "network=none" not in row.target.partition(":")[2].split(",")


def _streams(count: ParamValue) -> str:
    return "1 stream" if count == 1 else f"{count} streams"


def _throughput(data: ScenarioData, streams: ParamValue) -> Grid:
    chosen = [what for what in ways(data, THROUGHPUT) if what.more["streams"] == streams]
    short = [Quantity(what.metric, what.more, str(what.more["direction"])) for what in chosen]
    note = "Out: the instance sends. In: it receives."
    return _relative(data, f"TCP throughput, {_streams(streams)}", short, note)


def _relative(data: ScenarioData, title: str, chosen: Sequence[Quantity], note: str = "") -> Grid:
    """Show each quantity with its ratio to the baseline."""
    heads: list[Column] = []
    for what in chosen:
        heads += [Column(what.title, cells.CI), Column(f"× {data.baseline}", cells.CI)]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = [what.of(data, row) for what in chosen]
        made = [cell for one in found for cell in (cells.value(one), ratio_cell(one, data.baseline))]
        rows.append((row, [*made, *cells.counted(data, row, next((one for one in found if one), None))]))
    return cells.grid(title, [*heads, *cells.COUNTS], rows, note=note)


def _costs(data: ScenarioData, metric: str, title: str) -> Grid:
    chosen = ways(data, metric)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = [what.of(data, row) for what in chosen]
        main = next((one for one in found if one), None)
        if main:
            rows.append((row, [*(cells.value(one) for one in found), Cell(str(main.n))]))
    return cells.grid(title, [*(Column(what.title, cells.CI) for what in chosen), Column("n")], rows)


def _udp(data: ScenarioData) -> Grid:
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        received, jitter = (what.of(data, row) for what in _DATAGRAMS)
        lost = _LOST.of(data, row)
        main = received or lost or jitter
        if main:
            made = [cells.value(received), _percent(data, row), cells.value(jitter), Cell(str(main.n))]
            rows.append((row, made))
    heads = [Column("received", cells.CI), Column("lost", cells.CI), Column("jitter", cells.CI), Column("n")]
    return cells.grid("UDP", heads, rows, note="Loss and jitter are what the receiving tool tells.")


def _percent(data: ScenarioData, row: Variant) -> Cell:
    found = _LOST.of(data, row)
    cell = cells.percent(found)
    if found is None or found.ci is None:
        return cell
    return Cell(cell.text, f"{significant(100 * found.ci.low, 2)}–{significant(100 * found.ci.high, 2)} %")


def _start(data: ScenarioData) -> Grid:
    heads = [
        Column("ready", cells.CI),
        Column("× plain mode", cells.CI),
        Column("plain mode", numeric=False),
        Column("n"),
    ]
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = READY.of(data, row)
        if found is None:
            continue
        other = plain_mode(data, row)
        ratio = paired.times(data, row, other, READY)
        words = Cell(other.target if other and ratio else NONE)
        rows.append((row, [cells.value(found), paired.cell(ratio), words, Cell(str(found.n))]))
    note = "From request to ready, and how many times as long as the same engine takes without a network of its own."
    return cells.grid("What the mode costs at start", heads, rows, note=note)


def _order(data: ScenarioData, *, brief: bool) -> Grid:
    """Give each claimed order's verdict with the pairs that it stands on; in a terminal only pairs that do not hold."""
    found = verdicts(data)
    heads = [
        Column("verdict", numeric=False),
        Column("how many times as good", _level(found)),
        Column("blocks"),
        Column("why", numeric=False),
    ]
    rows: list[tuple[Row, list[Cell]]] = []
    undecided = (OrderVerdict.NOT_MEASURED, OrderVerdict.NOT_DECIDED)
    for one in found:
        under = _under(one)
        reasons = dict.fromkeys(pair_sentence(pair) for pair in one.pairs if pair.verdict is one.verdict)
        why = "; ".join(reasons) if brief and one.verdict is OrderVerdict.NOT_MEASURED else ""
        rows.append((Label(statement(one.order), under), [Cell(one.verdict), Cell(NONE), Cell(NONE), Cell(why)]))
        for pair in one.pairs:
            settled = brief and pair.verdict in (OrderVerdict.HOLDS, OrderVerdict.NOT_MEASURED)
            if (pair.neighbours and not settled) or pair.verdict is OrderVerdict.CONTRADICTED:
                known = paired.Times(pair.ratio, pair.ci, pair.n) if pair.ratio is not None else None
                why = pair_sentence(pair) if pair.verdict in undecided else ""
                made = [Cell(pair.verdict), paired.cell(known), Cell(str(pair.n)), Cell(why)]
                rows.append((Label(f"{pair.better} ≥ {pair.worse}", under), made))
    return cells.grid("Does the usual order hold?", heads, rows, first="Claim", note=_said(found))


def _under(found: OrderFound) -> str:
    streams, direction = found.params.get("streams"), found.params.get("direction")
    return f"{_streams(streams)} {direction}" if streams is not None else ""


def _level(found: Sequence[OrderFound]) -> str:
    """Return the level of the pairs' intervals, which is not that of one interval where several are weighed together."""
    levels = {f"{100 * pair.ci.level:.3g}" for one in found for pair in one.pairs if pair.ci}
    return f"{levels.pop()} % CI" if len(levels) == 1 else "CI"


def _said(found: Sequence[OrderFound]) -> str:
    counts = Counter(one.verdict for one in found)
    if not counts:
        return ""
    text = ", ".join(f"{verdict} {count}×" for verdict, count in counts.items())
    return f"The whole: {text}. “≥” is “at least as good as”; a pair is contradicted only where its interval says so."


def _ends(data: ScenarioData) -> Grid:
    """Say who was at the other end; what is the same everywhere is told once."""
    said = {row: lookup.said(data, row) for row in data.invoked}
    names = list(dict.fromkeys(name for found in said.values() for name in found))
    texts = {name: {cells.words(found.get(name)).text for found in said.values() if found} for name in names}
    alike = [name for name in names if len(said) > 1 and len(texts[name]) == 1]
    rows: list[tuple[Row, list[Cell]]] = [
        (row, [cells.words(found.get(name)) for name in names if name not in alike])
        for row, found in said.items()
        if found
    ]
    heads = [Column(name.capitalize().replace("_", " "), numeric=False) for name in names if name not in alike]
    note = " ".join(f"{name.capitalize()}: {next(iter(texts[name]))}." for name in alike)
    return cells.grid("Who talked to whom", heads, rows, note=note)
