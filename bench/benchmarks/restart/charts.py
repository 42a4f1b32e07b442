"""The charts of ``restart``: the time to each restart of a crash loop, and the gap while a daemon restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.benchmarks.restart import tables
from bench.benchmarks.restart.outcomes import case_order
from bench.core.model import Summary
from bench.core.units import format_value
from bench.display import canvas, lookup, svg, theme
from bench.display.charts import dot_panels, lines, matrix
from bench.display.data import Label, ScenarioData
from bench.display.prose import all_decided, apart, block_counts, if_decided, joined

_TOP = 0.3
_KINDS = ("off", "on")


def charts(data: ScenarioData) -> list[svg.Plot | None]:
    """Draw the charts."""
    return [_loop(data), _away(data)]


def _loop(data: ScenarioData) -> svg.Plot | None:
    """Draw the time from exit to first instruction over the restarts, one line a target."""
    shown, found, waits = list[lines.Line](), list[Summary](), list[str]()
    for row in lookup.without_control(data):
        points = lookup.over(data, row, tables.GAP, "attempt")
        found += [one for _, one in points]
        if len(points) > 1:
            label = lookup.unlabelled(row, "part")
            xy = tuple((at, one.median) for at, one in points if one.median is not None)
            note = f"{format_value(xy[0][1], 's')} to {format_value(xy[-1][1], 's')}"
            shown.append(lines.Line(label, note, theme.colour(row.engine, row.kind), xy))
            waits += [label.text] if apart(points[0][1], points[-1][1]) else []
    if not shown:
        return None
    title = (
        _title(shown, waits)
        if all_decided(found)
        else "How long an engine waits before each restart of a failing instance"
    )
    what = "Exit to next first instruction of an instance that fails as soon as it runs, median of the blocks, restart by restart"
    tall = lines.height(shown)
    with canvas.sheet(_TOP + tall + 0.5) as figure:
        panel = canvas.axes(figure, _TOP, tall, 0.72, lines.gutter(shown))
        _, y = lines.scale_axes(panel, shown, "count", "s")
        last = max(line.end[0] for line in shown)
        panel.set_xscale("linear")
        canvas.linear(panel, 0.8, last + 0.2, "count", ticks=int(last))
        panel.set_xlabel("restart", fontsize=canvas.SMALL_PT)
        lines.draw(figure, panel, shown)
        alt = "; ".join(f"{line.label.text}: {line.note}" for line in shown)
        caption = f"{what}; {y} axis of times. {block_counts(one.n for one in found)}"
        return canvas.finish(figure, canvas.Words(f"{data.stem}-loop", "loop", title, caption, f"{title}. {alt}"))


def _title(shown: Sequence[lines.Line], waits: Sequence[str]) -> str:
    """Name the targets of which the last restart takes longer than the first, by intervals that are apart."""
    others = [line.label.text for line in shown if line.label.text not in waits]
    if not waits:
        return "No engine waits measurably longer before a further restart"
    verb = "waits" if len(waits) == 1 else "wait"
    rest = f"; {joined(others)} {'does' if len(others) == 1 else 'do'} not" if others else ""
    return f"{joined(list(waits))} {verb} longer before each further restart{rest}"


def _away(data: ScenarioData) -> svg.Plot | None:
    """Draw how long the service is away while the daemon restarts: without and with live restore."""
    found = [one for one in data.summaries if one.metric == tables.AWAY and one.params.get("policy") == "always"]
    targets = list(dict.fromkeys(one.target for one in found))
    places = [(one.target, str(one.params["cause"])) for one in found]
    rows = sorted(dict.fromkeys(places), key=lambda row: (targets.index(row[0]), case_order(row[1], "")))
    dots, counts = {}, []
    for one in found:
        if dot := matrix.dot_of(one):
            place = rows.index((one.target, str(one.params["cause"])))
            kept = dot if dot.value else replace(dot, text="runs on")
            dots[place, _KINDS.index(str(one.params["live_restore"]))] = kept
            counts.append(one.n)
    if not dots:
        return None
    engines = {row.target: row.engine for row in data.invoked}
    labels = [(Label(target, cause), theme.colour(engines.get(target, target))) for target, cause in rows]
    look = dot_panels.Look(labels, [f"live restore {kind}" for kind in _KINDS])
    caption = (
        "From the end of the service to the first instruction of the restarted instance, policy “always”; 0: it ran on. Medians "
        f"of the blocks{if_decided(counts)}. {block_counts(counts)}"
    )
    title = "How long a service is away while its daemon is ended and started again"
    panels = [dot_panels.Panel("service away", "s", dots)]
    return dot_panels.plot(look, panels, name=f"{data.stem}-away", kind="away", title=title, caption=caption)
