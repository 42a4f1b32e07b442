"""The result of ``restart`` in sentences: how long engines wait, which case is unlike the documentation, and miscounts."""

from __future__ import annotations

from bench.benchmarks.restart.outcomes import Outcome, outcomes, text
from bench.core.model import Summary
from bench.display import prose
from bench.display.data import ScenarioData

AGAIN, NORMAL, DELAY, GROWTH = "restart.again_s", "restart.normal_s", "restart.delay_s", "restart.growth_ratio"


def words(data: ScenarioData) -> str:
    """Say how engines wait, and name every case that is unlike the documentation."""
    rows, cases = prose.with_values(data.summaries, AGAIN), outcomes(data)
    if not rows and not cases:
        return prose.no_values(AGAIN)
    sentences = [*(_loop(data, row) for row in rows), *_truth(cases), _miscounted(data), _away(data)]
    return prose.paragraph([*sentences, prose.restriction(rows)])


def finding(data: ScenarioData) -> str:
    """Give the first and the last time of the crash loop, or the number of cases unlike the documentation."""
    rows, cases = prose.with_values(data.summaries, AGAIN), outcomes(data)
    if rows:
        return f"first restart: {prose.span(rows, prose.brief_names(data), 3)}"
    if not cases:
        return ""
    return f"{sum(one.deviates for one in cases)} of {len(cases)} cases unlike the documentation"


def _loop(data: ScenarioData, row: Summary) -> str:
    """Say how long one target waits in a crash loop."""
    delays = sorted(
        (int(one.params["attempt"]), one)
        for one in prose.with_values(data.summaries, DELAY)
        if one.target == row.target
    )  # fmt: skip
    if not delays:
        return ""
    growth = [one for one in prose.with_values(data.summaries, GROWTH) if one.target == row.target]
    (first, early), (last, late) = delays[0], delays[-1]
    begin = f"{row.target} starts a failed instance again {prose.value(row)} after its exit"
    if not growth or first == last:
        return begin + (f", and at restart {last} after {_gap(data, row, last)}" if first != last else "")
    reset = [one for one in prose.with_values(data.summaries, "restart.reset_s") if one.target == row.target]
    waits = (
        f": beyond a normal start it waits {prose.value(early)} at first and {prose.value(late)} before restart {last}"
    )
    return begin + waits + (f", after a long run {prose.value(reset[0])} again" if reset else "")


def _gap(data: ScenarioData, row: Summary, attempt: int) -> str:
    found = prose.with_values(data.summaries, "restart.gap_s", {"attempt": attempt})
    return next((prose.value(one) for one in found if one.target == row.target), "")


def _truth(cases: list[Outcome]) -> list[str]:
    """Say of each target how many cases there are and which are unlike the documentation."""
    said = []
    for target in dict.fromkeys(one.target for one in cases):
        mine = [one for one in cases if one.target == target]
        unlike = [one for one in mine if one.deviates]
        version = next((one.version for one in mine if one.version), target)
        if unlike:
            said.append(
                f"{version} deviates from its documentation in {len(unlike)} of {len(mine)} cases: {_listed(unlike)}"
            )
        else:
            said.append(f"{version} behaves as documented in all {len(mine)} cases")
    return said


def _listed(unlike: list[Outcome]) -> str:
    return prose.joined(
        [
            f"{one.policy} after “{one.cause}”{f' with live restore {one.live_restore}' if one.live_restore else ''} "
            f"{text(one.restarts, one.running)} (documented: {text(*one.documented)})"
            for one in unlike
        ],
        most=len(unlike),
    )


def _miscounted(data: ScenarioData) -> str:
    rows = prose.with_values(data.summaries, "restart.miscounted")
    wrong = [f"{row.target} by {row.median:g}" for row in rows if row.median]
    return f"The engine's own count of restarts is wrong: {prose.joined(wrong)}" if wrong else ""


def _away(data: ScenarioData) -> str:
    """Give the longest gap in the service of instances that their daemon's restart starts again."""
    rows = [
        one
        for one in prose.with_values(data.summaries, "restart.outage_s", {"policy": "always"})
        if one.median
    ]  # fmt: skip
    if not rows:
        return ""
    most = max(rows, key=prose.median_of)
    return f"While a daemon restarts, the service of {most.target} is away for up to {prose.value(most)} ({most.params['cause']})"
