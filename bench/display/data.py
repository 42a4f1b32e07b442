"""The data of a report: runs, their scenarios, the rows of tables and charts, and the series behind them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench import store
from bench.core.metrics import METRICS
from bench.core.model import ParamValue, Skipped, Summary
from bench.core.units import format_value
from bench.stats.findings import Check
from bench.stats.samples import Samples
from bench.stats.series import Key, Series, block_values, counted, series_of

if TYPE_CHECKING:
    import pandas as pd


_LONGEST_SLUG = 80
"""Characters of a text that a file name keeps: some file systems allow 143 bytes a name, and names are joined."""


@dataclass(frozen=True)
class Variant:
    """A target with parameters: a row of tables and charts.

    Attributes:
        target: ``Target.text``.
        params: Parameters as JSON text with sorted keys.
        engine: Engine's name.
        note: A remark beside the name; empty for none.
        shown: The part of ``params`` that the label shows; ``None``: all of them.
        kind: What the engine makes: ``process``, ``container`` or ``machine``; empty if unknown.
    """

    target: str
    params: str
    engine: str
    note: str = ""
    shown: str | None = None
    kind: str = ""

    @property
    def name(self) -> str:
        """The engine, or the control's name: the first line of a label."""
        return self.target.partition(":")[0]

    @property
    def details(self) -> str:
        """Options, parameters and note: the second line of a label."""
        options = self.target.partition(":")[2].replace(",", ", ")
        return "\u00a0· ".join(part for part in (options, self._params, self.note) if part)

    @property
    def text(self) -> str:
        """The whole label on one line."""
        rest = " · ".join(part for part in (self._params, self.note) if part)
        return f"{self.target} ({rest})" if rest else self.target

    @property
    def _params(self) -> str:
        return params_text(self.params if self.shown is None else self.shown)


@dataclass(frozen=True)
class Label:
    """A row of tables and charts that is not a variant, such as a kind of namespace."""

    name: str
    details: str = ""

    @property
    def text(self) -> str:
        """The whole label on one line."""
        return f"{self.name} ({self.details})" if self.details else self.name


Row = Variant | Label


@dataclass(frozen=True)
class ScenarioData:
    """One scenario of one run.

    Attributes:
        name: Scenario's name.
        meta: Its entry in ``run.json``.
        headline: The result in one or two sentences.
        summaries: All of its series.
        variants: One row for every target and params of a series, in display order, without the sentinel.
        invoked: One row for every target and params of an invocation, in display order; labels show the params that
            differ.
        points: Single values of the invocations that ended with ``ok``, warm-ups included; columns as in ``Measurement``.
        outcomes: How its invocations ended; columns as in ``Outcome``.
        skipped: Targets that could not be measured here.
        columns: Width in characters of the terminal that the tables are for; ``None`` for a report.
        prefix: Prefix of the charts' names in a report of several runs.
    """

    name: str
    meta: Mapping[str, Any]
    headline: str
    summaries: tuple[Summary, ...]
    variants: tuple[Variant, ...]
    invoked: tuple[Variant, ...]
    points: pd.DataFrame
    outcomes: pd.DataFrame
    skipped: tuple[Skipped, ...] = ()
    columns: int | None = None
    prefix: str = ""

    @property
    def benchmark(self) -> str:
        """The benchmark that measured it."""
        return str(self.meta.get("procedure", "startup"))

    @property
    def stem(self) -> str:
        """Prefix of the names of its charts."""
        return slug(f"{self.prefix}-{self.name}" if self.prefix else self.name)

    @property
    def here(self) -> str:
        """Where it was measured: ``this host``, or ``this guest`` when the whole run was in a guest."""
        return "this guest" if self.meta.get("inside") else "this host"

    @property
    def baseline(self) -> str:
        """The target that the others are compared with."""
        return str(self.meta.get("baseline", "host"))

    @property
    def primary(self) -> tuple[str, ...]:
        """Primary metrics that have a series."""
        present = {item.metric for item in self.summaries}
        return tuple(name for name in self.meta.get("primary", ()) if name in present)

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], Summary]:
        return {(item.target, params_key(item.params), item.metric): item for item in self.summaries}

    @cached_property
    def _series(self) -> dict[Key, Series]:
        return series_of(block_values(self.points))

    def series(self, variant: Variant, metric: str, **more: ParamValue) -> Series | None:
        """Return the values of one series, one a block, or ``None``; ``more`` as for :meth:`summary`."""
        params = params_key({**json.loads(variant.params), **more})
        return self._series.get((self.name, variant.target, params, metric))

    def summary(self, variant: Variant, metric: str, **more: ParamValue) -> Summary | None:
        """Return one series, or ``None`` when the variant lacks the metric; ``more`` are params in addition to the variant's."""
        params = params_key({**json.loads(variant.params), **more}) if more else variant.params
        return self._index.get((variant.target, params, metric))

    def median(self, variant: Variant, metric: str) -> float | None:
        """Return the median of one series, or ``None`` without a value."""
        found = self.summary(variant, metric)
        return found.median if found else None


@dataclass(frozen=True)
class RunData:
    """One run.

    Attributes:
        run: The run as read.
        scenarios: Its scenarios, in their order.
        summaries: All series.
        samples: All measurements, and how every invocation ended.
        skipped: What could not be measured.
        checks: Findings on the quality of the run.
    """

    run: store.Run
    scenarios: tuple[ScenarioData, ...]
    summaries: tuple[Summary, ...]
    samples: Samples
    skipped: tuple[Skipped, ...]
    checks: tuple[Check, ...]

    @property
    def outcomes(self) -> pd.DataFrame:
        """How every invocation ended; columns as in ``Outcome``."""
        return self.samples.outcomes

    @property
    def meta(self) -> Mapping[str, Any]:
        """``run.json``."""
        return self.run.meta

    @property
    def host(self) -> str:
        """The host's name, with the guest if the whole run was in one."""
        name = str(self.meta.get("host", "unknown host"))
        return f"{name}, in the guest {self.inside}" if self.inside else name

    @property
    def inside(self) -> str:
        """The guest that the whole run was in; empty for a run on the host itself."""
        return str(self.meta.get("inside", ""))


def slug(text: str) -> str:
    """Return a text that is safe as a file name and as an HTML id; one that is long or has no ASCII letter ends in a digest."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
    if plain and len(plain) <= _LONGEST_SLUG:
        return plain
    return f"{plain[:_LONGEST_SLUG]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".strip("-")


def params_key(params: Mapping[str, ParamValue]) -> str:
    """Return parameters as the JSON text that the store uses."""
    return json.dumps(dict(params), sort_keys=True)


def params_text(params: str) -> str:
    """Format parameters, given as JSON text: ``touch=4.00 KiB, instances=1``."""
    values: Mapping[str, ParamValue] = json.loads(params) if params else {}
    return ", ".join(_param(name, value) for name, value in values.items())


def _param(name: str, value: ParamValue) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for ending, unit in (("_bytes", "bytes"), ("_s", "s")):
            if name.endswith(ending):
                return f"{name.removesuffix(ending)}={format_value(value, unit)}".replace(" ", "\u00a0")
    return f"{name}={value}"


def evidence_counts(outcomes: pd.DataFrame, target: str) -> dict[str, Counter[str]]:
    """Count the evidence of a target: name → value → number of invocations."""
    return _evidence(outcomes.loc[outcomes["target"] == target, "evidence"])


def evidence_by_target(outcomes: pd.DataFrame) -> dict[str, dict[str, Counter[str]]]:
    """Count the evidence of every target, as :func:`evidence_counts` does of one."""
    grouped = outcomes.groupby("target", observed=True, sort=False)["evidence"]
    return {str(target): _evidence(evidence) for target, evidence in grouped}


def _evidence(column: pd.Series[Any]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for evidence, count in counted(column):
        for name, value in (evidence or {}).items():
            found.setdefault(str(name), Counter())[str(value)] += count
    return found


def sortable(value: ParamValue) -> tuple[int, float, str]:
    """Return a key that sorts numbers as numbers and before text."""
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, value)


def metric_order(names: Iterable[str]) -> list[str]:
    """Sort metrics as the registry does; unknown ones come last, by name."""
    known = list(METRICS)
    return sorted(names, key=lambda name: (known.index(name) if name in METRICS else len(known), name))


def metric_title(name: str) -> str:
    """Return a metric's title for a column or axis, or its name if it is unknown."""
    return METRICS[name].title if name in METRICS else name
