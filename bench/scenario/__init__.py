"""Find, load and validate scenario and suite files; errors name ``file:line``."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from bench import benchmarks, engines
from bench.core.document import Document
from bench.core.errors import ScenarioError, UsageError, unknown
from bench.core.metrics import METRICS
from bench.core.model import ParamValue, Scenario, Target
from bench.core.resources import shipped
from bench.engines import sockets
from bench.scenario.files import Scalar, ScenarioFile, SuiteEntry, SuiteFile, schema

__all__ = ["find", "load", "make_target", "names", "override", "parse_target", "schema"]


def parse_target(text: str) -> Target:
    """Parse ``engine`` or ``engine:key=value,…`` into a target in its canonical form.

    Raises:
        UsageError: The engine, an option or a value is unknown, or the text has another form.
    """
    engine, _, rest = text.partition(":")
    declared = engines.get(engine)
    allowed = declared.options
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
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
        if key in declared.files and not Path(value).is_absolute():
            msg = f"'{key}={value}' in target '{text}' must be the absolute path of {declared.files[key]}"
            raise UsageError(msg)
        if key in declared.sockets and value not in declared.sockets[key]:
            value = _socket(text, key, value, declared.sockets[key])
        if key in options:
            msg = f"'{key}' is given twice in target '{text}'"
            raise UsageError(msg)
        options[key] = value
    return make_target(engine, options)


def _socket(text: str, key: str, value: str, words: Sequence[str]) -> str:
    """Return the canonical spelling of an option that names a socket.

    Raises:
        UsageError: It is not an absolute path.
    """
    if not (found := sockets.canonical(value)):
        others = "".join(f"'{word}' or " for word in words)
        msg = f"'{key}={value}' in target '{text}' must be {others}the absolute path of a unix socket (/PATH or unix:///PATH)"
        raise UsageError(msg)
    return found


def make_target(engine: str, options: Mapping[str, str]) -> Target:
    """Return the target with its canonical spelling: options sorted by name."""
    listed = ",".join(f"{key}={options[key]}" for key in sorted(options))
    return Target(f"{engine}:{listed}" if listed else engine, engine, dict(sorted(options.items())))


def find(name: str, kind: Literal["scenario", "suite"] | None = None) -> Path:
    """Return the file of a scenario or suite, given a name from ``scenarios/`` or the path of a YAML file.

    Raises:
        UsageError: No such scenario, suite or file exists.
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
    """Return name → file of the scenarios and suites known by name, or only of one kind; plug-ins' scenarios included."""
    base = shipped("scenarios")
    found: dict[str, Path] = {}
    if kind != "suite":
        found |= {path.stem: path for path in sorted(base.glob("*.yaml")) if path.stem != "claims"}
        found |= {name: path for name, path in benchmarks.scenario_files().items() if name not in found}
    if kind != "scenario":
        found |= {path.stem: path for path in sorted((base / "suites").glob("*.yaml"))}
    return found


def load(path: Path) -> list[Scenario]:
    """Load a scenario file (one scenario) or a suite file (its scenarios, with the suite's overrides applied).

    Raises:
        ScenarioError: The file is invalid; the message has ``file:line`` and the allowed values.
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
    """Return the scenario with the command line's overrides; an empty or ``None`` argument changes nothing.

    The baseline is put first when it is not among the targets, because ratios need it.

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
    """Return a path for ``run.json``: relative to the installation for a shipped file, as given for others."""
    base = shipped("scenarios").parent
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def _lists(params: Mapping[str, Scalar | list[Scalar]]) -> dict[str, list[Scalar]]:
    return {key: value if isinstance(value, list) else [value] for key, value in params.items()}
