"""The switches by name, and the engine that makes instances with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from bench.core.errors import NotApplicable
from bench.engines.abilities import Hardener, Hardens
from bench.engines.hardening import Hardening
from bench.invocation.context import InvocationContext

DEFAULT, ALL = "default", "all"
SINGLE: Mapping[str, Hardening] = {
    "user": Hardening(user=True),
    "userns": Hardening(userns=True),
    "read-only": Hardening(read_only=True),
    "no-capabilities": Hardening(no_capabilities=True),
    "no-new-privileges": Hardening(no_new_privileges=True),
    "no-filter": Hardening(seccomp="none"),
    "long-filter": Hardening(seccomp="rules"),
    "no-apparmor": Hardening(no_apparmor=True),
    "no-selinux": Hardening(no_selinux=True),
    "rootless": Hardening(rootless=True),
}
"""One switch each."""
TOGETHER = ("user", "userns", "read-only", "no-capabilities", "no-new-privileges")
"""Those of ``all``; the engine's own filter and profile stay as they are."""
ORDER = (DEFAULT, *SINGLE, ALL)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """A switch at a target.

    Attributes:
        wanted: The switches; ``None`` for the engine's default.
        context: The invocation, with the engine that makes such instances.
        names: Names of the switches.
    """

    wanted: Hardening | None
    context: InvocationContext
    names: tuple[str, ...] = ()


def chosen(context: InvocationContext, switch: str) -> Chosen:
    """Return the switches that a name stands for.

    Raises:
        NotApplicable: The target has no such switch, or it changes nothing.
    """
    if switch == DEFAULT:
        return Chosen(None, context)
    hardener = hardener_of(context)
    names = together(hardener) if switch == ALL else (switch,)
    wanted = joined(names)
    if why := hardener.refusal(wanted):
        raise NotApplicable(why)
    return Chosen(wanted, dataclasses.replace(context, engine=hardener.engine(wanted)), names)


def hardener_of(context: InvocationContext) -> Hardener:
    """Return what sets the switches of a target.

    Raises:
        NotApplicable: It has none.
    """
    if not isinstance(context.engine, Hardens):
        msg = f"'{context.engine.target.text}' has no switches that make an instance safer"
        raise NotApplicable(msg)
    return context.engine.hardening


def together(hardener: Hardener) -> tuple[str, ...]:
    """Return the switches of ``all`` that a target has and that are off by default."""
    return tuple(name for name in TOGETHER if not hardener.refusal(SINGLE[name]))


def joined(names: tuple[str, ...]) -> Hardening:
    """Return one record with all of these switches."""
    return Hardening(**{field: value for name in names for field, value in vars(SINGLE[name]).items() if value})
