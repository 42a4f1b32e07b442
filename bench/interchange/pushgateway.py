"""Push the gauges of a run to a Prometheus Pushgateway, in the group of job ``tare`` and of the run's host."""

from __future__ import annotations

from prometheus_client import push_to_gateway

from bench import store
from bench.core.errors import StoreError
from bench.interchange.gauges import registry

_TIMEOUT_S = 30.0


def push(run: store.Run, url: str) -> None:
    """Replace the group's gauges by those of a run.

    Raises:
        StoreError: Nobody listens there, or the gauges were refused.
    """
    group = {"instance": str(run.meta.get("host") or "unknown")}
    try:
        push_to_gateway(url, "tare", registry(run), group, timeout=_TIMEOUT_S)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        msg = (
            f"cannot push to '{url}': {reason}; see that a Pushgateway listens there (the address is http://HOST:9091)"
        )
        raise StoreError(msg) from error
