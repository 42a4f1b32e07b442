"""The result of ``exec`` in sentences: what one more command costs, whether that grows, and what is left."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core.model import Summary
from bench.display import lookup, prose
from bench.display.data import ScenarioData

EXIT, CPU, GROWTH = "exec.exit_s", "exec.cpu_s", "exec.growth_ratio"
LEFT = {"exec.left_processes": "process", "exec.left_fifos": "FIFO", "exec.left_files": "file"}
_PLURAL = {"process": "processes", "FIFO": "FIFOs", "file": "files"}


def words(data: ScenarioData) -> str:
    """Compare the commands with a bare process, and say what grows and what is left."""
    rows = prose.with_values(data.summaries, EXIT)
    if not rows:
        return prose.no_values(EXIT)
    bare = [row for row in rows if row.target == data.baseline]
    others = [row for row in rows if row.target != data.baseline]
    cpu = [row for row in prose.with_values(data.summaries, CPU) if row.target != data.baseline]
    sentences = [
        f"A bare process of {data.baseline} has ended {prose.value(bare[0])} after the request" if bare else "",
        f"The caller sees the exit of one more command after {prose.span(others)}" if others else "",
        f"It takes {prose.span(cpu)} of CPU time" if cpu else "",
        _growth(data.summaries),
        _left(data),
        prose.restriction(rows),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Return the fastest and the slowest target, and the targets that leave something behind."""
    rows = [row for row in prose.with_values(data.summaries, EXIT) if row.target != data.baseline]
    if not rows:
        return ""
    named = prose.brief_names(data)
    some = [f"{named.get(target, target)} leaves {what}" for target, what in leaving(data).items()]
    return f"one command: {prose.span(rows, named, 3)}" + (f"; {prose.joined(some, 3)}" if some else "")


def leaving(data: ScenarioData) -> dict[str, str]:
    """Return what the commands of each target have left, of those that left something: target → ``200 processes``."""
    found: dict[str, list[str]] = {}
    for metric, noun in LEFT.items():
        for row in prose.with_values(data.summaries, metric):
            if row.median:
                found.setdefault(row.target, []).append(f"{row.median:g} {noun if row.median == 1 else _PLURAL[noun]}")
    return {target: prose.joined(parts) for target, parts in found.items()}


def _growth(summaries: Sequence[Summary]) -> str:
    """Name the targets whose last commands are certain to take longer than the first ones."""
    rows = prose.with_values(summaries, GROWTH)
    slower = [row for row in rows if row.ci and row.ci.low > 1]
    texts = [f"{prose.value(row)} ({row.target})" for row in slower]
    if texts:
        return f"The last commands of an instance take longer than the first ones: {prose.joined(texts)}"
    return "No target's commands get slower" if prose.all_decided(rows) else ""


def _left(data: ScenarioData) -> str:
    """Say what is left, with the names of the processes."""
    found = leaving(data)
    if not found:
        counted = prose.with_values(data.summaries, "exec.left_processes")
        return "No target leaves a process, FIFO or file behind" if counted else ""
    said = []
    for row in lookup.without_control(data):
        if row.target in found:
            which = lookup.most_frequent(lookup.notes_of(data, row).get("left"))
            said.append(f"{found[row.target]} by {row.target}" + (f" ({which})" if which != "no process" else ""))
    return f"Left behind while the instance lives: {prose.joined(said)}"
