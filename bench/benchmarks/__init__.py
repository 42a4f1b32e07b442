"""The benchmarks: one package each, imported on demand, and those of installed packages (entry point ``tare.benchmarks``).

A benchmark's package declares :data:`BENCHMARK` (:class:`bench.benchmarks.base.Benchmark`) in its ``__init__``, which imports
nothing but :mod:`bench.core` and :mod:`bench.benchmarks.base`, so that scenarios are checked and plans made without loading any
measuring code. Beside it stand up to four modules, each loaded only when it is needed:

- ``measure``: ``measure(context: InvocationContext) -> InvocationResult`` does one invocation;
- ``words``: ``words(data: ScenarioData) -> str`` says the result in a few sentences;
- ``tables``: ``tables(data: ScenarioData) -> list[Grid]`` and ``notes(data: ScenarioData) -> list[str]``;
- ``charts``: ``charts(data: ScenarioData) -> list[Plot | None]``.

A benchmark of an installed package may bring a scenario: the file ``scenario.yaml`` in its package. Without ``words``, ``tables`` or ``charts`` a benchmark is shown by those of :mod:`bench.display.usual`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module, resources
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.benchmarks.base import Benchmark
from bench.core import plugins
from bench.core.errors import UsageError, unknown
from bench.core.metrics import Metric
from bench.core.model import SENTINEL, ParamValue

if TYPE_CHECKING:
    from bench.display.data import ScenarioData
    from bench.display.svg import Plot
    from bench.display.table import Grid
    from bench.invocation.context import InvocationContext, InvocationResult

BUILT_IN = (
    *("startup", "memory", "density", "stack", "namespaces", "limits", "compute", "network-modes", "discovery"),
    *("storage-drivers", "storage-types", "size", "image-build", "pull"),
)
"""The benchmarks of this package that a scenario can name, in the order in which their metrics are shown."""

_UNNAMED = ("imported", SENTINEL)
"""Benchmarks that no scenario names: what other tools measured, and the fixed workload that shows the host's drift."""

_USUAL = "bench.display.usual"


def names() -> tuple[str, ...]:
    """Return the names that a scenario may use: Tare's own benchmarks, then those of installed packages."""
    return (*BUILT_IN, *(name for name in _outside() if _loaded(name) is not None))


def outside() -> Mapping[str, Benchmark]:
    """Return the benchmarks of installed packages by name; those that cannot be used are left out."""
    return {name: found for name in _outside() if (found := _loaded(name)) is not None}


def scenario_files() -> dict[str, Path]:
    """Return the scenario files of installed packages: ``scenario.yaml`` in the benchmark's package, under its name."""
    files = {name: Path(str(resources.files(found.package))) / "scenario.yaml" for name, found in outside().items()}
    return {name: path for name, path in files.items() if path.is_file()}


def get(name: str) -> Benchmark:
    """Return a benchmark's declaration.

    Raises:
        UsageError: There is none of that name, or it is one of an installed package that cannot be used.
    """
    if name in BUILT_IN or name in _UNNAMED:
        found: Benchmark = import_module(f"bench.benchmarks.{name.replace('-', '_')}").BENCHMARK
        return found
    if name not in _outside():
        raise UsageError(unknown("benchmark", name, names()))
    plugin = _loaded(name)
    if plugin is None:
        reason = next(one for one in plugins.broken() if (one.group, one.name) == (plugins.BENCHMARKS, name))
        raise UsageError(str(reason))
    return plugin


def measure(name: str) -> Callable[[InvocationContext], InvocationResult]:
    """Return the function that does one invocation of a benchmark."""
    found: Callable[[InvocationContext], InvocationResult] = import_module(f"{get(name).package}.measure").measure
    return found


def words(data: ScenarioData) -> str:
    """Say the result of a scenario in a few sentences."""
    said: str = _part(data, "words").words(data)
    return said


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables of a scenario."""
    made: list[Grid] = _part(data, "tables").tables(data)
    return made


def notes(data: ScenarioData) -> list[str]:
    """Return what must be read with the tables of a scenario."""
    said: list[str] = _part(data, "tables").notes(data)
    return said


def charts(data: ScenarioData) -> list[Plot]:
    """Draw the charts of a scenario; loads matplotlib."""
    return [plot for plot in _part(data, "charts").charts(data) if plot]


def check_params(name: str, given: Mapping[str, Sequence[ParamValue]]) -> dict[str, tuple[ParamValue, ...]]:
    """Return the parameters after checking names, types and values.

    Raises:
        UsageError: One is unknown or has a value that is not allowed.
    """
    known = get(name).params
    checked: dict[str, tuple[ParamValue, ...]] = {}
    for param, values in given.items():
        if param not in known:
            raise UsageError(unknown(f"parameter of '{name}'", param, known))
        checked[param] = tuple(dict.fromkeys(known[param].checked(param, value) for value in values))
        if not checked[param]:
            msg = f"the parameter '{param}' has no value"
            raise UsageError(msg)
    return checked


def with_defaults(name: str, params: Mapping[str, ParamValue]) -> dict[str, ParamValue]:
    """Return the parameters of one variant with the defaults of those that the scenario does not set."""
    return {param: one.default for param, one in get(name).params.items()} | dict(params)


def _part(data: ScenarioData, module: str) -> Any:
    """Return a benchmark's own module, or the usual one; a run of a benchmark that is not installed here has the usual ones."""
    try:
        package = get(data.benchmark).package
    except UsageError:
        package = _USUAL
    return import_module(f"{package if _has(package, module) else _USUAL}.{module}")


@cache
def _has(package: str, module: str) -> bool:
    return find_spec(f"{package}.{module}") is not None


def _outside() -> tuple[str, ...]:
    return tuple(plugins.declared(plugins.BENCHMARKS, (*BUILT_IN, *_UNNAMED)))


@cache
def _loaded(name: str) -> Benchmark | None:
    """Load what an installed package declares under this name; ``None``, and the reason on record, when it is unusable."""
    point = plugins.declared(plugins.BENCHMARKS, (*BUILT_IN, *_UNNAMED))[name]
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises must not end Tare
        plugins.report(plugins.BENCHMARKS, point, f"loading '{point.value}' failed: {type(error).__name__}: {error}")
        return None
    if reason := _unusable(name, found):
        plugins.report(plugins.BENCHMARKS, point, reason)
        return None
    return found  # type: ignore[no-any-return] # checked just now


def _unusable(name: str, found: object) -> str:
    if not isinstance(found, Benchmark):
        return f"it must be a bench.benchmarks.base.Benchmark, it is a {type(found).__name__}"
    if found.name != name:
        return f"it calls itself '{found.name}'"
    if not _has(found.package, "measure"):
        return f"the module '{found.package}.measure' is missing"
    own = {metric.name for one in (*BUILT_IN, *_UNNAMED) for metric in get(one).metrics}
    taken = sorted(own & {metric.name for metric in found.metrics})
    return f"Tare has a metric '{taken[0]}' already" if taken else ""


def declared_metrics() -> Iterator[Metric]:
    """Yield the metrics of all benchmarks, in display order."""
    for name in (*BUILT_IN, *_UNNAMED):
        yield from get(name).metrics
    for found in outside().values():
        yield from found.metrics
