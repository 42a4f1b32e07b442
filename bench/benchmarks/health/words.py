"""The result of ``health`` in sentences: when engines notice, after how many probes, what a probe costs and leaves."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import lookup, prose
from bench.display.data import ScenarioData

PROBE, RATIO, RATE = "health.probe_s", "health.exec_ratio", "health.per_s"
ADDED, OVERRUN = "health.healthy_added_s", "health.overrun_s"
STAYING, ZOMBIES, PROCESSES = "health.left_timed_out", "health.left_zombies", "health.left_processes"
CLOSE = 0.2
"""A probe counts as costing what a command by exec costs when their ratio differs from 1 by no more than this."""
_PATIENT_S = 1.0
"""A probe that is waited for longer than this beyond its time limit has no enforced time limit."""


def words(data: ScenarioData) -> str:
    """Say whether the documentation is kept, what a probe costs, and what it leaves."""
    probes = prose.with_values(data.summaries, PROBE)
    every = [row for name in (PROBE, OVERRUN, RATE) for row in prose.with_values(data.summaries, name)]
    if not every and not prose.with_values(data.summaries, "health.start_counted"):
        return prose.no_values(PROBE)
    sentences = [
        _kept(data),
        *(f"Deviation: {text}" for text in deviations(data)),
        _added(data),
        f"A probe takes {prose.span(plain(probes))}" if probes else "",
        _ratio(data),
        _left(data),
        _rate(data),
        _driven(data),
        prose.restriction(every),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Give the time of a probe, and the number of deviations or what they are."""
    probes, wrong = plain(prose.with_values(data.summaries, PROBE)), [*deviations(data), *leavings(data)]
    named = prose.brief_names(data)
    texts = [f"a probe: {prose.span(probes, named, 3)}" if probes else "", prose.joined(wrong, 2) if wrong else ""]
    return "; ".join(filter(None, texts))


def deviations(data: ScenarioData) -> list[str]:
    """Return where an engine does something else than its documentation says; the medians of all blocks count."""
    found = _counts(data)
    for row in prose.with_values(data.summaries, OVERRUN):
        if row.median and row.median > _PATIENT_S:
            found.append(
                f"{_release(data, row)} waits {prose.median_text(row)} beyond the time limit of a probe that hangs"
            )
    return found


def leavings(data: ScenarioData) -> list[str]:
    """Name what probes leave."""
    ended = [row for row in prose.with_values(data.summaries, PROCESSES) if row.median]
    found = [f"{_release(data, row)} leaves {row.median:g} processes for each probe" for row in ended]
    zombies = {(row.target, row.params.get("case")): row for row in prose.with_values(data.summaries, ZOMBIES)}
    for row in prose.with_values(data.summaries, STAYING):
        dead = zombies.get((row.target, row.params.get("case")))
        kinds = [(row.median, "process"), (dead.median if dead else 0, "zombie once it has ended")]
        said = prose.joined([f"{count:g} {kind}" for count, kind in kinds if count]) if any(n for n, _ in kinds) else ""
        if said:
            found.append(f"{_release(data, row)} leaves {said} for each probe that timed out")
    return found


def _counts(data: ScenarioData) -> list[str]:
    """Compare the exact counts with what was asked for."""
    found = []
    wanted = {
        "health.probes_to_healthy": (1.0, "is healthy after {} probes, not 1"),
        "health.probes_to_recovery": (1.0, "is healthy again after {} probes, not 1"),
        "health.probes_to_unhealthy": (None, "is unhealthy after {} failed probes, not {}"),
        "health.start_counted": (None, "is unhealthy after {} failed probes behind the start period, not {}"),
        "health.start_early": (0.0, "is unhealthy within the start period"),
        "health.window_missed": (0.0, "is unhealthy outside the documented window"),
    }
    for metric, (fixed, text) in wanted.items():
        for row in prose.with_values(data.summaries, metric):
            right = _retries(row) if fixed is None else fixed
            if row.median != right:
                found.append(f"{_release(data, row)} {text.format(f'{row.median:g}', f'{right:g}')}")
    return found


def _retries(row: Summary) -> float:
    """Return how many failures in a row were asked for."""
    return float(row.params.get("retries", 3))


def _kept(data: ScenarioData) -> str:
    """Say that counts and window are as documented, if all of them are."""
    rows = prose.with_values(data.summaries, "health.window_missed")
    if not rows or _counts(data):
        return ""
    return "Every engine is healthy after 1 probe and unhealthy after as many failed ones as asked for, in the documented window"


def _added(data: ScenarioData) -> str:
    rows = plain(prose.with_values(data.summaries, ADDED))
    return f"An instance is reported healthy {prose.span(rows)} after the interval" if rows else ""


def _ratio(data: ScenarioData) -> str:
    rows = plain(prose.with_values(data.summaries, RATIO))
    if not rows:
        return ""
    off = [row for row in rows if row.median and abs(row.median - 1) > CLOSE]
    said = prose.joined([f"{row.median:.2f}× ({_who(row)})" for row in rows])
    verdict = "not within" if off else "within"
    return f"It takes {said} as long as the same program by exec, {verdict} ±{100 * CLOSE:.0f} %"


def _left(data: ScenarioData) -> str:
    if found := leavings(data):
        return prose.joined(found)
    rows = [row for name in (STAYING, ZOMBIES, PROCESSES) for row in prose.with_values(data.summaries, name)]
    return "No probe leaves a process" if rows else ""


def _rate(data: ScenarioData) -> str:
    """Give the rate with the most instances."""
    rows = prose.with_values(data.summaries, RATE)
    if not rows:
        return ""
    most = max(int(str(row.params["instances"])) for row in rows)
    last = [row for row in rows if int(str(row.params["instances"])) == most]
    return f"With {prose.plural(most, 'instance')}: {prose.span(last)}"


def _driven(data: ScenarioData) -> str:
    """Name the targets whose probes the engine does not start."""
    named = {
        row.target
        for row in lookup.without_control(data)
        if lookup.most_frequent(lookup.notes_of(data, row).get("probes")) == "started by Tare"
    }
    return (
        f"The probes of {prose.joined(sorted(named))} are started by Tare, because no timer of systemd runs"
        if named
        else ""
    )


def plain(rows: Sequence[Summary]) -> list[Summary]:
    """Return the rows of the form without a shell if there are any, otherwise all."""
    return [row for row in rows if row.params.get("case", "cmd") == "cmd"] or list(rows)


def _release(data: ScenarioData, row: Summary) -> str:
    """Name a target with the release of its engine, and with the case when it is another than the plain one."""
    mine = [variant for variant in lookup.without_control(data) if variant.target == row.target]
    found = [lookup.most_frequent(lookup.notes_of(data, variant).get("version")) for variant in mine]
    return _who(row, next(filter(None, found), ""))


def _who(row: Summary, release: str = "") -> str:
    """Name a target, with the case when it is another than the plain one."""
    case = str(row.params.get("case", "cmd"))
    said = ", ".join(filter(None, (release, "" if case == "cmd" else case)))
    return f"{row.target} ({said})" if said else row.target
