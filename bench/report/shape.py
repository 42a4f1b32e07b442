"""The fields of ``tare show --json`` and their JSON Schema, which shows docstrings and descriptions to users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Number = Annotated[float | None, Field(description="null where there is none")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Doubt(_Strict):
    """A check of the scenario that raises a doubt."""

    check: Annotated[str, Field(description="Name of the check")]
    title: Annotated[str, Field(description="Its name for people")]
    sentence: Annotated[str, Field(description="What it found, in words")]


class CheckRow(_Strict):
    """A check of the scenario, with its numbers for this series."""

    check: Annotated[str, Field(description="Name of the check")]
    title: Annotated[str, Field(description="Its name for people")]
    verdict: Literal["fine", "doubt", "undecided"]
    numbers: Annotated[
        dict[str, Any], Field(description="What the verdict is made of; null where it says nothing about this series")
    ]


class Ratio(_Strict):
    """This series ÷ that of another target: the median of the ratios within blocks."""

    ratio: float
    ci_low: Number
    ci_high: Number
    n: Annotated[int, Field(description="Blocks that both have")]


class SeriesRow(_Strict):
    """One series: a metric of a target under some parameters, over the blocks of the run. Values are in base units."""

    scenario: str
    target: Annotated[
        str, Field(description="Target as it is spelled on the command line; 'null' and 'sentinel' are controls")
    ]
    params: Annotated[dict[str, str | int | float | bool], Field(description="Parameters that name the series")]
    metric: Annotated[str, Field(description="Name of the metric ('tare list metrics')")]
    unit: str
    median: Number
    ci_low: Number
    ci_high: Number
    n: Annotated[int, Field(description="Blocks with a value")]
    failures: int
    baseline: Annotated[str | None, Field(description="Target that the ratio divides by")]
    ratio_to_baseline: Annotated[
        float | None, Field(description="Median of the ratios within blocks; not median ÷ median of the baseline")
    ]
    ratio_ci_low: Number
    ratio_ci_high: Number
    title: Annotated[str, Field(description="Metric for people")]
    scenario_title: Annotated[str, Field(description="Scenario for people")]
    name: Annotated[str, Field(description="Target for people")]
    runtime: Annotated[str | None, Field(description="Runtime that made the instances, as read back from them")]
    emulated: Annotated[bool, Field(description="Whether its machine was emulated")]
    inside: Annotated[str, Field(description="Guest that the whole run was in")] = ""
    answer: Annotated[
        bool | None, Field(description="For a fact: yes or no; null if the blocks differ. Absent for a quantity")
    ] = None
    fit_ci_low: Annotated[float | None, Field(description="Of a slope: 95 % interval of the fitted line's slope")] = (
        None
    )
    fit_ci_high: Annotated[float | None, Field(description="Of a slope: the upper end")] = None
    stopped_by: Annotated[str | None, Field(description="Of how many fit: rule that ended most ramps")] = None
    lower_bound: Annotated[
        bool, Field(description="Of how many fit: true where no limit was reached, so that more would fit")
    ] = False
    binding_instances: Annotated[
        float | None, Field(description="Of how many fit: extrapolated number at the limit that comes first")
    ] = None
    binding_limit: Annotated[str | None, Field(description="Of how many fit: that limit")] = None
    doubts: list[Doubt]
    checks: list[CheckRow]
    ratios: Annotated[dict[str, Ratio], Field(description="With --pairs: other target → ratio to it")] = {}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the output of ``tare show --json``: a list of rows."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tare show --json",
        **TypeAdapter(list[SeriesRow]).json_schema(),
    }
