"""Load and validate scenario and suite files: YAML in, frozen records out, errors with ``file:line``."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench import benchmarks, engines
from bench.core.document import Document
from bench.core.errors import ScenarioError, UsageError, unknown
from bench.core.metrics import METRICS
from bench.core.model import NULL, SENTINEL, ParamValue, Scenario, Target
from bench.core.resources import shipped

CONTROLS = (NULL, SENTINEL)
Scalar = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ScenarioFile(_Strict):
    """A scenario file: what to compare."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9-]*$", description="Lower case, digits and '-'; how it is called")
    ]
    measure: Annotated[str, Field(description="Benchmark that measures it, for example 'startup'")]
    title: Annotated[str, Field(min_length=1, description="One line for people")]
    description: Annotated[str, Field(description="Why it is measured and how to read it")] = ""
    targets: Annotated[list[str], Field(min_length=1, description="'engine' or 'engine:key=value,…', in display order")]
    baseline: Annotated[str, Field(description="One of the targets; the others are divided by it")]
    params: Annotated[dict[str, Scalar | list[Scalar]], Field(description="Parameter → value or values")] = {}
    blocks: Annotated[int, Field(ge=1, le=10_000, description="Measured blocks: every variant once a block")] = 20
    warmup_blocks: Annotated[int, Field(ge=0, le=100, description="Blocks before them, kept and flagged")] = 1
    timeout_s: Annotated[float, Field(gt=0, description="Time limit of one invocation, seconds", strict=False)] = 120.0
    primary: Annotated[
        list[str] | None, Field(min_length=1, description="Metrics that decide; the benchmark's own when left out")
    ] = None
    null_target: Annotated[bool, Field(description="Measure the baseline twice a block: the A/A control")] = True
    sentinel: Annotated[bool, Field(description="Run the fixed host workload once a block: shows drift")] = True


class SuiteEntry(_Strict):
    """One scenario of a suite, with what differs from its file."""

    scenario: Annotated[str, Field(description="Name or path of the scenario")]
    targets: list[str] | None = None
    params: dict[str, Scalar | list[Scalar]] | None = None
    blocks: Annotated[int, Field(ge=1, le=10_000)] | None = None
    warmup_blocks: Annotated[int, Field(ge=0, le=100)] | None = None


class SuiteFile(_Strict):
    """A suite file: several scenarios under one name."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: str
    scenarios: Annotated[list[SuiteEntry], Field(min_length=1)]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario and suite files."""
    parts = {"scenario": ScenarioFile.model_json_schema(), "suite": SuiteFile.model_json_schema()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tare scenario or suite",
        "oneOf": list(parts.values()),
    }


def parse_target(text: str) -> Target:
    """Read ``engine`` or ``engine:key=value,…`` into its canonical form.

    Raises:
        UsageError: The engine, an option or a value is unknown, or the form is another.
    """
    engine, _, rest = text.partition(":")
    if engine not in engines.ENGINES:
        raise UsageError(unknown("engine", engine, [name for name in engines.ENGINES if name != "fake"]))
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        allowed = engines.OPTIONS[engine]
        if not equals or not value:
            msg = f"'{part}' in target '{text}' is not key=value; {engine} takes: {', '.join(allowed) or 'no options'}"
            raise UsageError(msg)
        if key not in allowed:
            if not allowed:
                msg = f"the engine '{engine}' takes no options, '{key}' was given"
                raise UsageError(msg)
            raise UsageError(unknown(f"option of {engine}", key, allowed))
        if allowed[key] and value not in allowed[key]:
            raise UsageError(unknown(f"value of {engine}:{key}", value, allowed[key]))
        if key in engines.FILES and not Path(value).is_absolute():
            msg = f"'{key}={value}' in target '{text}' must be the absolute path of {engines.FILES[key]}"
            raise UsageError(msg)
        if key in options:
            msg = f"'{key}' is given twice in target '{text}'"
            raise UsageError(msg)
        options[key] = value
    return make_target(engine, options)


def make_target(engine: str, options: Mapping[str, str]) -> Target:
    """Return the target with its canonical spelling: options in the order of their names."""
    listed = ",".join(f"{key}={options[key]}" for key in sorted(options))
    return Target(f"{engine}:{listed}" if listed else engine, engine, dict(sorted(options.items())))


def find(name: str, kind: Literal["scenario", "suite"] | None = None) -> Path:
    """Return the file of a scenario or suite: a name from ``scenarios/`` or the path of a YAML file.

    Raises:
        UsageError: There is none.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        if Path(name).is_file():
            return Path(name)
        msg = f"there is no file '{name}'"
        raise UsageError(msg)
    files = names(kind)
    if name not in files:
        raise UsageError(unknown("scenario or suite" if kind is None else kind, name, files))
    return files[name]


def names(kind: Literal["scenario", "suite"] | None = None) -> dict[str, Path]:
    """Return the shipped scenarios and suites: name → file."""
    base = shipped("scenarios")
    found: dict[str, Path] = {}
    if kind != "suite":
        found |= {path.stem: path for path in sorted(base.glob("*.yaml")) if path.stem != "claims"}
    if kind != "scenario":
        found |= {path.stem: path for path in sorted((base / "suites").glob("*.yaml"))}
    return found


def load(path: Path) -> list[Scenario]:
    """Load a scenario file (one record) or a suite file (its scenarios, with what the suite changes).

    Raises:
        ScenarioError: The file is wrong; ``file:line`` and what was allowed.
    """
    document = Document(path)
    if isinstance(document.data, dict) and "scenarios" in document.data:
        suite = document.validate(SuiteFile)
        return [_with_changes(entry, document, ("scenarios", index)) for index, entry in enumerate(suite.scenarios)]
    return [_scenario(document)]


def override(
    scenario: Scenario,
    *,
    targets: Sequence[str] = (),
    params: Mapping[str, Sequence[ParamValue]] | None = None,
    blocks: int | None = None,
    warmup_blocks: int | None = None,
) -> Scenario:
    """Return the scenario with what the command line asks for instead of what its file says.

    The baseline stays when it is among the targets; else it is added, since a ratio needs it.

    Raises:
        UsageError: A target or parameter is unknown.
    """
    changed = dataclasses.replace(
        scenario, params={**scenario.params, **benchmarks.check_params(scenario.procedure, params or {})}
    )
    if targets:
        chosen = list(dict.fromkeys(parse_target(text).text for text in targets))
        changed = dataclasses.replace(changed, targets=tuple(parse_target(text) for text in chosen))
        if scenario.baseline not in chosen:
            changed = dataclasses.replace(changed, targets=(parse_target(scenario.baseline), *changed.targets))
    if blocks is not None:
        changed = dataclasses.replace(changed, blocks=blocks)
    if warmup_blocks is not None:
        changed = dataclasses.replace(changed, warmup_blocks=warmup_blocks)
    return changed


def _with_changes(entry: SuiteEntry, document: Document, at: tuple[str | int, ...]) -> Scenario:
    try:
        name = entry.scenario
        beside = document.path.parent / name
        found = load(beside if beside.is_file() and beside != document.path else find(name, "scenario"))
        if len(found) != 1:
            msg = f"'{name}' is a suite; a suite names scenarios"
            raise UsageError(msg)
        base = found[0]
        return override(
            base,
            targets=entry.targets or (),
            params=_lists(entry.params or {}),
            blocks=entry.blocks,
            warmup_blocks=entry.warmup_blocks,
        )
    except ScenarioError:
        raise
    except UsageError as error:
        raise document.error(at, str(error)) from None


def _scenario(document: Document) -> Scenario:
    file = document.validate(ScenarioFile)
    benchmark = document.checked(("measure",), benchmarks.get, file.measure)
    targets = [document.checked(("targets", index), parse_target, text) for index, text in enumerate(file.targets)]
    texts = [target.text for target in targets]
    for index, text in enumerate(texts):
        if text in texts[:index]:
            raise document.error(("targets", index), f"the target '{text}' is listed twice")
    baseline = document.checked(("baseline",), parse_target, file.baseline).text
    if baseline not in texts:
        raise document.error(("baseline",), f"the baseline '{baseline}' is not among the targets: {', '.join(texts)}")
    primary = tuple(file.primary) if file.primary is not None else benchmark.primary
    for index, name in enumerate(primary):
        if name not in METRICS:
            raise document.error(("primary", index), unknown("metric", name, METRICS))
    params = document.checked(
        ("params",), lambda given: benchmarks.check_params(file.measure, given), _lists(file.params)
    )
    return Scenario(
        name=file.name,
        procedure=file.measure,
        title=file.title,
        description=file.description.strip(),
        targets=tuple(targets),
        baseline=baseline,
        params=params,
        blocks=file.blocks,
        warmup_blocks=file.warmup_blocks,
        timeout_s=file.timeout_s,
        primary=primary,
        null_target=file.null_target,
        sentinel=file.sentinel,
        digest=hashlib.sha256(document.text).hexdigest(),
        path=_shown(document.path),
    )


def _shown(path: Path) -> str:
    """Return the path as a reader elsewhere can use it: a shipped file's without this host's folders."""
    base = shipped("scenarios").parent
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def _lists(params: Mapping[str, Scalar | list[Scalar]]) -> dict[str, list[Scalar]]:
    return {key: value if isinstance(value, list) else [value] for key, value in params.items()}
