"""Names of targets for people, from the engines' declarations: the one place that pages, tables and JSON take them from."""

from __future__ import annotations

from bench import engines
from bench.core.errors import UsageError


def title_of(target: str) -> str:
    """Return a target's name for people: that of an option which has one of its own, else its engine's.

    The engine's own name if it is not installed here.
    """
    engine, _, options = target.partition(":")
    try:
        declared = engines.get(engine)
    except UsageError:
        return engine
    named = (declared.option_titles[option] for option in options.split(",") if option in declared.option_titles)
    return next(named, declared.title or engine)
