"""Export the series of a run as OTLP metrics, made and encoded by the OpenTelemetry SDK: one gauge per metric."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from bench import __version__, store
from bench.core.errors import StoreError, UsageError
from bench.core.metrics import METRICS
from bench.interchange.gauges import ENDING
from bench.interchange.series import NamedSeries, named_series, started

_UNITS = {"s": "s", "bytes": "By", "bytes/s": "By/s", "1/s": "1/s", "ratio": "1", "count": "1", "s/GB": "s/GBy"}
"""Tare's unit → that of UCUM, which OpenTelemetry prescribes."""
_TIMEOUT_S = 10.0
"""For how long the exporter tries again."""


def otlp(run: store.Run) -> str:
    """Write one request of OTLP/JSON, as a collector's file receiver reads it.

    Raises:
        UsageError: The SDK is not installed, or the run does not say when it began.
    """
    encoder, json_format = (
        _needed(name)
        for name in ("opentelemetry.exporter.otlp.proto.common.metrics_encoder", "google.protobuf.json_format")
    )
    request = encoder.encode_metrics(_data(run))
    content = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(content, ensure_ascii=False) + "\n"


def push(run: store.Run, url: str) -> None:
    """Send the metrics to an OTLP/HTTP endpoint; ``OTEL_EXPORTER_OTLP_HEADERS`` and the like are respected.

    Raises:
        UsageError: The SDK is not installed, or the run does not say when it began.
        StoreError: Nobody listens there, or the metrics were refused.
    """
    http = _needed("opentelemetry.exporter.otlp.proto.http.metric_exporter")
    data = _data(run)
    with _heard() as said:
        exporter = http.OTLPMetricExporter(endpoint=url, timeout=_TIMEOUT_S)
        try:
            result = exporter.export(data, timeout_millis=_TIMEOUT_S * 1000)
        except Exception as error:  # noqa: BLE001 - the HTTP library has errors of its own
            said.append(str(error))
            result = None
        finally:
            exporter.shutdown()
    if getattr(result, "name", "") != "SUCCESS":
        why = f": {said[0]}" if said else ""
        msg = f"cannot push to '{url}'{why}; see that an OTLP receiver listens there (http://HOST:4318/v1/metrics)"
        raise StoreError(msg)


@contextlib.contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what the exporter logs, which it does instead of raising; nothing of it is printed."""
    said: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    logger, handler = logging.getLogger("opentelemetry"), Collect()
    before = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.propagate = before


def _needed(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        msg = "the format otlp needs the Python packages of OpenTelemetry: pip install 'tare-bench[otlp]'"
        raise UsageError(msg) from error


def _data(run: store.Run) -> Any:
    """Return the series as the SDK's own records; their time is when the run began, not when it is exported."""
    sdk, resources, scopes = (
        _needed(f"opentelemetry.sdk.{name}") for name in ("metrics.export", "resources", "util.instrumentation")
    )
    began = started(run)
    if began is None:
        msg = f"the run {run.run_id} has no start time (started_at), which OTLP needs: export it in another format"
        raise UsageError(msg)
    at = int(began.timestamp()) * 1_000_000_000 + began.microsecond * 1000
    facts = {"service.name": "tare", "host.name": str(run.meta.get("host", "")), "tare.run_id": run.run_id}
    resource = resources.Resource({**facts, "tare.fingerprint": str(run.meta.get("fingerprint", ""))})
    metrics = [_metric(sdk, name, group, at) for name, group in _by_name(named_series(run))]
    scope = sdk.ScopeMetrics(scopes.InstrumentationScope("tare", __version__), metrics, schema_url="")
    return sdk.MetricsData([sdk.ResourceMetrics(resource, [scope], schema_url="")])


def _by_name(every: Iterable[NamedSeries]) -> Iterator[tuple[str, list[NamedSeries]]]:
    """Yield the series of each metric with its name in OTLP: without the unit, as OpenTelemetry prescribes, and unique."""
    groups: dict[str, list[NamedSeries]] = {}
    for one in every:
        groups.setdefault(one.series.metric, []).append(one)
    taken: set[str] = set()
    for metric, group in groups.items():
        stem = "tare." + ENDING.sub("", metric)
        names = itertools.chain([stem], (f"{stem}_{number}" for number in itertools.count(2)))
        name = next(one for one in names if one not in taken)
        taken.add(name)
        yield name, group


def _metric(sdk: Any, name: str, group: list[NamedSeries], at: int) -> Any:
    series = group[0].series
    known = METRICS.get(series.metric)
    points = [
        sdk.NumberDataPoint(
            attributes={
                "scenario": one.series.scenario,
                "target": one.series.target,
                "stat": stat,
                **{f"param.{key}": value for key, value in one.params.items()},
                **({"repeat": one.again} if one.again > 1 else {}),
            },
            start_time_unix_nano=at,
            time_unix_nano=at,
            value=value,
        )
        for one in group
        for stat, value in one.stats.items()
    ]
    title = known.title if known else series.metric
    return sdk.Metric(name, title, _UNITS.get(series.unit, series.unit), sdk.Gauge(points))
