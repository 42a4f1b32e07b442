"""A night of a whole fleet: the verdict of each host's own night, for people and for machines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import store
from bench.compare import nights
from bench.compare.acknowledged import series_text
from bench.core.errors import StoreError
from bench.core.units import significant
from bench.hosts import wording
from bench.hosts.records import Gathered, HostRun

_WORDS = {0: "ok", 1: "REGRESSED", 4: "failed", 5: "too noisy"}

Record = Mapping[str, Any]


def records(found: Gathered, results: Path) -> dict[str, Record]:
    """Return host → the record of its night, empty for a host without one."""
    return {one.host: nights.record(store.load(results / one.run_id)) if one.run_id else {} for one in found.hosts}


def as_json(found: Gathered, suite: str, results: Path) -> dict[str, Any]:
    """Return the night for a machine."""
    told = records(found, results)
    return {
        "fleet": found.fleet,
        "suite": suite,
        "exit_code": found.worst,
        "headline": headline(found),
        "hosts": [{**wording.as_json(one), "night": told[one.host] or None} for one in found.hosts],
        "notes": list(wording.notes(found.hosts)),
    }


def headline(found: Gathered) -> str:
    """Return the night in one sentence."""
    every = len(found.hosts)
    counts = Counter(one.night_code for one in found.hosts)
    parts = [
        f"{counts[code]} {words}"
        for code, words in (
            (1, "regressed"),
            (4, "without a whole night"),
            (5, "too noisy to decide"),
            (0, "without a regression"),
        )
        if counts[code]
    ]
    return f"{every} host{'s' if every != 1 else ''}: {', '.join(parts) or 'none answered'}."


def summary(found: Gathered, suite: str, results: Path) -> str:
    """Return the night for people, in Markdown."""
    told = records(found, results)
    lines = [
        f"# {suite} on {len(found.hosts)} hosts",
        "",
        headline(found),
        "",
        "| host | verdict | run | what |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {one.host} | {_WORDS[one.night_code]} | {one.run_id or '–'} | {_what(one, told[one.host])} |"
        for one in found.hosts
    ]
    lines += _regressions(told)
    if notes := list(wording.notes(found.hosts)):
        lines += ["", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _what(one: HostRun, told: Record) -> str:
    parts = [str(told.get("headline", "")), one.reason]
    return "; ".join(filter(None, parts)).replace("|", "\\|").replace("\n", " ") or "it has no verdict"


def _regressions(told: Mapping[str, Record]) -> list[str]:
    """List what regressed, series by series: one that regressed on several hosts is likely a change of the software."""
    found: dict[str, list[str]] = {}
    for host, night in told.items():
        for one in night.get("confirmed", ()):
            if not one.get("acknowledged"):
                name = series_text(one["scenario"], one["target"], one["metric"])
                found.setdefault(name, []).append(
                    f"{host} (× {significant(one['ratio'])})" if one.get("ratio") else host
                )
    if not found:
        return []
    rows = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return ["", "## Regressed", "", *(f"- {name}: {', '.join(hosts)}" for name, hosts in rows)]


def write(found: Gathered, suite: str, results: Path, folder: Path) -> Sequence[Path]:
    """Write ``summary.md`` and ``summary.json`` into a folder; return their paths.

    Raises:
        StoreError: It cannot be written.
    """
    texts = {
        "summary.md": summary(found, suite, results),
        "summary.json": json.dumps(as_json(found, suite, results), indent=1, ensure_ascii=False) + "\n",
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write the summary into '{folder}': {error.strerror}; choose another folder with -o DIR"
        raise StoreError(msg) from error
    return [folder / name for name in texts]
