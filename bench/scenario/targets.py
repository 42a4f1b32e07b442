"""Targets in their canonical spelling: ``engine:key=value,…``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench import engines
from bench.core.errors import UsageError, unknown
from bench.core.model import Target


def parse_target(text: str) -> Target:
    """Parse ``engine`` or ``engine:key=value,…`` into a target in its canonical form.

    Raises:
        UsageError: The engine, an option or a value is unknown, or the text has another form.
    """
    engine, _, rest = text.partition(":")
    declared = engines.get(engine)
    allowed = declared.options
    options: dict[str, str] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if not equals or not value:
            msg = f"'{part}' in target '{text}' is not key=value; {engine} takes: {', '.join(allowed) or 'no options'}"
            raise UsageError(msg)
        if key not in allowed:
            if not allowed:
                msg = f"the engine '{engine}' takes no options, '{key}' was given"
                raise UsageError(msg)
            raise UsageError(unknown(f"option of {engine}", key, allowed))
        if allowed[key] and value not in allowed[key]:
            raise UsageError(unknown(f"value of {engine}:{key}", value, allowed[key]))
        if key in declared.files and not Path(value).is_absolute():
            msg = f"'{key}={value}' in target '{text}' must be the absolute path of {declared.files[key]}"
            raise UsageError(msg)
        if key in options:
            msg = f"'{key}' is given twice in target '{text}'"
            raise UsageError(msg)
        options[key] = value
    return make_target(engine, options)


def make_target(engine: str, options: Mapping[str, str]) -> Target:
    """Return the target with its canonical spelling: options sorted by name."""
    listed = ",".join(f"{key}={options[key]}" for key in sorted(options))
    return Target(f"{engine}:{listed}" if listed else engine, engine, dict(sorted(options.items())))
