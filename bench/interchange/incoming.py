"""Import what another tool measured as a run that can be shown, compared and exported.

Such a run has neither fingerprint nor sentinel. If the file does not say which values were measured together, each value
becomes a block of its own, so that only values measured side by side are paired.
"""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import __version__, scenario, store
from bench.core.clock import wall_time
from bench.core.errors import StoreError, UsageError, unknown
from bench.core.metrics import metric_named
from bench.core.model import NULL, SENTINEL, Invocation, Measurement, Outcome, RunState, Scenario, Status
from bench.interchange import documents, rows
from bench.interchange.values import Value

FORMATS: Mapping[str, Callable[[str], Iterator[Value]]] = {
    "csv": rows.from_csv,
    "jsonl": rows.from_jsonl,
    "hyperfine": documents.hyperfine,
    "pytest-benchmark": documents.pytest_benchmark,
}
"""Format → reader."""


def load(path: Path, fmt: str) -> list[Value]:
    """Read the values of a file.

    Raises:
        UsageError: The format is unknown, the file cannot be read, or it does not follow the format; the message names
            the line or the command.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    text = _text(path)
    try:
        found = list(FORMATS[fmt](text))
        # Names that UTF-8 cannot represent are refused here, before anything is written.
        json.dumps([(one.scenario, one.target, dict(one.params)) for one in found], ensure_ascii=False).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        reason = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
        msg = f"'{path}' cannot be imported as {fmt}: {reason}; correct the file, or name its format with --format"
        raise UsageError(msg) from error
    if not found:
        msg = f"'{path}' has no value that can be imported; a {fmt} file has at least one"
        raise UsageError(msg)
    return _without_control_names(found)


def _text(path: Path) -> str:
    """Return the text of a file, line ends unchanged.

    Raises:
        UsageError: It cannot be read, is not a file, or is not UTF-8.
    """
    try:
        # The shell's <(command) and a pipe to /dev/stdin are open already; a FIFO with a name might never be written to.
        piped = path.is_fifo() and path.resolve().is_relative_to("/proc")
        data = path.read_bytes() if piped else store.content(path)
        if 0 in data[:2]:
            msg = "it looks like UTF-16"
            raise ValueError(msg)
        return data.decode("utf-8-sig")
    except ValueError as error:
        msg = f"'{path}' cannot be read: it is not UTF-8 text ({error}); save it as UTF-8"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}; name a file of one of the formats {', '.join(FORMATS)}"
        raise UsageError(msg) from error


def _without_control_names(values: Sequence[Value]) -> list[Value]:
    """Rename a user's target that has the name of a control, which reports and comparisons would leave out."""
    taken = {one.target for one in values}
    names: dict[str, str] = {}
    for name in (NULL, SENTINEL):
        choices = itertools.chain([store.not_a_control(name)], (f"{name} (imported {n})" for n in itertools.count(2)))
        names[name] = next(one for one in choices if one not in taken)
    return [one if one.control or one.target not in names else _renamed(one, names[one.target]) for one in values]


def _renamed(one: Value, target: str) -> Value:
    return replace(one, target=target, engine=target if one.engine == one.target else one.engine)


def save(
    values: Sequence[Value],
    results: Path,
    run_id: str,
    source: str,
    tags: Mapping[str, str],
    *,
    fmt: str = "csv",
    baseline: str = "",
) -> Path:
    """Write the values of the file ``source`` as a run and return its folder.

    ``baseline`` is the target that the others are divided by; by default the one of the run that was exported, else the host.

    Raises:
        UsageError: No scenario has the baseline.
        StoreError: The run cannot be written; nothing of it is left.
    """
    groups = _groups(values)
    meta = _meta(values, run_id, source, tags, fmt, baseline)
    plan = [_invocation(number, group) for number, group in groups.items()]
    writer = store.RunWriter.create(results, meta, plan)
    try:
        for invocation, group in zip(plan, groups.values(), strict=True):
            writer.append(*_ended(run_id, invocation, group, source))
        writer.update(state=RunState.COMPLETE)
    except StoreError as error:
        shutil.rmtree(writer.path, ignore_errors=True)  # half an import is useless, and the file still exists
        msg = f"{str(error).partition(';')[0]}; nothing was imported, free space and import '{source}' again"
        raise StoreError(msg) from error
    except BaseException:
        shutil.rmtree(writer.path, ignore_errors=True)
        raise
    return writer.path


def _groups(values: Sequence[Value]) -> dict[int, list[Value]]:
    """Return invocation number → its values: as exported where every row says so, else by variant and block."""
    if all(one.invocation is not None for one in values):
        own: dict[int, list[Value]] = {}
        for one in values:
            own.setdefault(one.invocation or 0, []).append(one)
        return own
    groups: dict[tuple[object, ...], list[Value]] = {}
    for one in values:
        params = json.dumps(dict(one.params), sort_keys=True)
        groups.setdefault((one.scenario, one.target, params, one.block, one.warmup, one.status), []).append(one)
    return dict(enumerate(groups.values()))


def _ended(
    run_id: str, invocation: Invocation, group: Sequence[Value], source: str
) -> tuple[list[Measurement], Outcome]:
    same: dict[str, Any] = {
        name: getattr(invocation, name) for name in ("scenario", "target", "block", "order", "warmup")
    }
    head = {"run_id": run_id, "engine": group[0].engine, "invocation": invocation.index, **same}
    lines = [
        Measurement(
            **head,
            params=dict(one.params),
            iteration=place if one.invocation is None or one.iteration is None else one.iteration,
            metric=one.metric,
            value=one.value,
            unit=metric_named(one.metric).unit,
            at_s=one.at_s,
        )
        for place, one in enumerate(group)
        if one.status is Status.OK
    ]
    ended: dict[str, Any] = {"status": group[0].status, "reason": group[0].reason, "notes": {"imported": source}}
    return lines, Outcome(**head, **ended, params=dict(invocation.params))


def _invocation(number: int, group: Sequence[Value]) -> Invocation:
    """Return the invocation of a group; its params are those that all of its values share."""
    one = group[0]
    params = {key: value for key, value in one.params.items() if all(_same(other, key, value) for other in group)}
    return Invocation(number, one.scenario, one.target, params, one.block, one.order, warmup=one.warmup)


def _same(other: Value, key: str, value: object) -> bool:
    return key in other.params and json.dumps(other.params[key]) == json.dumps(value)


def _interleaved(values: Sequence[Value]) -> bool:
    """Return whether more than one target was measured in some block."""
    targets: dict[tuple[str, int], set[str]] = {}
    for one in values:
        targets.setdefault((one.scenario, one.block), set()).add(one.target)
    return any(len(found) > 1 for found in targets.values())


def _scenario(values: Sequence[Value], source: str, asked: str) -> dict[str, Any]:
    """Describe one scenario of the file as ``run.json`` does."""
    declared = _declared(values)
    every = list(dict.fromkeys(one.target for one in values))
    controls = {one.target for one in values if one.control}
    targets = [one for one in every if one not in controls] or every
    metrics = list(dict.fromkeys(one.metric for one in values))
    primary = metrics[:3]
    if declared is not None:
        order = [target.text for target in declared.targets]
        targets.sort(key=lambda text: order.index(text) if text in order else len(order))
        primary = [name for name in declared.primary if name in metrics] or primary
    return {
        "procedure": "imported",
        "title": f"Imported from {source}",
        "description": "Measured by another tool, in its order: no seed, no sentinel, no evidence.",
        "targets": targets,
        "baseline": asked if asked in targets else _baseline(values, targets, declared),
        "params": {},
        "blocks": len({one.block for one in values}),
        "warmup_blocks": 0,
        "timeout_s": 0.0,
        "primary": primary,
        "null_target": NULL in controls,
        "sentinel": SENTINEL in controls,
        "digest": "",
        "path": source,
    }


def _declared(values: Sequence[Value]) -> Scenario | None:
    """Return the scenario of Tare whose export this is, ``None`` for a name of another tool's."""
    exported = values[0].invocation is not None or values[0].baseline
    path = scenario.names("scenario").get(values[0].scenario) if exported else None
    try:
        found = scenario.load(path) if path is not None else []
    except UsageError:
        return None
    return found[0] if found else None


def _baseline(values: Sequence[Value], targets: Sequence[str], declared: Scenario | None) -> str:
    """Return the baseline of the run that was exported as far as the file tells, else the host, else the first target."""
    engines = {one.target: one.engine for one in values}
    repeated = [text for text in targets if text != NULL and engines[text] == engines.get(NULL)]
    choices = [
        *(one.baseline for one in values if one.baseline),
        *([declared.baseline] if declared else []),
        *(repeated if len(repeated) == 1 else []),  # the A/A control has the engine of the baseline
        "host",
        *(text for text in targets if engines[text] == "host"),
    ]
    return next((text for text in choices if text in targets), targets[0])


def _meta(  # noqa: PLR0917 - what a run is made of
    values: Sequence[Value], run_id: str, source: str, tags: Mapping[str, str], fmt: str, baseline: str
) -> dict[str, Any]:
    by_name: dict[str, list[Value]] = {}
    for one in values:
        by_name.setdefault(one.scenario, []).append(one)
    scenarios = {name: _scenario(mine, source, baseline) for name, mine in by_name.items()}
    if baseline and all(baseline not in one["targets"] for one in scenarios.values()):
        raise UsageError(unknown("target", baseline, sorted({one.target for one in values})))
    return {
        "run_id": run_id,
        "tare_version": __version__,
        "command": ["tare", "import", source, "--format", fmt],
        "seed": None,
        "host": "unknown host",
        "interleaved": _interleaved(values),
        "started_at": wall_time().isoformat(timespec="seconds"),
        "tags": {**tags, "imported": source},
        "scenarios": scenarios,
        "skipped": [],
        "facts": {},
        "epoch": [],
        "fingerprint": "imported",
        "engines": {},
    }
