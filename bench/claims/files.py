"""The models of claims files, and their JSON Schema, which shows docstrings and descriptions to users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Bound = Annotated[float, Field(allow_inf_nan=False)]
Scalar = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SourceFile(_Strict):
    """Where claims come from."""

    title: Annotated[str, Field(min_length=1, description="Title for people")]
    date: Annotated[str, Field(min_length=1, description="When it was published, or read and checked")]
    link: Annotated[str, Field(description="Address of the source")] = ""
    note: Annotated[str, Field(description="What was measured there, and how it was checked")] = ""


class ArmFile(_Strict):
    """A target with the parameters that name its series."""

    target: Annotated[str, Field(description="'engine' or 'engine:key=value,…', as in scenario files")]
    params: Annotated[dict[str, Scalar], Field(description="Parameter → value; those left out may have any value")] = {}


class NeedsFile(_Strict):
    """What the host must have for the claim to apply."""

    kvm: Annotated[bool, Field(description="KVM boots guests; emulated guests never decide a claim")] = False
    kernel: Annotated[str, Field(pattern=r"^(\d+\.\d+)?$", description="Oldest kernel, for example '5.11'")] = ""


class ClaimFile(_Strict):
    """One statement that measurements can decide."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$", description="Lower case, digits and '-'; unique")]
    says: Annotated[str, Field(min_length=1, description="The statement in one sentence")]
    source: Annotated[str, Field(description="One of the file's sources")]
    section: Annotated[str, Field(description="Section of the source")] = ""
    line: Annotated[int, Field(ge=0, description="Line of the source; 0 without one")] = 0
    tier: Annotated[
        Literal["", "A", "B"], Field(description="For a band of measured values: A true on any host, B depends on it")
    ] = ""
    tested_as: Annotated[str, Field(description="What is measured instead of the words, why it flips there")] = ""
    kind: Annotated[Literal["order", "ratio", "threshold", "equality", "fact"], Field(description="Form of the test")]
    scenario: Annotated[str, Field(description="Scenario that measures it")]
    metric: Annotated[str, Field(description="Metric of the arms ('tare list metrics')")] = ""
    note: Annotated[str, Field(description="Instead of a metric: name of a note or of evidence of invocations")] = ""
    params: Annotated[dict[str, Scalar], Field(description="Parameters of every arm")] = {}
    of: Annotated[ArmFile, Field(description="The arm that the claim is about")]
    than: Annotated[list[ArmFile], Field(description="Arms that it is compared with; each must hold")] = []
    scale: Annotated[Literal["ratio", "difference"], Field(description="of ÷ than, or of - than")] = "ratio"
    above: Annotated[Bound | None, Field(description="Supported above, contradicted at or below")] = None
    below: Annotated[Bound | None, Field(description="Supported below, contradicted at or above")] = None
    equals: Annotated[str | float | None, Field(description="Value of a fact")] = None
    differs_from: Annotated[str | float | None, Field(description="Value that a fact must not have")] = None
    has_word: Annotated[str | None, Field(min_length=1, description="Word that a fact's value must have")] = None
    needs: Annotated[NeedsFile, Field(description="What the host must have")] = NeedsFile()


class ClaimsFile(_Strict):
    """A claims file: statements that runs support or contradict."""

    title: Annotated[str, Field(min_length=1, description="One line for people")]
    sources: Annotated[dict[str, SourceFile], Field(min_length=1, description="Name → source")]
    claims: Annotated[
        list[ClaimFile], Field(min_length=1, description="The claims, in the order in which they are shown")
    ]


def schema() -> dict[str, Any]:
    """Return the JSON Schema of claims files."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **ClaimsFile.model_json_schema()}
