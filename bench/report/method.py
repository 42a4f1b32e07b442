"""How a run was measured, in words: blocks, order, clock, what ready and the numbers mean."""

from __future__ import annotations

from bench.core.model import NULL, SENTINEL, StopReason
from bench.display.data import RunData, ScenarioData

_ENDED = {
    StopReason.PRECISION: "then every interval was narrow enough",
    StopReason.BUDGET: "then the time was up",
    StopReason.CAP: "as many as there may be",
}
"""Why a run with ``--precision`` stopped, in words."""


def paragraphs(data: RunData) -> list[tuple[str, str]]:
    """Return how the run was measured, as pairs of a heading and a few sentences."""
    if _is_imported(data):
        return _imported(data)
    controls = {str(name) for name in data.outcomes["target"]} & {NULL, SENTINEL}
    return [
        ("Blocks", " ".join(_blocks(scenario) for scenario in data.scenarios) or "No scenario was planned."),
        ("Order", _order_text(data, controls)),
        (
            "Clock",
            "One clock stamps every event: the host's CLOCK_MONOTONIC. Clocks inside guests and containers are never "
            f"compared with it, and no target measures itself. {stamped(data)}",
        ),
        (
            "Ready",
            "Ready means the same everywhere: the payload runs inside the target and tells the host so. Importing, "
            "pulling and building happen before the request and are not timed. A phase that means nothing for an "
            "engine is absent, not zero.",
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


def _order_text(data: RunData, controls: set[str]) -> str:
    text = (
        "Every block runs every target once, each in a fresh instance, in a random order that seed "
        f"{data.meta.get('seed', '–')} fixes."
    )
    if NULL in controls:
        text += " Each block also runs the baseline a second time under another name (null): its ratio has to be 1."
    if SENTINEL in controls:
        text += " A fixed host workload (sentinel) in each block shows whether the host itself changed."
    return text


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
