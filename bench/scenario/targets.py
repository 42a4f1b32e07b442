"""Targets in their canonical spelling: ``engine:key=value,…``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import engines
from bench.core.errors import UsageError, unknown
from bench.core.model import Target
from bench.engines import sockets


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
        if key in declared.sockets and value not in declared.sockets[key]:
            value = _socket(text, key, value, declared.sockets[key])
        if key in options:
            msg = f"'{key}' is given twice in target '{text}'"
            raise UsageError(msg)
        options[key] = value
    return make_target(engine, options)


def _socket(text: str, key: str, value: str, words: Sequence[str]) -> str:
    """Return the canonical spelling of an option that names a socket.

    Raises:
        UsageError: It is not an absolute path.
    """
    if not (found := sockets.canonical(value)):
        others = "".join(f"'{word}' or " for word in words)
        msg = f"'{key}={value}' in target '{text}' must be {others}the absolute path of a unix socket (/PATH or unix:///PATH)"
        raise UsageError(msg)
    return found


def make_target(engine: str, options: Mapping[str, str]) -> Target:
    """Return the target with its canonical spelling: options sorted by name."""
    listed = ",".join(f"{key}={options[key]}" for key in sorted(options))
    return Target(f"{engine}:{listed}" if listed else engine, engine, dict(sorted(options.items())))
