"""The result of ``hardening`` in sentences: what the switches cost, what the defaults allow, and how that fits documentation."""

from __future__ import annotations

from collections.abc import Sequence

from bench.benchmarks.hardening import rows
from bench.benchmarks.hardening.switches import DEFAULT
from bench.core.model import Summary
from bench.core.syscalls import NAMES
from bench.display import prose
from bench.display.data import ScenarioData

_START, _CALL = "hardening.start_ratio", "hardening.call_ratio"
_FIRST, _SECOND = "hardening.first_start_s", "hardening.second_start_s"


def words(data: ScenarioData) -> str:
    """Say which switches make a start or a call certainly slower, what is allowed by default, and what mapped users cost."""
    starts, calls = prose.with_values(data.summaries, _START), prose.with_values(data.summaries, _CALL)
    firsts = prose.with_values(data.summaries, _FIRST)
    if not (starts or calls or firsts):
        return prose.no_values(_START)
    sentences = [
        _dearer(starts, "A start takes longer with"),
        _cheaper(starts, "A start takes less time with"),
        *(
            _dearer([row for row in calls if row.params.get("call") == name], f"{title} takes longer with")
            for name, title in _TITLES
        ),
        _cheaper([row for row in calls if row.params.get("call") == "getpid"], "getpid takes less time with"),
        *_documented(data),
        _let_through(data),
        _files(firsts, prose.with_values(data.summaries, _SECOND)),
        prose.restriction([*starts, *calls, *firsts]),
    ]
    return prose.paragraph(sentences)


def finding(data: ScenarioData) -> str:
    """Return the dearest switch of a start, and the privileged acts that defaults allow."""
    starts = [row for row in prose.with_values(data.summaries, _START) if row.ci and row.ci.low > 1]
    most = prose.highest(starts) if starts else None
    acts = [
        row
        for row in prose.with_values(data.summaries, "hardening.acts")
        if row.params.get("switch", "default") == "default"
    ]
    said = [f"start {prose.value(most)} with {_switch(most)} ({most.target})"] if most else []
    return "; ".join(
        [*said, f"privileged acts by default: {prose.span(acts, prose.brief_names(data), 3)}"] if acts else said
    )


_TITLES = (
    ("getpid", "getpid"),
    ("personality", "A call whose arguments a filter checks"),
    ("compute", "A computation without calls"),
)


def _switch(row: Summary) -> str:
    return str(row.params.get("switch", "default"))


def _dearer(found: Sequence[Summary], begin: str) -> str:
    """Name the switches at whose targets a ratio is certain to be above 1 by more than the metric's smallest effect."""
    slower = sorted(
        (row for row in found if row.ci and row.ci.low > 1.02 and _switch(row) != "default"), key=prose.median_of
    )
    texts = [f"{_switch(row)} of {row.target} ({prose.value(row)})" for row in reversed(slower)]
    return f"{begin} {prose.joined(texts)}" if texts else ""


def _cheaper(found: Sequence[Summary], begin: str) -> str:
    """Name the switches at whose targets a ratio is certain to be below 1 by more than the metric's smallest effect."""
    faster = sorted(
        (row for row in found if row.ci and row.ci.high < 0.98 and _switch(row) != "default"), key=prose.median_of
    )
    texts = [f"{_switch(row)} of {row.target} ({prose.value(row)})" for row in faster]
    return f"{begin} {prose.joined(texts)}" if texts else ""


def _documented(data: ScenarioData) -> list[str]:
    """Compare capabilities and refused calls with what documentation says of the defaults."""
    said = []
    for row in rows.measured(data):
        count, wanted = rows.fact(data, row, "capabilities"), rows.fact(data, row, "documented_capabilities")
        if count is None or wanted is None:
            continue
        fits = "as documented" if count == wanted else f"not {wanted:g} as documented"
        said.append(f"{row.target} leaves an instance {count:g} capabilities, {fits}")
        if rows.has_list(row) and (names := rows.note(data, row, "published_answered")):
            said.append(
                f"Of the system calls that its documentation lists as blocked, these answer: {', '.join(names.split())}"
            )
        if rows.has_list(row) and (found := rows.deviations(data, row)):
            strange = [one.call for one in found if not one.why]
            explained = f"no reason is known for {prose.joined(strange, 8)}" if strange else "each with a known reason"
            said.append(f"The filter of {row.target} differs from that list in {len(found)} calls, {explained}")
    return said


def _let_through(data: ScenarioData) -> str:
    """Give how many system calls filters let through to the host's kernel by default, where there are filters."""
    found = {
        row.target: count
        for row in rows.measured(data)
        if rows.switch_of(row) == DEFAULT and (count := rows.fact(data, row, "host_calls")) is not None
    }
    filtered = {target: count for target, count in found.items() if count < len(NAMES)}
    texts = [f"{target} {count:g}" for target, count in sorted(filtered.items(), key=lambda pair: pair[1])]
    rest = "; the others all" if len(filtered) < len(found) else ""
    return f"Of the host's {len(NAMES)} system calls, filters let through {prose.joined(texts)}{rest}" if texts else ""


def _files(firsts: Sequence[Summary], seconds: Sequence[Summary]) -> str:
    """Compare the first start of an image with the second one, where users are mapped."""
    found = []
    for first in firsts:
        again = next((row for row in seconds if (row.target, row.params) == (first.target, first.params)), None)
        if again and _switch(first) == "userns" and prose.apart(again, first):
            files = first.params.get("files", "")
            found.append(f"{first.target} {prose.value(first)}, then {prose.value(again)} ({files} files)")
    return (
        f"With mapped users the first start of an image takes longer than the second: {prose.joined(found)}"
        if found
        else ""
    )
