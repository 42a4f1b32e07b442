"""Draw hosts side by side: a row a series, a dot a host at its ratio to the others; the hosts that are apart are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bench.compare.hosts import ComparedHosts, HostSeries, HostValue
from bench.core.units import significant
from bench.display import canvas, legends, svg, theme
from bench.display.data import Variant, metric_title, slug
from bench.display.table import Cell, ratio_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 30
"""Most rows of one figure; the table has all."""

_HEAD, _FOOT = 0.62, 0.32


def draw(found: ComparedHosts) -> list[svg.Plot]:
    """Return a figure a scenario for the values, and one for the ratios to its baseline."""
    groups: dict[tuple[str, bool], list[HostSeries]] = {}
    for one in found.series:
        if one.between or one.within:
            groups.setdefault((one.scenario, bool(one.against)), []).append(one)
    return [_figure(scenario, rows, len(found.hosts)) for (scenario, _), rows in groups.items()]


def _figure(scenario: str, every: Sequence[HostSeries], hosts: int) -> svg.Plot:
    rows = sorted(every, key=lambda one: not one.apart)[:MOST]
    labels = [_label(one) for one in rows]
    cells = [_cell(one) for one in rows]
    room = canvas.layout(labels, cells)
    with canvas.sheet(_HEAD + room.row * len(rows) + _FOOT) as figure:
        panel = canvas.axes(figure, _HEAD, room.row * len(rows), room.names, room.values)
        canvas.rows(panel, labels)
        axis = canvas.scale(panel, [1.0, *(_place(one, host) for one in rows for host in one.hosts)], "ratio")
        panel.axvline(1, color=theme.INK, linewidth=1.0, zorder=1.5)
        for place, one in enumerate(rows):
            _row(panel, place, one)
        canvas.gutter(panel, "share (CI)", cells)
        marks = [legends.mark("o", "a host", size=5, colour=theme.MUTED)]
        if any(one.apart for one in rows):
            marks.append(legends.mark("D", "a host that is apart", size=5, colour=theme.HEAT["dearer"]))
        legends.legend(figure, marks)
        return canvas.finish(figure, _words(scenario, rows, len(every) - len(rows), hosts, axis))


def _label(one: HostSeries) -> Variant:
    note = metric_title(one.metric) + (f" ÷ {one.against}" if one.against else "")
    return Variant(one.target, json.dumps(dict(one.params), sort_keys=True), one.target.partition(":")[0], note=note)


def _cell(one: HostSeries) -> Cell:
    share = "–" if one.share is None else f"{100 * one.share:.0f} %"
    ci = one.share_ci
    return Cell(share, f"[{100 * ci.low:.0f} %, {100 * ci.high:.0f} %]" if ci else "no interval")


def _place(one: HostSeries, host: HostValue) -> float:
    """Return a host's value over the median of all hosts, so that one that is apart does not move the others."""
    return host.value / float(np.median([other.value for other in one.hosts]))


def _row(panel: Axes, place: int, one: HostSeries) -> None:
    usual = [_place(one, host) for host in one.hosts if not host.apart]
    panel.plot(
        usual, [place] * len(usual), "o", color=theme.MUTED, markersize=5, alpha=0.55, markeredgewidth=0, zorder=3
    )
    for host in one.apart:
        at = _place(one, host)
        panel.plot([at], [place], "D", color=theme.HEAT["dearer"], markersize=5.5, zorder=4)
        left = np.mean(panel.get_xlim()) > at if panel.get_xscale() == "linear" else at < 1
        canvas.note(
            panel,
            (at, place),
            (7, 0) if left else (-7, 0),
            canvas.shorten(host.host.name, 20),
            align="left" if left else "right",
            size=canvas.SMALL_PT,
            x="data",
        )


def _words(scenario: str, rows: Sequence[HostSeries], more: int, hosts: int, axis: str) -> canvas.Words:
    against = rows[0].against
    apart = {host.host.name for one in rows for host in one.apart}
    what = f"ratio to {against}" if against else "values"
    said = (
        f"{len(apart)} of {hosts} hosts {'is' if len(apart) == 1 else 'are'} apart"
        if apart
        else f"no host of {hosts} is apart"
    )
    caption = (
        f"Each dot is a host: its {what}, over the median of all hosts; {axis} axis. On the right, what part of the variance of "
        "one block is between hosts, with its 95\u00a0% interval."
    )
    if more:
        caption += f" The table has {more} more."
    alt = "; ".join(
        f"{one.target} {metric_title(one.metric)}: {ratio_text(min(_place(one, host) for host in one.hosts))} to "
        f"{ratio_text(max(_place(one, host) for host in one.hosts))}, spread {significant(100 * one.between, 2)} %"
        for one in rows
    )
    title = f"{scenario}, {what}: {said}"
    return canvas.Words(
        slug(f"hosts-{scenario}{'-ratio' if against else ''}"), "hosts", title, caption, f"{title}. {alt}"
    )
