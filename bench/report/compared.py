"""Show a comparison as a table for a terminal and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.compare import Compared, wording
from bench.compare.verdicts import Comparison, Verdict
from bench.core.units import format_value, significant
from bench.display.data import params_text
from bench.stats.series import Key

_STYLES = {
    Verdict.REGRESSED: ("▲", "bold red"),
    Verdict.SLOWER: ("▲", ""),
    Verdict.IMPROVED: ("▼", "green"),
    Verdict.FASTER: ("▼", ""),
    Verdict.UNCHANGED: ("=", ""),
    Verdict.SMALL: ("~", ""),
    Verdict.INCONCLUSIVE: ("?", "yellow"),
    Verdict.INVALID: ("!", "yellow"),
}
"""Mark and style of each verdict; the mark makes it readable without colour."""
_MOST = 40
"""Most rows in a terminal, unless more changed; the rest is counted, and complete in the JSON."""


def show(compared: Compared, *, everything: bool = False) -> Group:
    """Return a table by verdict, with reasons where the verdict needs one, then the notes and a summary."""
    rows = compared.results if everything else _worth(compared.results)
    parts: list[Text | Table] = [_table(compared, rows)]
    if left := len(compared.results) - len(rows):
        parts.append(Text(f"… and {left} more that are unchanged or undecided (--all)", style="dim"))
    forced = len(compared.forced)  # their notes come first
    notes = enumerate(wording.notes(compared))
    parts += [Text(f"! {text}", style="yellow" if place < forced else "") for place, text in notes]
    return Group(*parts, Text(summary(compared), style="bold"))


def summary(compared: Compared) -> str:
    """Count the verdicts in one line."""
    counts = Counter(one.verdict for one in compared.results)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    return f"{len(compared.results)} series: {told}"


def as_json(compared: Compared) -> dict[str, Any]:
    """Return the documented object of ``tare compare --json``."""
    return {
        "base": compared.base,
        "new": compared.new,
        "paired": compared.paired,
        "notes": wording.notes(compared),
        "only_in_base": [_key(one) for one in compared.unmatched.base],
        "only_in_new": [_key(one) for one in compared.unmatched.new],
        "results": [_record(one) for one in compared.results],
    }


def _key(series: Key) -> dict[str, Any]:
    scenario, target, params, metric = series
    return {"scenario": scenario, "target": target, "params": json.loads(params), "metric": metric}


def _record(one: Comparison) -> dict[str, Any]:
    return {
        "scenario": one.scenario,
        "target": one.target,
        "params": dict(one.params),
        "metric": one.metric,
        "unit": one.unit,
        "n": one.n,
        "base": one.base,
        "new": one.new,
        "ratio": one.ratio,
        "ci_low": one.ci.low if one.ci else None,
        "ci_high": one.ci.high if one.ci else None,
        "verdict": str(one.verdict),
        "mde": one.mde,
        "q": one.q,
        "reason": wording.reason(one),
        "doubt": wording.doubt(one),
    }


def _worth(results: Sequence[Comparison]) -> list[Comparison]:
    """Return every change and fill up with other results, the most severe first."""
    loud = (*wording.CHANGES, Verdict.SMALL)
    kept = [one for one in results if one.verdict in loud]
    return kept + [one for one in results if one.verdict not in loud][: max(0, _MOST - len(kept))]


def _table(compared: Compared, rows: Sequence[Comparison]) -> Table:
    title = f"{compared.new} against {compared.base}"
    table = Table(title=Text(title, style="bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("series", min_width=24, overflow="fold")
    for name in ("base", "new", "new ÷ base", "smallest detectable", "n"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", min_width=16, overflow="fold")
    for one in rows:
        mark, style = _STYLES[one.verdict]
        verdict = Text(f"{mark} {one.verdict}", style=style)
        if beside := wording.beside(one):
            verdict.append(f"\n{beside}", style="dim")
        table.add_row(_name(one), *_numbers(one), verdict)
    return table


def _name(one: Comparison) -> Text:
    words = params_text(json.dumps(dict(one.params)))
    return Text(f"{one.target} {one.metric}").append(f"\n{one.scenario}{', ' + words if words else ''}", style="dim")


def _numbers(one: Comparison) -> list[str]:
    ratio = "–" if one.ratio is None else significant(one.ratio, 4)
    if one.ci is not None:
        ratio += f"\n[{significant(one.ci.low, 4)}, {significant(one.ci.high, 4)}]"
    found = "–" if one.mde is None else "any" if one.mde == 0 else f"±{significant(100 * one.mde, 2)} %"
    return [format_value(one.base, one.unit), format_value(one.new, one.unit), ratio, found, str(one.n)]
