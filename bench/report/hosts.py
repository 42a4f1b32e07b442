"""Show a comparison of hosts: for a terminal, as JSON, and as the page ``hosts.html`` with its charts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.compare.hosts import RATE, ComparedHosts, HostSeries, HostValue
from bench.core.errors import StoreError
from bench.core.units import format_value, significant
from bench.display.data import metric_title, params_text
from bench.display.table import ratio_text
from bench.stats.between import LEAST_HOSTS

if TYPE_CHECKING:
    from bench.display.svg import Plot

HEADS = ("lowest", "highest", "hosts’ spread", "blocks’ spread", "share between hosts")
_NAMED = 3
"""Hosts that a row names; the chart and the JSON have all."""


def headline(found: ComparedHosts) -> str:
    """Return the comparison in one or two sentences."""
    count = len(found.hosts)
    if count < LEAST_HOSTS:
        return (
            f"{count} hosts: with fewer than {LEAST_HOSTS} none can be called apart, since either may be the odd one."
        )
    series = sum(bool(one.apart) for one in found.series)
    if not series:
        return f"{count} hosts, {len(found.series)} series: no host is apart from the others."
    names = ", ".join(host.name for host in found.apart[:_NAMED])
    more = f" and {len(found.apart) - _NAMED} more" if len(found.apart) > _NAMED else ""
    are = "is" if len(found.apart) == 1 else "are"
    where = f"in {series} of {len(found.series)} series"
    return f"{len(found.apart)} of {count} hosts {are} apart from the others ({names}{more}), {where}."


def notes(found: ComparedHosts) -> Iterator[str]:
    """Yield what limits the comparison, and in what the hosts differ."""
    if all(len(runs) == 1 for runs in found.hosts.values()):
        yield "One run a host: what differs from run to run on the same host counts as a difference between hosts"
    for name, values in found.facts.items():
        yield f"{name} differs: " + "; ".join(f"{host} {value}" for host, value in list(values.items())[:8])
    for run_id in found.twice:
        yield f"{run_id} was given twice, and counts once"
    if found.single:
        yield f"{found.single} series have only one host, left out"
    if found.left_out:
        yield f"{found.left_out} series have no logarithm, or one block a host, left out"


def show(found: ComparedHosts, *, everything: bool = False) -> Group:
    """Return the comparison for a terminal: series with a host that is apart, or all."""
    rows = [one for one in found.series if everything or one.apart] or found.series
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("series", min_width=24, overflow="fold")
    for head in HEADS:
        table.add_column(head, justify="right")
    table.add_column("apart", min_width=14, overflow="fold")
    for one in rows:
        table.add_row(_name(one), *numbers(one), "\n".join(apart(one)) or "–")
    told = [Text(f"- {text}") for text in notes(found)]
    return Group(Text(headline(found), style="bold"), table, Text(_METHOD, style="dim"), *told)


_METHOD = (
    f"Apart: among at most {RATE:.0%} false discoveries over all hosts and series, and by more than the metric's smallest "
    "effect. Share between hosts: of the variance of one block, with its 95 % interval."
)


def _name(one: HostSeries) -> Text:
    words = params_text(json.dumps(dict(one.params)))
    against = f" ÷ {one.against}" if one.against else ""
    return Text(f"{one.target}{against} {one.metric}").append(
        f"\n{one.scenario}{', ' + words if words else ''}", style="dim"
    )


def numbers(one: HostSeries) -> list[str]:
    """Return the texts of a row below :data:`HEADS`."""
    ends = [value(one, host) for host in (min(one.hosts, key=_value), max(one.hosts, key=_value))]
    return [*ends, *(f"{significant(100 * spread, 2)} %" for spread in (one.between, one.within)), share(one)]


def _value(one: HostValue) -> float:
    return one.value


def value(one: HostSeries, host: HostValue) -> str:
    """Return a host's value with its unit."""
    return ratio_text(host.value) if one.against else format_value(host.value, one.unit)


def share(one: HostSeries) -> str:
    """Return the between-host share of the variance with its interval."""
    if one.share is None:
        return "nothing varies"
    ci = f" [{100 * one.share_ci.low:.0f}, {100 * one.share_ci.high:.0f}]" if one.share_ci else ""
    return f"{100 * one.share:.0f} %{ci}"


def apart(one: HostSeries) -> list[str]:
    """Return the hosts that are apart, each with its ratio to the others."""
    named = [f"{host.host.name} × {significant(host.ratio, 3)}" for host in one.apart[:_NAMED]]
    return named + ([f"and {len(one.apart) - _NAMED} more"] if len(one.apart) > _NAMED else [])


def as_json(found: ComparedHosts) -> dict[str, Any]:
    """Return the comparison for a machine."""
    return {
        "headline": headline(found),
        "hosts": [{**dataclasses.asdict(host), "runs": list(runs)} for host, runs in found.hosts.items()],
        "false_discovery_rate": RATE,
        "series": [_record(one) for one in found.series],
        "notes": list(notes(found)),
    }


def _record(one: HostSeries) -> dict[str, Any]:
    record = dataclasses.asdict(one)
    record["hosts"] = [{**dataclasses.asdict(host), "host": host.host.name} for host in one.hosts]
    return record


def render(found: ComparedHosts, folder: Path) -> Path:
    """Write ``hosts.html`` and its charts into a folder; return the page's path.

    Raises:
        StoreError: The folder cannot be written.
    """
    from markupsafe import Markup  # noqa: PLC0415 - only a page needs it, and matplotlib

    from bench.display import theme  # noqa: PLC0415
    from bench.report import hostdots  # noqa: PLC0415
    from bench.report.html import Figure, templates  # noqa: PLC0415

    plots = hostdots.draw(found)
    environment = templates()
    style = theme.css(":root") + environment.get_template("report.css").render()
    text = environment.get_template("hosts.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own file
        headline=headline(found),
        notes=list(notes(found)),
        figures=[Figure(plot) for plot in plots],
        heads=HEADS,
        rows=[_row(one) for one in found.series],
        method=_METHOD,
    )
    return _write(folder, text, plots)


def _row(one: HostSeries) -> tuple[str, str, list[str], str]:
    words = params_text(json.dumps(dict(one.params)))
    against = f"÷ {one.against}" if one.against else ""
    detail = "\u00a0· ".join(part for part in (one.scenario, metric_title(one.metric), against, words) if part)
    return one.target, detail, numbers(one), ", ".join(apart(one)) or "–"


def _write(folder: Path, text: str, plots: Sequence[Plot]) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts.html").write_text(text, encoding="utf-8")
        for plot in plots:
            (folder / f"{plot.name}.svg").write_text(plot.standalone(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write the comparison into '{folder}': {error.strerror}; choose another folder with -o DIR"
        raise StoreError(msg) from error
    return folder / "hosts.html"
