"""The benchmarks, and the one place that loads them: one package each, imported on demand.

A benchmark is a package whose ``__init__`` declares :data:`BENCHMARK`, a :class:`bench.benchmarks.base.Benchmark`. It may
import only :mod:`bench.core`, :mod:`bench.benchmarks.base` and :mod:`bench.invocation.metrics`, so that scenarios can be
checked and plans made without loading any code that measures. Beside ``__init__`` there are up to four modules:

=============  =====================================================================================================
``measure``    ``measure(context: InvocationContext) -> InvocationResult`` does one invocation. Required. It must import
               neither pandas nor matplotlib. It raises ``NotApplicable`` if the target has nothing to measure (the
               invocation is skipped) and ``InvocationFailed`` if something went wrong (the invocation failed).
``words``      ``words(data: ScenarioData) -> str`` returns the result in one to three sentences. It must not use
               ``data.headline``, which is made of it. ``finding(data: ScenarioData) -> str`` (optional) returns the main
               result with its unit and interval in one line of some 60 characters; empty without values.
``tables``     ``tables(data: ScenarioData) -> list[Grid]`` returns the tables, and ``notes(data: ScenarioData) ->
               list[str]`` the remarks under them (both required in this module). ``data.columns`` is the width of the
               terminal in characters, ``None`` for a report. It must not import matplotlib, nor must ``words``.
               ``details(data: ScenarioData, found: Summary) -> dict[str, object]`` (optional) returns what belongs beside
               a series in ``tare show --json``: fields of :class:`bench.report.shape.SeriesRow` such as ``fit_ci_low``.
``charts``     ``charts(data: ScenarioData) -> list[Plot | None]`` returns the charts; ``None`` stands for a chart without
               any value and is left out. The names of plots begin with ``data.stem`` and are unique.
=============  =====================================================================================================

A benchmark need not show the A/A control: a table and a chart of it are added to those that do not.

``words``, ``tables`` and ``charts`` are optional: :mod:`bench.display.default` has modules of the same names that are used
instead. They are called for every run that is read, so they must cope with missing values, with a single block, and with a
baseline that was not measured. No benchmark imports another one; :mod:`bench.display` and :mod:`bench.invocation` hold what
several of them share.

Each folder of this package is a benchmark of Tare. An installed package adds its own with an entry point in the group
``tare.benchmarks`` that has the benchmark's name and points to its ``BENCHMARK``::

    [project.entry-points."tare.benchmarks"]
    goodbye = "tare_hello.goodbye:BENCHMARK"

A benchmark that cannot be used (it fails to import, lacks ``measure``, or has a name or a metric that Tare has already) is left
out: a scenario that names it is refused with the reason, and everything else works. The file ``scenario.yaml`` in the package of
an installed benchmark is a scenario that can be run by the benchmark's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module, resources
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from bench.benchmarks.base import Benchmark
from bench.core import plugins
from bench.core.errors import UsageError, unknown
from bench.core.metrics import Metric
from bench.core.model import SENTINEL, ParamValue

if TYPE_CHECKING:
    from bench.core.model import Summary
    from bench.display.data import ScenarioData
    from bench.display.svg import Plot
    from bench.display.table import Grid
    from bench.invocation.context import InvocationContext, InvocationResult

_INTERNAL = (SENTINEL, "imported")
"""Benchmarks that no scenario can name: the fixed workload that shows drift of the host, and measurements of other tools."""

_ORDER = (
    *("startup", "memory", "density", "stack", "namespaces", "limits", "compute", "network-modes", "discovery"),
    *("storage-drivers", "storage-types", "size", "image-build", "pull"),
)
"""Display order of the benchmarks and of their metrics; any other follows by its name."""


def _folders() -> tuple[str, ...]:
    """Return the benchmarks of this package: a new folder is a new benchmark."""
    found = {one.name.replace("_", "-") for one in iter_modules(__path__) if one.ispkg} - set(_INTERNAL)
    return (*(name for name in _ORDER if name in found), *sorted(found - set(_ORDER)))


BUILT_IN = _folders()
"""The benchmarks of Tare that a scenario can name, in display order."""

_DEFAULT = "bench.display.default"


def names() -> tuple[str, ...]:
    """Return the names that a scenario can use: Tare's own benchmarks, then those of installed packages."""
    return (*BUILT_IN, *(name for name in _entry_points() if _loaded(name) is not None))


def installed() -> Mapping[str, Benchmark]:
    """Return the usable benchmarks of installed packages by name."""
    return {name: found for name in _entry_points() if (found := _loaded(name)) is not None}


def scenario_files() -> dict[str, Path]:
    """Return the scenario files of installed packages: ``scenario.yaml`` in the benchmark's package, under its name."""
    files = {name: Path(str(resources.files(found.package))) / "scenario.yaml" for name, found in installed().items()}
    return {name: path for name, path in files.items() if path.is_file()}


def leave_out_scenario(name: str, reason: str) -> None:
    """Record that the scenario of an installed package cannot be used; its benchmark can."""
    plugins.report(plugins.BENCHMARKS, _entry_points()[name], f"its scenario cannot be used: {reason}")


def get(name: str) -> Benchmark:
    """Return a benchmark's declaration.

    Raises:
        UsageError: The name is unknown, or the benchmark of an installed package cannot be used; the message gives the reason.
    """
    if name in BUILT_IN or name in _INTERNAL:
        found: Benchmark = import_module(f"bench.benchmarks.{name.replace('-', '_')}").BENCHMARK
        return found
    if name not in _entry_points():
        raise UsageError(unknown("benchmark", name, names()))
    plugin = _loaded(name)
    if plugin is None:
        reason = next(one for one in plugins.broken() if (one.group, one.name) == (plugins.BENCHMARKS, name))
        raise UsageError(str(reason))
    return plugin


def measure(name: str) -> Callable[[InvocationContext], InvocationResult]:
    """Import a benchmark's ``measure`` module and return its function."""
    found: Callable[[InvocationContext], InvocationResult] = import_module(f"{get(name).package}.measure").measure
    return found


def words(data: ScenarioData) -> str:
    """Return the result of a scenario in one to three sentences."""
    text: str = _module(data, "words").words(data)
    return text


def finding(data: ScenarioData) -> str:
    """Return the main result of a scenario in one line: the first sentence of its words if the benchmark has no ``finding``."""
    module = _module(data, "words")
    text: str = module.finding(data) if hasattr(module, "finding") else ""
    return text or words(data).partition(". ")[0].removesuffix(".")


def tables(data: ScenarioData) -> list[Grid]:
    """Return the tables of a scenario; the last one is of the A/A control, unless it has a row in another one."""
    from bench.display import control  # noqa: PLC0415 - only reading needs it
    from bench.display.paired import explained  # noqa: PLC0415
    from bench.display.table import one_unit  # noqa: PLC0415

    made: list[Grid] = _module(data, "tables").tables(data)
    more = None if control.in_tables(made) else control.grid(data)
    return explained([one_unit(grid) for grid in (*made, *([more] if more else []))])


def notes(data: ScenarioData) -> list[str]:
    """Return the warnings and remarks under the tables of a scenario."""
    found: list[str] = _module(data, "tables").notes(data)
    return found


def details(data: ScenarioData, found: Summary) -> dict[str, object]:
    """Return what the benchmark knows of a series beside its numbers, such as the interval of the fit behind a slope."""
    module = _module(data, "tables")
    told: dict[str, object] = module.details(data, found) if hasattr(module, "details") else {}
    return told


def charts(data: ScenarioData) -> list[Plot]:
    """Draw the charts of a scenario, without the empty ones; one shows the A/A control. Loads matplotlib."""
    from bench.display.charts import control  # noqa: PLC0415 - only drawing needs it

    made = [plot for plot in _module(data, "charts").charts(data) if plot]
    more = None if any(plot.control for plot in made) else control.draw(data, f"{data.stem}-control")
    return [*made, *([more] if more else [])]


def check_params(name: str, given: Mapping[str, Sequence[ParamValue]]) -> dict[str, tuple[ParamValue, ...]]:
    """Check names, types and values of parameters, and return each with its distinct values.

    Raises:
        UsageError: A parameter is unknown, has no value, or has one that is not allowed.
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
    """Return the parameters of one variant, with defaults for those that the scenario does not set."""
    return {param: one.default for param, one in get(name).params.items()} | dict(params)


def _module(data: ScenarioData, name: str) -> Any:
    """Import a module of the benchmark, or the default one if it has none or is not installed here."""
    try:
        package = get(data.benchmark).package
    except UsageError:
        package = _DEFAULT
    return import_module(f"{package if _has(package, name) else _DEFAULT}.{name}")


@cache
def _has(package: str, module: str) -> bool:
    try:
        return find_spec(f"{package}.{module}") is not None
    except ModuleNotFoundError:  # the package itself is missing
        return False


def _entry_points() -> Mapping[str, EntryPoint]:
    return plugins.declared(plugins.BENCHMARKS, (*BUILT_IN, *_INTERNAL))


@cache
def _loaded(name: str) -> Benchmark | None:
    """Load the benchmark of an installed package; if it is unusable, record the reason and return ``None``."""
    point = _entry_points()[name]
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - a plug-in that raises anything must not end Tare
        plugins.report(plugins.BENCHMARKS, point, f"loading '{point.value}' failed: {type(error).__name__}: {error}")
        return None
    if reason := _unusable(name, found):
        plugins.report(plugins.BENCHMARKS, point, reason)
        return None
    return found  # type: ignore[no-any-return] # _unusable has checked the type


def _unusable(name: str, found: object) -> str:
    """Return why a declaration cannot be used; empty if it can."""
    if not isinstance(found, Benchmark):
        return f"it must be a bench.benchmarks.base.Benchmark, found {type(found).__name__}"
    if found.name != name:
        return f"it calls itself '{found.name}'"
    if not _has(found.package, "measure"):
        return f"the module '{found.package}.measure' is missing"
    own = {metric.name for one in (*BUILT_IN, *_INTERNAL) for metric in get(one).metrics}
    taken = sorted(own & {metric.name for metric in found.metrics})
    return f"Tare has a metric '{taken[0]}' already" if taken else ""


def declared_metrics() -> Iterator[Metric]:
    """Yield the metrics of all benchmarks, in display order."""
    for name in (*BUILT_IN, *_INTERNAL):
        yield from get(name).metrics
    for found in installed().values():
        yield from found.metrics
