"""The tables of ``network-modes``: throughput, claimed order, latency, connections, CPU time, UDP, and start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bench.benchmarks.network_modes.order import of_the_run, orders, pair_sentence, statement
from bench.core.model import ParamValue
from bench.display import cells, lookup, paired, prose, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid
from bench.stats.order import OrderFound, OrderVerdict
from bench.stats.pairs import Times

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
_PLAIN = ("network=none", "network=host")
"""Modes without a network of their own, cheapest first; the start of other modes is compared with the first that was measured."""


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables; a report also gets one of the peers."""
    brief = data.columns is not None
    made = [
        *(_throughput(data, streams) for streams in lookup.param_values(data, THROUGHPUT, "streams")),
        _order(data, brief=brief),
        cells.ratio_grid(data, "Request and answer", data.invoked, [MEDIAN, TAIL]),
        cells.ratio_grid(data, "TCP connections", data.invoked, [CONNECTS]),
        _costs(data, CPU, "CPU time of the whole host for 1 GB"),
        _costs(data, "network.retransmits", "Retransmitted segments"),
        _udp(data),
        _start(data),
    ]
    return cells.filled(made if brief else [*made, _ends(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    kept = (THROUGHPUT, MEDIAN.metric, CONNECTS.metric, CPU)
    return table.notes(data, lambda item: item.metric in kept)


def ways(data: ScenarioData, metric: str) -> list[Quantity]:
    """Return the quantities of a metric by streams and direction: few streams first, out before in."""
    found = []
    for streams in lookup.param_values(data, metric, "streams"):
        directions = [str(one) for one in lookup.param_values(data, metric, "direction")]
        for direction in sorted(directions, key=lambda one: one != "out"):
            named: dict[str, ParamValue] = {"streams": streams, "direction": direction}
            if any(item.metric == metric and named.items() <= item.params.items() for item in data.summaries):
                found.append(Quantity(metric, named, f"{streams_text(streams)} {direction}"))
    return found


def verdicts(data: ScenarioData) -> list[OrderFound]:
    """Return the verdicts on the claimed orders: few streams first, out before in."""
    found = [one for one in orders(data.points, data.outcomes, data.skipped) if of_the_run(one)]
    return sorted(found, key=lambda one: (str(one.params.get("streams", "")), one.params.get("direction") != "out"))


def plain_mode(data: ScenarioData, row: Variant) -> Variant | None:
    """Return the same engine's mode without a network of its own; ``None`` if it was not measured or is ``row`` itself."""
    for mode in _PLAIN:
        for other in data.invoked:
            if other.engine == row.engine and mode in other.target and READY.of(data, other):
                return other if other != row else None
    return None


def reaches(row: Variant) -> bool:
    """Return whether instances in a mode can reach anything but their own loopback."""
    return "network=none" not in row.target.partition(":")[2].split(",")


def streams_text(count: ParamValue) -> str:
    """Write a number of streams: ``4 streams``."""
    return prose.plural(float(count), "stream")


def _throughput(data: ScenarioData, streams: ParamValue) -> Grid:
    chosen = [what for what in ways(data, THROUGHPUT) if what.more["streams"] == streams]
    short = [Quantity(what.metric, what.more, str(what.more["direction"])) for what in chosen]
    note = "Out: the instance sends. In: it receives."
    return cells.ratio_grid(data, f"TCP throughput, {streams_text(streams)}", data.invoked, short, note)


def _costs(data: ScenarioData, metric: str, title: str) -> Grid:
    chosen = ways(data, metric)
    rows: list[tuple[Row, list[Cell]]] = []
    for row in data.invoked:
        found = [what.of(data, row) for what in chosen]
        main = cells.first(found)
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
            made = [cells.value(received), cells.percent(lost, interval=True), cells.value(jitter), Cell(str(main.n))]
            rows.append((row, made))
    heads = [Column("received", cells.CI), Column("lost", cells.CI), Column("jitter", cells.CI), Column("n")]
    return cells.grid("UDP", heads, rows, note="Loss and jitter are what the receiving tool tells.")


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
    """Show the verdict on each claimed order with its pairs; in a terminal only the pairs that do not hold."""
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
                known = Times(pair.ratio, pair.ci, pair.n) if pair.ratio is not None else None
                why = pair_sentence(pair) if pair.verdict in undecided else ""
                made = [Cell(pair.verdict), paired.cell(known), Cell(str(pair.n)), Cell(why)]
                rows.append((Label(f"{pair.better} ≥ {pair.worse}", under), made))
    return cells.grid("Does the usual order hold?", heads, rows, first="Claim", note=_said(found))


def _under(found: OrderFound) -> str:
    streams, direction = found.params.get("streams"), found.params.get("direction")
    return f"{streams_text(streams)} {direction}" if streams is not None else ""


def _level(found: Sequence[OrderFound]) -> str:
    """Return the level of the pairs' intervals, which is higher than 95 % if several pairs are tested together."""
    levels = {f"{100 * pair.ci.level:.3g}" for one in found for pair in one.pairs if pair.ci}
    return f"{levels.pop()} % CI" if len(levels) == 1 else "CI"


def _said(found: Sequence[OrderFound]) -> str:
    counts = Counter(one.verdict for one in found)
    if not counts:
        return ""
    text = ", ".join(f"{verdict} {count}×" for verdict, count in counts.items())
    return f"The whole order: {text}. “≥” means “at least as fast as”; a pair is contradicted only where its interval says so."


def _ends(data: ScenarioData) -> Grid:
    """Show the peers of each target; notes that are equal for all targets are written once under the table."""
    said = {row: lookup.notes_of(data, row) for row in data.invoked}
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
