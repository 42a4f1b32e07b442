"""How a run was measured, in words: blocks, order, clock, what ready and the numbers mean."""

from __future__ import annotations

from bench.core.model import NULL, SENTINEL, StopReason
from bench.display.data import RunData, ScenarioData
from bench.display.names import title_of
from bench.display.prose import joined

_ENDED = {
    StopReason.PRECISION: "then every interval was narrow enough",
    StopReason.BUDGET: "then the time was up",
    StopReason.CAP: "as many as there may be",
}
"""Why a run with ``--precision`` stopped, in words."""

_TIMING = ("fio", "iperf3", "sockperf")
"""Tools whose own times are used, by the name of their version in the evidence."""

_PREPARING = ("image-build", "pull")
"""Benchmarks that time what all others do before the request."""


def paragraphs(data: RunData) -> list[tuple[str, str]]:
    """Return how the run was measured, as pairs of a heading and a few sentences."""
    if _is_imported(data):
        return _imported(data)
    return [
        ("Blocks", " ".join(_blocks(scenario) for scenario in data.scenarios) or "No scenario was planned."),
        ("Order", _order_text(data)),
        (
            "Clock",
            "One clock stamps every event: the host's CLOCK_MONOTONIC. Clocks inside guests and containers are never "
            f"compared with it{_tools_text(data)}. {stamped(data)}",
        ),
        (
            "Ready",
            "Ready means the same everywhere: the payload runs inside the target and tells the host so. Importing, "
            f"pulling and building happen before the request and are not timed{_except_text(data)}. A phase that means "
            "nothing for an engine is absent, not zero.",
        ),
        (
            "Numbers",
            "One value a block and target. The median has an exact order-statistic interval; a ratio is paired block "
            "by block (Hodges-Lehmann) with an exact signed-rank interval. Warm-ups are kept and do not count.",
        ),
        (
            "Failures",
            "An invocation that failed gives no value and is counted; one that ran into its time limit is not a "
            "duration. The rate has a Wilson interval.",
        ),
    ]


def of_scenario(data: RunData, scenario: ScenarioData) -> list[tuple[str, str]]:
    """Return how one scenario was measured: its description, its blocks, and the command that runs it alone."""
    found = [("What", str(scenario.meta["description"]))] if scenario.meta.get("description") else []
    if _is_imported(data):
        return found
    given = scenario.meta.get("parameters", {})
    values = ", ".join(f"{name} {' '.join(map(str, held))}" for name, held in given.items())
    return [
        *found,
        ("Blocks", _blocks(scenario)),
        *([("Parameters", f"{values}.")] if values else []),
        *([("Names", f"{named}.")] if (named := _names(scenario)) else []),
        ("Baseline", f"{scenario.baseline}: the other targets are divided by it, block by block."),
    ]


def _names(scenario: ScenarioData) -> str:
    """Say what each target is whose spelling does not tell: ``cri is Kubernetes pod``; targets of one name together."""
    groups: dict[str, list[str]] = {}
    for target in dict.fromkeys(row.target for row in scenario.invoked if row.target not in (NULL, SENTINEL)):
        if (title := title_of(target)).lower() != target.partition(":")[0]:
            groups.setdefault(title, []).append(target)
    return "; ".join(f"{joined(targets)}: {title}" for title, targets in groups.items())


_STAMPS = {
    "c": "Events were stamped on arrival by a thread in C, outside the harness's interpreter",
    "python": "Events were stamped in Python, which stamps late while it is busy, because the library in C could not be used",
}
_SCHEDULING = {
    "SCHED_FIFO": "in the real-time class SCHED_FIFO",
    "SCHED_OTHER": "in the normal scheduling class, so that a busy host could delay a stamp",
}


def stamped(data: RunData) -> str:
    """Say what stamped the events of a run, and in which scheduling class; names of a newer Tare as they stand.

    Empty for an import, whose times another tool took.
    """
    if _is_imported(data):
        return ""
    found = {str(name): str(value) for name, value in data.meta.get("instrument", {}).items()}
    if not found:
        return "This run does not record what stamped its events."
    stamp, scheduling = found.get("stamp", "unknown"), found.get("scheduling", "unknown")
    return f"{_STAMPS.get(stamp, f'Events were stamped by: {stamp}')}, {_SCHEDULING.get(scheduling, scheduling)}."


def _is_imported(data: RunData) -> bool:
    return bool(data.scenarios) and all(scenario.benchmark == "imported" for scenario in data.scenarios)


def _imported(data: RunData) -> list[tuple[str, str]]:
    together = "Its file says which values were measured together: those are a block."
    apart = (
        "Its file does not say which values were measured together: no ratio is paired, each value stands for itself."
    )
    return [
        (
            "Imported",
            "Another tool measured this, with its own clock, order and idea of done; nothing of it was checked here.",
        ),
        ("Order", together if data.meta.get("interleaved") else apart),
        (
            "Numbers",
            "The median has an exact order-statistic interval. Warm-ups, where the file names them, do not count.",
        ),
    ]


def _blocks(scenario: ScenarioData) -> str:
    meta = scenario.meta
    blocks, warmups = int(meta.get("blocks", 0)), int(meta.get("warmup_blocks", 0))
    ended = ""
    if stopped := meta.get("stopped"):
        blocks, ended = int(stopped["blocks"]), f" ({_ended(str(stopped['reason']))})"
    return (
        f"{scenario.name}: {warmups} warm-up {_plural('block', warmups)}, then {blocks} measured "
        f"{_plural('block', blocks)}{ended}; time limit {meta.get('timeout_s', '–')} s an invocation."
    )


def _ended(reason: str) -> str:
    """Say why a scenario stopped; a reason of a newer Tare as it stands."""
    return _ENDED[StopReason(reason)] if reason in tuple(StopReason) else reason


def _order_text(data: RunData) -> str:
    several = any(len(values) > 1 for one in data.scenarios for values in one.meta.get("params", {}).values())
    text = (
        f"Every block runs every target once{' with each set of parameters' * several}, each in a fresh instance, in a random "
        f"order that seed {data.meta.get('seed', '–')} fixes."
    )
    ran, but = _where(data, NULL)
    if ran:
        text += (
            f" Each block{but} also runs the baseline a second time under another name (null): its ratio has to be 1."
        )
    ran, but = _where(data, SENTINEL)
    if ran:
        text += f" A fixed host workload (sentinel) in each block{but} shows whether the host itself changed."
    return text


def _where(data: RunData, control: str) -> tuple[bool, str]:
    """Return whether a control ran, and the scenarios without it in brackets."""
    having = set(data.outcomes.loc[data.outcomes["target"] == control, "scenario"])
    without = [scenario.name for scenario in data.scenarios if scenario.name not in having]
    return bool(having), f" (not of {joined(without, 12)})" if without else ""


def _tools_text(data: RunData) -> str:
    """Say which tools inside a target timed something themselves; otherwise that no target did."""
    known = {str(name) for found in data.outcomes["evidence"] for name in found or ()}
    tools = [name for name in _TIMING if name in known]
    if not tools:
        return ", and no target measures itself"
    return (
        f". Latencies that only a tool inside can time are its own ({joined(tools)}), checked against the host's stamps"
    )


def _except_text(data: RunData) -> str:
    """Name the scenarios that measure just what happens before the request elsewhere."""
    found = [scenario.name for scenario in data.scenarios if scenario.benchmark in _PREPARING]
    return f", except in {joined(found)}, which measure{'s' * (len(found) == 1)} that" if found else ""


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
