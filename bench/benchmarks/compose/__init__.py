"""Benchmark ``compose``: what a project of several services takes by client, whether its order is kept, and what is left."""

from __future__ import annotations

from bench.benchmarks.base import SIZE, Benchmark, Param, exact_counts
from bench.core.metrics import Metric

_exact = exact_counts("compose")

CLIENTS = ("api", "v1", "v2", "podman-compose")
PROJECTS = (
    *("chain-started", "chain-healthy", "star-started", "star-healthy", "independent"),
    *("source-started", "source-healthy", "file"),
)
OPERATIONS = ("all", "up-down")


def _time(name: str, title: str, *, may_be_zero: bool = False) -> Metric:
    return Metric(f"compose.{name}_s", "s", "lower", 0.01, 0.05, exact=False, title=title, may_be_zero=may_be_zero)


def _calls(name: str, title: str) -> Metric:
    return Metric(f"compose.{name}", "count", "lower", 1, 0.05, exact=False, title=title, may_be_zero=True)


_METRICS = (
    _time("ready", "request of up → all services ready"),
    _time("up", "up"),
    _time("own", "of it the client's own time", may_be_zero=True),
    _time("engine", "of it waiting for the engine's answers", may_be_zero=True),
    _time("edge", "dependency there → dependent's first instruction", may_be_zero=True),
    _time("gap", "dependent ran before its dependency was ready", may_be_zero=True),
    _time("noop", "up with nothing to do"),
    _time("exec", "a command in a service"),
    _time("logs", "logs of all services"),
    _time("scale", "one more container of a service"),
    _time("down", "down with volumes"),
    _calls("calls", "requests of up"),
    _calls("noop_calls", "requests of up with nothing to do"),
    _calls("down_calls", "requests of down"),
    _calls("calls_of", "requests of up, by kind"),
    _time("at", "request of up → event of a service"),
    _exact("violations", "services started before what they need"),
    _exact("noop_changes", "containers changed by up with nothing to do"),
    _exact("lost_lines", "lines missing in the logs"),
    _exact("unscaled", "containers missing after scale"),
    _exact("leftovers", "left after down with volumes"),
)

BENCHMARK = Benchmark(
    name="compose",
    package=__name__,
    metrics=_METRICS,
    params={
        **SIZE,
        "client": Param("api", "client that creates the project", CLIENTS),
        "project": Param("chain-started", "which services there are and what they wait for", PROJECTS),
        "file": Param("", "project=file: a compose file of your own"),
        "services": Param(4, "services of a generated project", minimum=1),
        "networks": Param(1, "networks, in each of which every service is", minimum=1),
        "volumes": Param(1, "volumes of a generated project, at most one a service"),
        "interval_s": Param(
            0.5, "wait before the first probe of a health check and between two, seconds", minimum=0.05
        ),
        "operations": Param("all", "what is measured beside up and down", OPERATIONS),
    },
    primary=("compose.ready_s",),
)
