"""Find all mistakes in a claims file that its schema does not find, so that they can be mended at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench import benchmarks, scenario
from bench.benchmarks.base import Param
from bench.claims.model import Relation
from bench.core.document import Document, KeyPath
from bench.core.errors import ScenarioError, UsageError, unknown
from bench.core.metrics import METRICS
from bench.scenario import parse_target

Found = Iterator[tuple[KeyPath, str]]

_Parameters = Mapping[str, Param] | str
"""The parameters of a scenario's benchmark, or why the scenario cannot be had."""


def of(document: Document) -> list[ScenarioError]:
    """Return the mistakes in the values of a claims file; values of another type are left to the schema."""
    data = document.data
    claims = data.get("claims") if isinstance(data, dict) else None
    if not isinstance(claims, list):
        return []
    sources = data.get("sources") if isinstance(data.get("sources"), dict) else {}
    names = {
        claim["scenario"] for claim in claims if isinstance(claim, dict) and isinstance(claim.get("scenario"), str)
    }
    known = {name: _parameters(name) for name in names}
    found = [*_of_names(claims)]
    for index, claim in enumerate(claims):
        if isinstance(claim, dict):
            here = ("claims", index)
            found += [((*here, *at), message) for at, message in _of_claim(claim, sources, known)]
    return [document.error(at, message) for at, message in found]


def _of_names(claims: list[Any]) -> Found:
    seen: set[str] = set()
    for index, claim in enumerate(claims):
        name = claim.get("name") if isinstance(claim, dict) else None
        if isinstance(name, str) and name in seen:
            yield ("claims", index, "name"), f"the claim '{name}' is there twice; names are unique"
        elif isinstance(name, str):
            seen.add(name)


def _of_claim(claim: Mapping[str, Any], sources: Mapping[str, Any], known: Mapping[str, _Parameters]) -> Found:
    source = claim.get("source")
    if isinstance(source, str) and source not in sources:
        yield ("source",), unknown("source", source, map(str, sources))
    yield from _of_measured(claim)
    yield from _of_scenario(claim, known)
    yield from _of_targets(claim)
    yield from _of_form(claim)
    yield from _of_machines(claim)


def _of_measured(claim: Mapping[str, Any]) -> Found:
    metric, note = claim.get("metric", ""), claim.get("note", "")
    if not isinstance(metric, str) or not isinstance(note, str):
        return
    if bool(metric) == bool(note):
        yield ("metric",), "a claim is about a metric or about a note: give one of the two keys"
    elif metric and metric not in METRICS:
        yield ("metric",), unknown("metric", metric, METRICS)
    elif note and claim.get("kind") != "fact":
        yield ("note",), "only a fact can be about a note; order, ratio, threshold and equality need a metric"


def _of_scenario(claim: Mapping[str, Any], known: Mapping[str, _Parameters]) -> Found:
    name = claim.get("scenario")
    if not isinstance(name, str):
        return
    if isinstance(parameters := known[name], str):
        yield ("scenario",), parameters
        return
    for at, params in _params(claim):
        for key, value in params.items():
            allowed = parameters[key].allowed if key in parameters else ()
            if allowed and value not in allowed:
                yield (*at, key), unknown(f"value of '{key}'", str(value), map(str, allowed))


def _parameters(name: str) -> _Parameters:
    try:
        (found,) = scenario.load(scenario.find(name, "scenario"))
        return benchmarks.get(found.procedure).params
    except UsageError as error:
        return str(error)
    except ValueError:
        return f"'{name}' is a suite; a claim names a scenario"


def _params(claim: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    for at, holder in ((), claim), *_arms(claim):
        if isinstance(holder.get("params"), dict):
            yield (*at, "params"), holder["params"]


def _of_targets(claim: Mapping[str, Any]) -> Found:
    for at, arm in _arms(claim):
        target = arm.get("target")
        if isinstance(target, str) and (message := _refused(parse_target, target)):
            yield (*at, "target"), message


def _of_form(claim: Mapping[str, Any]) -> Found:
    """Yield what a claim of its kind lacks, or has although it has no use there."""
    kind, than = claim.get("kind"), claim.get("than")
    ends = {key: claim[key] for key in ("above", "below") if isinstance(claim.get(key), int | float)}
    facts = [key for key in Relation if claim.get(key) is not None]
    if not isinstance(kind, str) or kind not in _FORMS:
        return
    needs_arms, message = _FORMS[kind]
    if needs_arms is not None and bool(than) != needs_arms:
        yield ("kind",), f"a claim of kind '{kind}' {'needs' if needs_arms else 'has no'} 'than'"
    if len(facts) != (kind == "fact") or not _ends_right(kind, ends, str(claim.get("scale", "ratio"))):
        yield ("kind",), message
    elif len(ends) == 2 and ends["above"] >= ends["below"]:
        yield ("above",), f"'above: {ends['above']:g}' must be less than 'below: {ends['below']:g}'"


_FORMS: Mapping[str, tuple[bool | None, str]] = {
    "order": (True, "an order has 'above' or 'below', which is 1 (of a difference 0): what is larger, not by how much"),
    "ratio": (True, "a claim of kind 'ratio' has 'above', 'below' or both"),
    "threshold": (False, "a threshold has 'above', 'below' or both, in the metric's unit"),
    "equality": (None, "an equality has 'above' and 'below', with 1 (of a difference 0) between them"),
    "fact": (False, "a fact has one of 'equals', 'differs_from' and 'has_word', and neither 'above' nor 'below'"),
}
"""Kind → whether it has ``than`` (``None``: either), and what its band must be."""


def _ends_right(kind: str, ends: Mapping[str, float], scale: str) -> bool:
    same = 0 if scale == "difference" else 1
    if kind == "fact":
        return not ends
    if kind == "order":
        return list(ends.values()) == [same]
    if kind == "equality":
        return len(ends) == 2 and ends["above"] < same < ends["below"]
    return bool(ends)


def _of_machines(claim: Mapping[str, Any]) -> Found:
    """Require that a claim about a machine says that it needs KVM, unless its numbers are the same on any accelerator."""
    metric, needs = claim.get("metric"), claim.get("needs") or {}
    known = METRICS.get(metric) if isinstance(metric, str) else None
    if known is None or known.exact or not isinstance(needs, dict) or needs.get("kvm"):
        return
    from bench import engines  # noqa: PLC0415 - declarations are read once a claim is about a machine at all

    for at, arm in _arms(claim):
        target = arm.get("target")
        if isinstance(target, str) and not _refused(parse_target, target):
            options = engines.get(parse_target(target).engine).options
            if "accel" in options:
                yield (*at, "target"), "a claim about a machine's speed or memory needs KVM: add 'needs: {kvm: true}'"


def _arms(claim: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    if isinstance(claim.get("of"), dict):
        yield ("of",), claim["of"]
    than = claim.get("than")
    for index, arm in enumerate(than if isinstance(than, list) else []):
        if isinstance(arm, dict):
            yield ("than", index), arm


def _refused(check: Callable[[str], object], value: str) -> str:
    """Return why a check refuses a value, empty when it accepts it."""
    try:
        check(value)
    except UsageError as error:
        return str(error)
    return ""
