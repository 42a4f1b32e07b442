"""What was found, as a table (a row a target, a column a release), and what of it is wrong."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.hosts.known import is_known
from tests.hosts.visit import Visit

_WIDTH = 58
_FINE = {"doctor": (0, 3), "startup": (0, 3, 4)}
"""Step → exit codes that need no line of their own: what failed is named by target."""


def render(visits: Sequence[Visit]) -> str:
    """Return the table as text."""
    targets = list(dict.fromkeys(target for visit in visits for target in visit.targets))
    steps = list(dict.fromkeys(step.name for visit in visits for step in visit.steps))
    rows = [["", *(visit.suite for visit in visits)]]
    rows += [[name, *(_step(visit, name) for visit in visits)] for name in steps]
    rows += [[target, *(_target(visit, target) for visit in visits)] for target in targets]
    return "\n".join(line for row in rows for line in _lines(row, max(map(len, [*targets, *steps, ""])) + 2))


def failing(visits: Sequence[Visit]) -> list[str]:
    """Return the targets that do not run in some release."""
    return sorted({name for visit in visits for name, verdict in visit.targets.items() if not verdict["ok"]})


def wrong(visits: Sequence[Visit], here: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one line for each thing that should work and does not.

    Args:
        visits: What was found.
        here: What doctor says on this host of targets that failed. An engine that does not run here either, for example because
            of the kernel, is not a release's fault.
    """
    return [f"{visit.suite}: {line}" for visit in visits for line in _wrong(visit, here)]


def _wrong(visit: Visit, here: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if visit.unbuilt:
        yield visit.unbuilt
        return
    for step in visit.steps:
        if step.code not in _FINE.get(step.name, (0,)):
            yield f"'{step.name}' ended with {step.code}: {step.log}"
    if not visit.targets:
        yield "doctor said nothing of any target"
    for part in visit.parts:
        yield f"{part['name']}: {part['says']}"
    if not visit.measured:
        yield "nothing was measured"
    engines = {name.partition(":")[0] for name, verdict in here.items() if not verdict["ok"]}
    for name, says in _failures(visit):
        if name.partition(":")[0] not in engines and not is_known(visit.suite, name, says):
            yield f"{name}: {says}"


def _failures(visit: Visit) -> Iterator[tuple[str, str]]:
    """Yield each target that does not run and each invocation that failed, with the reason."""
    for name, verdict in visit.targets.items():
        if not verdict["ok"]:
            yield name, f"does not run: {verdict['says']}"
    for name, reasons in visit.failed.items():
        yield from ((name, reason) for reason in reasons)


def _step(visit: Visit, name: str) -> str:
    for step in visit.steps:
        if step.name == name:
            return f"{'ok' if step.code == 0 else f'exit code {step.code}'}, {step.took_s:.0f} s ({step.cpu_s:.0f} s of CPU time)"
    return "not run"


def _target(visit: Visit, target: str) -> str:
    verdict = visit.targets.get(target)
    if verdict is None:
        return "not tried"
    text = f"{'ok' if verdict['ok'] else '--'}  {verdict['says']}"
    if verdict["remedy"]:
        text += f" → {verdict['remedy']}"
    if target in visit.ready_s:
        text += f"; ready after {visit.ready_s[target] * 1000:.1f} ms"
    return text


def _lines(row: Sequence[str], first: int) -> list[str]:
    cells = [textwrap.wrap(cell, _WIDTH) or [""] for cell in row]
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    widths = [first] + [_WIDTH + 2] * (len(row) - 1)
    return [
        "".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*padded, strict=True)
    ]
