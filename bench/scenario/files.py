"""The models of scenario and suite files, and their JSON Schema, which shows docstrings and descriptions to users."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ScenarioFile(_Strict):
    """A scenario file: what to compare."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", description="Name: lower case, digits and '-'")]
    measure: Annotated[str, Field(description="Benchmark that measures it, for example 'startup'")]
    title: Annotated[str, Field(min_length=1, description="One line for people")]
    description: Annotated[
        str,
        Field(
            description="Why it is measured and how to read it; a template: {{ parameter }}, {% if 'docker' in targets %}"
        ),
    ] = ""
    targets: Annotated[list[str], Field(min_length=1, description="'engine' or 'engine:key=value,…', in display order")]
    baseline: Annotated[str, Field(description="One of the targets; ratios are relative to it")]
    params: Annotated[dict[str, Scalar | list[Scalar]], Field(description="Parameter → value or values")] = {}
    blocks: Annotated[int, Field(ge=1, le=10_000, description="Measured blocks: every variant once a block")] = 20
    warmup_blocks: Annotated[int, Field(ge=0, le=100, description="Warm-up blocks before them; kept and flagged")] = 1
    timeout_s: Annotated[float, Field(gt=0, description="Time limit of one invocation, seconds", strict=False)] = 120.0
    primary: Annotated[
        list[str] | None,
        Field(min_length=1, description="Metrics that are shown first and decide; default: the benchmark's own"),
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
