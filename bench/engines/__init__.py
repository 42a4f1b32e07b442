"""The engines: one folder or file each, imported on demand, and those of installed packages (entry point ``tare.engines``).

An engine declares an :class:`bench.engines.declaration.EngineType`: in the ``__init__`` of its folder, which imports nothing
else, or in its file. An entry point of the group ``tare.engines`` names such a declaration of another package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, cast

from bench.core import plugins
from bench.core.errors import TareError, TargetUnavailable, UsageError, unknown
from bench.engines.declaration import EngineType

if TYPE_CHECKING:
    from bench.core.model import Target
    from bench.engines.base import Engine
    from bench.lab import Lab
    from bench.lab.journal import Entry
    from bench.lab.sweep import Swept, Undo

_FILES: Mapping[str, str] = {
    "host": "bench.engines.host:HOST",
    "sandbox": "bench.engines.sandbox:SANDBOX",
    "fake": "bench.engines.fake:FAKE",
}
"""Engines that are one file: name → declaration. The others are folders, whose ``__init__`` lists its engines as ``ENGINES``."""
_ORDER = ("host", "sandbox", "runc", "crun", "runsc", "containerd", "cri", "docker", "podman", "libvirt")
"""Order in which engines are listed; any other follows by its name."""
_HIDDEN = ("fake",)
"""Engines for tests of Tare itself, which no list and no message names."""
_PACKAGE = "tare-bench"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def names() -> tuple[str, ...]:
    """Return the names that a target may use: Tare's own engines, then those of installed packages."""
    own = (name for name in built_in() if name not in _HIDDEN)
    return (*own, *(name for name in _outside() if _declared(name) is not None))


@cache
def built_in() -> tuple[str, ...]:
    """Return the names of Tare's own engines, those for tests included."""
    found = {*_FILES, *_in_folders()}
    return (*(name for name in _ORDER if name in found), *sorted(found - set(_ORDER)))


def get(name: str) -> EngineType:
    """Return an engine's declaration.

    Raises:
        UsageError: There is none of that name, or it is one of an installed package that cannot be used.
    """
    if name in built_in():
        return _in_folders()[name] if name in _in_folders() else cast("EngineType", _imported(_FILES[name]))
    if name not in _outside():
        raise UsageError(unknown("engine", name, names()))
    found = _declared(name)
    if found is None:
        reason = next(one for one in plugins.broken() if (one.group, one.name) == (plugins.ENGINES, name))
        raise UsageError(str(reason))
    return found


def check(target: Target) -> None:
    """Check the files that a target's options name, and what the engine itself requires, before anything is started.

    Raises:
        TargetUnavailable: A file does not exist or cannot be used, or the options contradict each other.
        UsageError: The content of a file cannot be used.
    """
    from bench.engines import given  # noqa: PLC0415 - only for a run, which needs the lab anyway

    declared = get(target.engine)
    given.check(target, declared.files)
    if declared.check:
        _imported(declared.check)(target)


def load(target: Target, lab: Lab) -> Engine:
    """Make the engine of a target.

    Raises:
        UsageError: There is no such engine.
        TargetUnavailable: A Python package is not installed, or the engine is one of another package that cannot be used.
    """
    declared = get(target.engine)
    if declared.name in built_in():
        return _made(declared, target, lab)
    who = f"the engine '{declared.name}' of package '{_distribution(declared.name)}'"
    try:
        made = _made(declared, target, lab)
    except TareError:
        raise
    except Exception as error:
        msg = f"{who} cannot be loaded: {type(error).__name__}: {error}"
        raise TargetUnavailable(msg, f"update or uninstall '{_distribution(declared.name)}'") from error
    if missing := _missing(made):
        msg = f"{who} has no {', '.join(missing)}, which every engine must have"
        raise TargetUnavailable(msg, "see the protocol bench.engines.base.Engine")
    return made


def _made(declared: EngineType, target: Target, lab: Lab) -> Engine:
    """Import an engine's class and call it; name the package to install when a foreign import fails."""
    try:
        factory = _imported(declared.factory)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] == re.split("[.:]", declared.factory)[0]:
            raise  # a bug of the engine's own package
        package = f"{_distribution(declared.name)}[{declared.extra}]" if declared.extra else error.name
        msg = f"the Python package '{error.name}' is not installed"
        raise TargetUnavailable(msg, f"pip install '{package}'") from error
    return cast("Engine", factory(target, lab))


def undo_functions() -> dict[str, Undo]:
    """Return how the engines remove what a killed run left in others' daemons: journal kind → function.

    The functions import what they need when they are called; one that cannot be imported, or that fails, says so in its result.
    """
    declared = [get(name) for name in reversed(names())]  # Tare's own last: no plug-in may replace them
    return {kind: _undo(kind, where) for one in declared for kind, where in one.undo.items()}


def _undo(kind: str, where: str) -> Undo:
    def undo(entry: Entry, dry_run: bool) -> Swept | None:
        from bench.lab.sweep import Swept  # noqa: PLC0415 - declarations are read without the lab

        try:
            return cast("Swept | None", _imported(where)(entry, dry_run)) if where else None
        except ImportError as error:
            why = f"the Python package '{error.name}' is not installed: it cannot be asked"
        except Exception as error:  # noqa: BLE001 - maybe a plug-in's; the rest of the sweep goes on, and the journal stays
            why = f"{type(error).__name__}: {error}"
        return Swept(kind, f"{entry.get('name')} ({why})", gone=False)

    return undo


@cache
def _in_folders() -> dict[str, EngineType]:
    """Return what the folders of this package declare; a new folder is a new engine."""
    folders = [import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__) if one.ispkg]
    return {one.name: one for folder in folders for one in getattr(folder, "ENGINES", ())}


def _imported(where: str) -> Any:
    """Import what ``module:NAME`` names."""
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def _outside() -> tuple[str, ...]:
    return tuple(plugins.declared(plugins.ENGINES, built_in()))


def _distribution(name: str) -> str:
    """Return the name of the distribution that declares an engine."""
    if name in built_in():
        return _PACKAGE
    return plugins.package_of(plugins.declared(plugins.ENGINES, built_in())[name])


@cache
def _declared(name: str) -> EngineType | None:
    """Load the declaration of a plug-in; ``None``, with the reason on record, when it cannot be used."""
    point = plugins.declared(plugins.ENGINES, built_in())[name]
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises must not end Tare
        plugins.report(plugins.ENGINES, point, f"loading '{point.value}' failed: {type(error).__name__}: {error}")
        return None
    if reason := _unusable(name, found):
        plugins.report(plugins.ENGINES, point, reason)
        return None
    return cast("EngineType", found)


def _unusable(name: str, found: object) -> str:
    if not isinstance(found, EngineType):
        return f"it must be a bench.engines.declaration.EngineType, found {type(found).__name__}"
    if found.name != name:
        return f"it calls itself '{found.name}'"
    if not _NAME.fullmatch(name):
        return "an engine's name has lower case letters, digits, '-' and '_', and begins with a letter"
    foreign = [kind for kind in found.undo if kind.partition(" ")[0] != name]
    return f"its journal kind '{foreign[0]}' must begin with '{name} '" if foreign else ""


def _missing(made: object) -> list[str]:
    """Return what an object lacks to be an engine: ``attribute`` or ``method()``."""
    from bench.engines.base import Engine  # noqa: PLC0415 - declarations are read without the protocol

    methods = [name for name, value in vars(Engine).items() if callable(value) and not name.startswith("_")]
    lacking = [name for name in Engine.__annotations__ if not hasattr(made, name)]
    return lacking + [f"{name}()" for name in methods if not callable(getattr(made, name, None))]
