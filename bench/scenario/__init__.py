"""Find, load and validate scenario and suite files; errors name ``file:line``."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from bench import benchmarks
from bench.core.document import Document
from bench.core.errors import ScenarioError, UsageError, unknown
from bench.core.model import ParamValue, Scenario
from bench.core.resources import shipped
from bench.scenario import mistakes
from bench.scenario.files import Scalar, ScenarioFile, SuiteEntry, SuiteFile, schema
from bench.scenario.targets import make_target, parse_target

__all__ = ["find", "load", "make_target", "names", "override", "parse_target", "schema"]


def find(name: str, kind: Literal["scenario", "suite"] | None = None) -> Path:
    """Return the file of a scenario or suite, given a name from ``scenarios/`` or the path of a YAML file.

    Raises:
        UsageError: No such scenario, suite or file exists.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        if _is_file(Path(name)):
            return Path(name)
        msg = f"there is no file '{name}'"
        raise UsageError(msg)
    files = names(kind)
    if name not in files:
        raise UsageError(unknown("scenario or suite" if kind is None else kind, name, files))
    return files[name]


def _is_file(path: Path) -> bool:
    """Say whether there is a file at a path.

    Raises:
        UsageError: The system refuses the path: it is too long, or a folder may not be entered.
    """
    try:
        return path.is_file()
    except OSError as error:
        msg = f"'{path}' cannot be read: {error.strerror}"
        raise UsageError(msg) from error


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
        return _suite(document)
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


def _suite(document: Document) -> list[Scenario]:
    loaded: list[Scenario] = []
    wrong: list[ScenarioError] = []
    for index, entry in enumerate(document.validate(SuiteFile).scenarios):
        try:
            loaded.append(_with_changes(entry, document, ("scenarios", index)))
        except ScenarioError as error:
            wrong.append(error)
    if wrong:
        raise ScenarioError.joined(wrong)
    return loaded


def _with_changes(entry: SuiteEntry, document: Document, at: tuple[str | int, ...]) -> Scenario:
    try:
        name = entry.scenario
        beside = document.path.parent / name
        found = load(beside if _is_file(beside) and beside != document.path else find(name, "scenario"))
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
    """Return the scenario of a document.

    Raises:
        ScenarioError: It has mistakes; the message has all of them.
    """
    if found := [*document.mistakes(ScenarioFile), *mistakes.of(document)]:
        raise ScenarioError.joined(found)
    file = document.validate(ScenarioFile)
    return Scenario(
        name=file.name,
        procedure=file.measure,
        title=file.title,
        description=file.description.strip(),
        targets=tuple(map(parse_target, file.targets)),
        baseline=parse_target(file.baseline).text,
        params=benchmarks.check_params(file.measure, _lists(file.params)),
        blocks=file.blocks,
        warmup_blocks=file.warmup_blocks,
        timeout_s=file.timeout_s,
        primary=tuple(file.primary) if file.primary is not None else benchmarks.get(file.measure).primary,
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
