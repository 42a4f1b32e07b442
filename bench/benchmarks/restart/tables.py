"""The tables of ``restart``: the crash loop, the truth table of the policies, and the gap while a daemon restarts."""

from __future__ import annotations

from collections.abc import Iterable

from bench.benchmarks.restart.outcomes import Outcome, case_order, outcomes, policies, text
from bench.core.model import Status, Summary
from bench.display import cells, lookup, table
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.paired import Quantity
from bench.display.table import NONE, Cell, Column, Grid

GAP, GROWTH, AWAY = "restart.gap_s", "restart.growth_ratio", "restart.outage_s"
NORMAL = Quantity("restart.normal_s", {}, "normal start")
RESET = Quantity("restart.reset_s", {}, "delay after a long run")
_COST = (
    Quantity("restart.cpu_s", {}, "CPU time a restart"),
    Quantity("restart.daemon_cpu_s", {}, "of it daemons"),
    Quantity("restart.miscounted", {}, "miscounted"),
)
_DELAYS = (
    "Exit → next first instruction of an instance that fails as soon as it runs, restart by restart. A normal start is from the "
    "request to start a created instance to its first instruction. Miscounted: the engine's count against the starts that the "
    "payload has reported."
)
_TRUTH = "What has become of the instance; where that is not what the documentation says, the documentation stands beside it."
_GONE = (
    "From the end of the service, or of the daemon, to the first instruction of the restarted instance; nothing where it stays "
    "down. Answers again: from the request to end the daemon until it answers requests again."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return the crash loop, its cost, the truth tables, and the gaps."""
    found = outcomes(data)
    targets = list(dict.fromkeys(one.target for one in found))
    truth = [_truth(target, [one for one in found if one.target == target]) for target in targets]
    return cells.filled([_loop(data), _cost(data), *truth, _away(data)])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks that belong to the tables."""
    skipped = [f"{row.text}: {reason}." for row in data.invoked if (reason := _skipped(data, row))]
    said = lookup.without_control(data)
    parts = [
        f"{row.text}: {why}."
        for row in said
        if (why := lookup.most_frequent(lookup.notes_of(data, row).get("live_restore")))
    ]
    return table.notes(data, lambda item: item.metric in ("restart.again_s", GAP, AWAY)) + skipped + parts


def attempts(data: ScenarioData) -> list[Quantity]:
    """Return the times of a crash loop, restart by restart."""
    return [Quantity(GAP, {"attempt": at}, f"restart {at}") for at in lookup.param_values(data, GAP, "attempt")]


def _loop(data: ScenarioData) -> Grid:
    chosen = [NORMAL, *attempts(data), RESET]
    last = max(lookup.param_values(data, GROWTH, "attempt"), default=0)
    growth = Quantity(GROWTH, {"attempt": last}, "last delay ÷ the one before")
    made: list[tuple[Row, list[Cell]]] = []
    for row in _rows(data, "delays"):
        first = chosen[0].of(data, row)
        values = [*(cells.plain(what.of(data, row)) for what in chosen), cells.value(growth.of(data, row))]
        made.append((_named(row), [*values, *table.counts_of(data, row, first)]))
    heads = [*(Column(what.title) for what in chosen), Column(growth.title, cells.CI)]
    return cells.grid("A crash loop", [*heads, *cells.COUNTS], made, note=_DELAYS)


def _cost(data: ScenarioData) -> Grid:
    rows = [row for row in _rows(data, "delays") if data.summary(row, NORMAL.metric)]
    made = [(_named(row), [cells.plain(what.of(data, row)) for what in _COST]) for row in rows]
    return cells.grid("What a restart costs", [Column(what.title) for what in _COST], made)


def _truth(target: str, found: list[Outcome]) -> Grid:
    """Return one target's table: a row a cause, a column a policy."""
    names = policies(found)
    by_case = {((one.cause, one.live_restore), one.policy): one for one in found}
    made: list[tuple[Row, list[Cell]]] = []
    for cause, live in dict.fromkeys((one.cause, one.live_restore) for one in found):
        label = Label(cause, f"live restore {live}" if live else "")
        made.append((label, [_outcome(by_case.get(((cause, live), name))) for name in names]))
    version = next((one.version for one in found if one.version), "")
    heads = [Column(name, numeric=False) for name in names]
    return cells.grid(f"Restart policies of {target} ({version})", heads, made, first="What happened", note=_TRUTH)


def _outcome(found: Outcome | None) -> Cell:
    if found is None:
        return Cell(NONE)
    said = f"documented: {text(*found.documented)}" if found.deviates else ""
    return Cell(text(found.restarts, found.running), said)


def _away(data: ScenarioData) -> Grid:
    found = [one for one in data.summaries if one.metric == AWAY]
    names = lookup.in_order(dict.fromkeys(str(one.params["policy"]) for one in found if one.median), ("always",))
    made: list[tuple[Row, list[Cell]]] = []
    for row in _rows(data, "daemon"):
        for cause, live in cases_of(found):
            case = {"cause": cause, "live_restore": live}
            answers = Quantity("restart.unanswered_s", case, "").of(data, row)
            if answers:
                away = [Quantity(AWAY, {**case, "policy": name}, "").of(data, row) for name in names]
                label = Label(_named(row).text, f"{cause}, live restore {live}")
                made.append((label, [*map(_gap, away), cells.plain(answers), Cell(str(answers.n))]))
    heads = [*(Column(name) for name in names), Column("answers again"), Column("n")]
    return cells.grid("How long the service is away while its daemon restarts", heads, made, note=_GONE)


def cases_of(found: Iterable[Summary]) -> list[tuple[str, str]]:
    """Return what happened to daemons, each with and without live restore, in the order of the truth table."""
    cases = dict.fromkeys((str(one.params["cause"]), str(one.params["live_restore"])) for one in found)
    return sorted(cases, key=lambda case: case_order(*case))


def _gap(found: Summary | None) -> Cell:
    return Cell("runs on") if found and found.median == 0 else cells.plain(found)


def _rows(data: ScenarioData, part: str) -> list[Variant]:
    return [row for row in lookup.without_control(data) if lookup.param_of(row, "part") in (part, "")]


def _named(row: Variant) -> Variant:
    return lookup.unlabelled(row, "part")


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""
