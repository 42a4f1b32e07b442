"""Load and check claims files; every mistake is told at once, with ``file:line``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import scenario
from bench.claims import mistakes
from bench.claims.files import ArmFile, ClaimFile, ClaimsFile
from bench.claims.model import Arm, Band, Claim, Kind, Relation, Scale, Source
from bench.core.document import Document
from bench.core.errors import ScenarioError
from bench.core.model import Scenario
from bench.core.resources import shipped
from bench.scenario import parse_target


def shipped_file() -> Path:
    """Return the claims file that ships with Tare."""
    return shipped("scenarios") / "claims.yaml"


def load(path: Path | None = None) -> list[Claim]:
    """Load a claims file, the shipped one by default.

    Raises:
        ScenarioError: The file is invalid; the message has all mistakes, each with ``file:line``.
    """
    document = Document(path or shipped_file())
    if found := [*document.mistakes(ClaimsFile), *mistakes.of(document)]:
        raise ScenarioError.joined(found)
    file = document.validate(ClaimsFile)
    sources = {name: Source(name, **one.model_dump()) for name, one in file.sources.items()}
    measured_by = {
        name: scenario.load(scenario.find(name, "scenario"))[0]
        for name in dict.fromkeys(one.scenario for one in file.claims)
    }
    return [_claim(one, sources[one.source], measured_by[one.scenario]) for one in file.claims]


def _claim(one: ClaimFile, source: Source, measured_by: Scenario) -> Claim:
    return Claim(
        name=one.name,
        says=one.says.strip(),
        source=source,
        section=one.section,
        line=one.line,
        tier=one.tier,
        tested_as=one.tested_as.strip(),
        kind=Kind(one.kind),
        scenario=one.scenario,
        benchmark=measured_by.procedure,
        blocks=measured_by.blocks,
        metric=one.metric,
        note=one.note,
        of=_arm(one, one.of),
        than=_arms(one, one.than),
        scale=Scale(one.scale),
        band=Band(
            -math.inf if one.above is None else one.above,
            math.inf if one.below is None else one.below,
        ),
        **_fact(one),
        kvm=one.needs.kvm,
        kernel=one.needs.kernel,
    )


def _fact(one: ClaimFile) -> dict[str, Any]:
    """Return the fields of a fact, its value as text, as runs' values are written."""
    for relation in Relation:
        value: str | float | None = getattr(one, relation)
        if value is not None:
            return {"relation": relation, "wanted": value if isinstance(value, str) else f"{value:g}"}
    return {"relation": Relation.EQUALS, "wanted": ""}


def _arms(claim: ClaimFile, arms: Sequence[ArmFile]) -> tuple[Arm, ...]:
    return tuple(_arm(claim, one) for one in arms)


def _arm(claim: ClaimFile, arm: ArmFile) -> Arm:
    return Arm(parse_target(arm.target).text, {**claim.params, **arm.params})
