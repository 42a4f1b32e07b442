"""Find all mistakes in a scenario file that its schema does not find, so that they can be mended at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bench import benchmarks
from bench.core.document import Document, KeyPath
from bench.core.errors import ScenarioError, UsageError, unknown
from bench.core.metrics import METRICS
from bench.scenario import description
from bench.scenario.targets import parse_target


def of(document: Document) -> list[ScenarioError]:
    """Return the mistakes in the values of a scenario file; values of another type are left to the schema."""
    if not isinstance(document.data, dict):
        return []
    return [
        document.error(at, message)
        for find in (_of_measure, _of_description, _of_targets, _of_baseline, _of_primary)
        for at, message in find(document.data)
    ]


Found = Iterator[tuple[KeyPath, str]]


def _of_measure(data: dict[str, Any]) -> Found:
    """Yield mistakes in the benchmark's name and, if that is right, in its parameters."""
    measure, params = data.get("measure"), data.get("params")
    if not isinstance(measure, str):
        return
    if message := _refused(benchmarks.get, measure):
        yield ("measure",), message
        return
    for name, values in params.items() if isinstance(params, dict) else ():
        many = values if isinstance(values, list) else [values]
        scalars = isinstance(name, str) and all(isinstance(one, str | int | float | bool) for one in many)
        if scalars and (message := _refused(lambda given: benchmarks.check_params(measure, given), {name: many})):
            yield ("params", name), message


def _of_description(data: dict[str, Any]) -> Found:
    text, measure = data.get("description"), data.get("measure")
    if not isinstance(text, str) or not isinstance(measure, str) or _refused(benchmarks.get, measure):
        return
    if message := description.mistake(text, measure):
        yield ("description",), message


def _of_targets(data: dict[str, Any]) -> Found:
    seen = set()
    for index, text in enumerate(_texts(data.get("targets"))):
        if not isinstance(text, str):
            continue
        if message := _refused(parse_target, text):
            yield ("targets", index), message
        elif (target := parse_target(text).text) in seen:
            yield ("targets", index), f"the target '{target}' is listed twice"
        else:
            seen.add(target)


def _of_baseline(data: dict[str, Any]) -> Found:
    baseline = data.get("baseline")
    if not isinstance(baseline, str):
        return
    if message := _refused(parse_target, baseline):
        yield ("baseline",), message
        return
    targets = _texts(data.get("targets"))
    if not targets or any(not isinstance(text, str) or _refused(parse_target, text) for text in targets):
        return  # it may be one of those that cannot be read
    texts = [parse_target(text).text for text in targets]
    if (wanted := parse_target(baseline).text) not in texts:
        yield ("baseline",), f"the baseline '{wanted}' is not among the targets: {', '.join(texts)}"


def _of_primary(data: dict[str, Any]) -> Found:
    for index, name in enumerate(_texts(data.get("primary"))):
        if isinstance(name, str) and name not in METRICS:
            yield ("primary", index), unknown("metric", name, METRICS)


def _texts(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _refused(check: Callable[[Any], object], value: object) -> str:
    """Return why a check refuses a value, empty when it accepts it."""
    try:
        check(value)
    except UsageError as error:
        return str(error)
    return ""
