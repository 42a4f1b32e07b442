"""Everything that a report says about one run, collected once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bench import stats, store
from bench._series import Key, Series, series_of
from bench.model import ParamValue, Skipped, Status, Summary
from bench.units import METRICS, format_value

if TYPE_CHECKING:
    import pandas as pd

NULL = "null"
SENTINEL = "sentinel"


@dataclass(frozen=True)
class Variant:
    """A row of tables and figures: a target with parameters.

    Attributes:
        target: ``Target.text``.
        params: Parameters as JSON text with sorted keys.
        engine: Engine's name.
        note: What must be said beside the name, else empty.
        shown: The part of ``params`` that a label has, when that is not all of them.
    """

    target: str
    params: str
    engine: str
    note: str = ""
    shown: str | None = None

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
    """A row of tables and figures that is no variant: a kind, a limit, a part of one."""

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
        variants: Series as rows, in display order: every target with every set of params, the sentinel left out.
        invoked: What was invoked, in display order: every target with the params of its invocations only; their labels
            have what differs between them.
        points: Single values of invocations that ended well, warm-ups included.
        outcomes: How its invocations ended.
        skipped: Targets that could not be measured here.
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

    @property
    def procedure(self) -> str:
        """How it was measured."""
        return str(self.meta.get("procedure", "startup"))

    @property
    def baseline(self) -> str:
        """The target that the others are divided by."""
        return str(self.meta.get("baseline", "host"))

    @property
    def primary(self) -> tuple[str, ...]:
        """Metrics that decide, those without any series left out."""
        present = {item.metric for item in self.summaries}
        return tuple(name for name in self.meta.get("primary", ()) if name in present)

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], Summary]:
        return {(item.target, params_key(item.params), item.metric): item for item in self.summaries}

    @cached_property
    def _series(self) -> dict[Key, Series]:
        return series_of(stats.block_values(self.points))

    def series(self, variant: Variant, metric: str, **more: ParamValue) -> Series | None:
        """Return the values of one series, one a block, or ``None``; ``more`` as in :meth:`summary`."""
        params = params_key({**json.loads(variant.params), **more})
        return self._series.get((self.name, variant.target, params, metric))

    def summary(self, variant: Variant, metric: str, **more: ParamValue) -> Summary | None:
        """Return one series, or ``None`` when the variant has no such metric; ``more`` are params beside the variant's."""
        params = params_key({**json.loads(variant.params), **more}) if more else variant.params
        return self._index.get((variant.target, params, metric))

    def median(self, variant: Variant, metric: str) -> float | None:
        """Return the median of one series, or ``None`` without a value."""
        found = self.summary(variant, metric)
        return found.median if found else None

    def values(self, variant: Variant, metric: str) -> pd.DataFrame:
        """Return the single values of one series, columns as in ``Measurement``."""
        frame = self.points
        hit = (frame["metric"] == metric) & (frame["target"] == variant.target) & (frame["params"] == variant.params)
        return frame[hit]


@dataclass(frozen=True)
class RunData:
    """One run.

    Attributes:
        run: The run as read.
        scenarios: Its scenarios, in their order.
        summaries: All series.
        blocks: One value a block, variant and metric.
        outcomes: How every invocation ended.
        skipped: What could not be measured.
        checks: What the run says about its own quality.
    """

    run: store.Run
    scenarios: tuple[ScenarioData, ...]
    summaries: tuple[Summary, ...]
    blocks: pd.DataFrame
    outcomes: pd.DataFrame
    skipped: tuple[Skipped, ...]
    checks: tuple[stats.Check, ...]

    @property
    def meta(self) -> Mapping[str, Any]:
        """``run.json``."""
        return self.run.meta

    @property
    def host(self) -> str:
        """The host's name; of a guest that was made for the run, with what it is."""
        name = str(self.meta.get("host", "unknown host"))
        return f"{name}, in the guest {self.inside}" if self.inside else name

    @property
    def inside(self) -> str:
        """The guest that the whole run was in, empty when it was on the host itself."""
        return str(self.meta.get("inside", ""))


def collect(run: store.Run) -> RunData:
    """Read one run's folder and compute what a report needs."""
    measurements, outcomes = store.measurements(run), store.outcomes(run)
    scenarios = _titled(run.meta)
    summaries = tuple(stats.summaries(measurements, outcomes, scenarios))
    points, skipped = _good(measurements, outcomes), tuple(store.skipped(run))
    return RunData(
        run=run,
        scenarios=tuple(
            _scenario(name, meta, summaries, points, outcomes, skipped=skipped) for name, meta in scenarios.items()
        ),
        summaries=summaries,
        blocks=stats.block_values(measurements),
        outcomes=outcomes,
        skipped=skipped,
        checks=tuple(stats.checks(measurements, outcomes, scenarios)),
    )


def _titled(meta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the scenarios of ``run.json``, each title saying that it was measured in a guest, if it was."""
    scenarios: Mapping[str, Any] = meta.get("scenarios", {})
    if not (inside := meta.get("inside")):
        return scenarios
    return {
        name: {**one, "title": f"{one.get('title') or name} – in the guest {inside}", "inside": inside}
        for name, one in scenarios.items()
    }


def params_key(params: Mapping[str, ParamValue]) -> str:
    """Return parameters as the JSON text that the store uses."""
    return json.dumps(dict(params), sort_keys=True)


def params_text(params: str) -> str:
    """Return parameters, given as JSON text, for people: ``touch=4.00 KiB, instances=1``."""
    values: Mapping[str, ParamValue] = json.loads(params) if params else {}
    return ", ".join(_param(name, value) for name, value in values.items())


def _param(name: str, value: ParamValue) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for ending, unit in (("_bytes", "bytes"), ("_s", "s")):
            if name.endswith(ending):
                return f"{name.removesuffix(ending)}={format_value(value, unit)}".replace(" ", "\u00a0")
    return f"{name}={value}"


def evidence_counts(outcomes: pd.DataFrame, target: str) -> dict[str, Counter[str]]:
    """Return evidence name → how often each value was read back from ``target``."""
    found: dict[str, Counter[str]] = {}
    for evidence in outcomes.loc[outcomes["target"] == target, "evidence"]:
        for name, value in (evidence or {}).items():
            found.setdefault(str(name), Counter())[str(value)] += 1
    return found


def _good(measurements: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    ended_well = outcomes.loc[outcomes["status"] == Status.OK, "invocation"]
    good = measurements[measurements["invocation"].isin(ended_well)].copy()
    good["warmup"] = good["warmup"].astype(bool)
    return good


def _scenario(
    name: str,
    meta: Mapping[str, Any],
    summaries: Sequence[Summary],
    points: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    skipped: Sequence[Skipped],
) -> ScenarioData:
    own = tuple(item for item in summaries if item.scenario == name)
    own_outcomes, own_points = outcomes[outcomes["scenario"] == name], points[points["scenario"] == name]
    left_out = tuple(item for item in skipped if item.scenario == name)
    return ScenarioData(
        name=name,
        meta=meta,
        headline=_placed(stats.headline(own, meta, own_outcomes, own_points, left_out), meta),
        summaries=own,
        variants=tuple(_variants(own, meta, own_outcomes)),
        invoked=tuple(_invoked(meta, own_outcomes)),
        points=own_points,
        outcomes=own_outcomes,
        skipped=left_out,
    )


def _placed(headline: str, meta: Mapping[str, Any]) -> str:
    return headline.replace("this host", "this guest") if meta.get("inside") else headline


def _variants(summaries: Iterable[Summary], meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    """Return the rows: in the order of the scenario file, then by parameters, the null control after its baseline."""
    engines = {(item.target, params_key(item.params)): item.engine for item in summaries if item.target != SENTINEL}
    summarised = {SENTINEL, *(target for target, _ in engines)}
    for target, params, engine in zip(outcomes["target"], outcomes["params"], outcomes["engine"], strict=True):
        if target not in summarised:
            engines[target, params] = engine
    return _in_order(engines, meta, outcomes)


def _invoked(meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    """Return what was invoked, whatever came of it, params sorted as numbers and words."""
    found = zip(outcomes["target"], outcomes["params"], outcomes["engine"], strict=True)
    engines = {(target, params): engine for target, params, engine in found if target != SENTINEL}
    ordered = sorted(engines, key=lambda key: [(name, *sortable(v)) for name, v in json.loads(key[1]).items()])
    rows = _in_order({key: engines[key] for key in ordered}, meta, outcomes)
    every = [json.loads(row.params) for row in rows]
    same = {name for params in every for name in params if len({str(one.get(name)) for one in every}) == 1}
    return [
        replace(row, shown=params_key({k: v for k, v in own.items() if k not in same}))
        for row, own in zip(rows, every, strict=True)
    ]


def sortable(value: ParamValue) -> tuple[int, float, str]:
    """Return a key that sorts numbers as numbers and before text."""
    return (0, float(value), "") if isinstance(value, int | float) else (1, 0.0, value)


def _in_order(engines: Mapping[tuple[str, str], str], meta: Mapping[str, Any], outcomes: pd.DataFrame) -> list[Variant]:
    order = [item if isinstance(item, str) else str(item["text"]) for item in meta.get("targets", ())]
    baseline = str(meta.get("baseline", ""))
    if NULL not in order:
        order.insert(order.index(baseline) + 1 if baseline in order else 0, NULL)
    rank = {target: place for place, target in enumerate(order)}
    keys = sorted(engines, key=lambda key: rank.get(key[0], len(rank)))
    notes = {target: _note(target, baseline, outcomes) for target, _ in keys}
    return [Variant(target, params, engines[target, params], notes[target]) for target, params in keys]


def _note(target: str, baseline: str, outcomes: pd.DataFrame) -> str:
    """Say what a name hides: that the null control is the baseline, and which accelerator a VM really had."""
    if target == NULL:
        return f"{baseline or 'baseline'} again"
    found = evidence_counts(outcomes, target).get("accelerator", Counter())
    hidden = [name for name in sorted(found) if name not in target]
    return "accelerator " + "/".join(hidden) if hidden else ""


def metric_order(names: Iterable[str]) -> list[str]:
    """Sort metrics as the registry does; unknown ones come last, by name."""
    known = list(METRICS)
    return sorted(names, key=lambda name: (known.index(name) if name in METRICS else len(known), name))


def metric_title(name: str) -> str:
    """Return a few words for a column or axis."""
    return METRICS[name].title if name in METRICS else name
