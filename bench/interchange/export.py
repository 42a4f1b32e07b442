"""Export a run: every measurement (jsonl, csv, parquet), or one value per block in the format of another tool."""

from __future__ import annotations

from importlib import import_module

from bench import store
from bench.core.errors import UsageError, unknown

FORMATS: dict[str, str] = {
    "jsonl": "tables:jsonl",
    "csv": "tables:comma_separated",
    "parquet": "tables:parquet",
    "pytest-benchmark": "timings:pytest_benchmark",
    "hyperfine": "timings:hyperfine",
    "junit": "junit:run",
    "openmetrics": "gauges:openmetrics",
    "otlp": "otlp:otlp",
    "grafana": "grafana:dashboard",
    "bmf": "gauges:bencher",
    "github": "gauges:github",
    "github-bigger": "gauges:github_bigger",
}
"""Format → ``module:function`` in ``bench.interchange``. A new format is one function and one line here."""

PUSHED: dict[str, str] = {"openmetrics": "pushgateway:push", "otlp": "otlp:push"}
"""Format → function that sends a run to an address: a Prometheus Pushgateway, an OTLP/HTTP receiver."""


def export(run: store.Run, fmt: str) -> str | bytes:
    """Return the run in a format of :data:`FORMATS`.

    Raises:
        UsageError: The format is unknown, its package is not installed, or the run cannot be read.
    """
    if fmt not in FORMATS:
        raise UsageError(unknown("format", fmt, FORMATS))
    module, function = FORMATS[fmt].split(":")
    content: str | bytes = getattr(import_module(f"bench.interchange.{module}"), function)(run)
    return content


def push(run: store.Run, fmt: str, url: str) -> None:
    """Send the run in a format of :data:`PUSHED` to an address.

    Raises:
        UsageError: The format is not pushed, the address is none, or a package is not installed.
        StoreError: Nobody takes it there.
    """
    if fmt not in PUSHED:
        raise UsageError(unknown("format to push", fmt, PUSHED))
    if not url.startswith(("http://", "https://")):
        msg = f"'{url}' is not an address to push to: write http://HOST:PORT or https://HOST:PORT"
        raise UsageError(msg)
    module, function = PUSHED[fmt].split(":")
    getattr(import_module(f"bench.interchange.{module}"), function)(run, url)
