"""What a value in a file of a run may be: one check a kind, shared by ``run.json``, the plan and the lines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

LARGEST = 2**53
"""Largest accepted integer: no count of ours exceeds it, and not every JSON reader keeps larger ones exact."""

_SIZES = (1e-100, 1e100)
"""Accepted magnitudes of quantities other than 0: ratios and squares within them neither overflow nor underflow."""

Check = Callable[[Any], bool]
"""Whether a value is valid."""


def is_text(value: Any) -> bool:
    """Return whether a value is a string."""
    return isinstance(value, str)


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer that every JSON reader keeps exact."""
    return type(value) is int and abs(value) <= LARGEST


def is_number(value: Any) -> bool:
    """Return whether a value is a number within a float's range; NaN and infinities pass, readers leave them out."""
    return isinstance(value, float) or (type(value) is int and abs(value) <= _SIZES[1])


def is_quantity(value: Any) -> bool:
    """Return whether a value can be a measurement: 0, a plausible magnitude, or NaN or infinity, which readers leave out."""
    return is_number(value) and (not value or not math.isfinite(value) or _SIZES[0] <= abs(value) <= _SIZES[1])


def are_quantities(numbers: Sequence[float]) -> bool:
    """Return whether all floats are plausible magnitudes, ``False`` where some need a closer look; faster than one by one."""
    sizes = list(map(abs, numbers))
    return (
        _SIZES[0] <= min(sizes) <= max(sizes) <= _SIZES[1]
    )  # a NaN that comes first makes it false, others are skipped


def is_flag(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    """Return whether a value is an object."""
    return isinstance(value, Mapping)


def is_scalars(value: Any) -> bool:
    """Return whether a value is valid for ``params``: an object of strings, numbers and booleans, or ``None``."""
    return value is None or (isinstance(value, Mapping) and (not value or all(map(is_scalar, value.values()))))


def is_scalar(value: Any) -> bool:
    """Return whether a value is a string, a finite number or a boolean."""
    return isinstance(value, str | bool) or (is_number(value) and math.isfinite(value))


def is_texts(value: Any) -> bool:
    """Return whether a value is a list of strings."""
    return isinstance(value, list | tuple) and all(map(is_text, value))


def is_targets(value: Any) -> bool:
    """Return whether a value is a list of targets: strings, or objects with a string ``text``."""
    return isinstance(value, list) and all(
        isinstance(one, str) or (isinstance(one, Mapping) and is_text(one.get("text"))) for one in value
    )


def is_disturbed(value: Any) -> bool:
    """Return whether a value is a list of disturbances."""
    return isinstance(value, list | tuple) and all(
        isinstance(one, Mapping)
        and is_text(one.get("source"))
        and all(is_number(one.get(name)) and math.isfinite(one[name]) for name in ("moved_bytes", "own_bytes"))
        for one in value
    )


def is_lists(value: Any) -> bool:
    """Return whether a value is an object of lists of scalars."""
    return isinstance(value, Mapping) and all(
        isinstance(one, list) and all(map(is_scalar, one)) for one in value.values()
    )


def is_objects(value: Any) -> bool:
    """Return whether a value is an object of objects."""
    return isinstance(value, Mapping) and all(map(is_object, value.values()))


def is_id(value: Any) -> bool:
    """Return whether a value is a name without ``/``."""
    return isinstance(value, str) and bool(value.strip()) and "/" not in value


def or_none(check: Check) -> Check:
    """Return a check that ``None`` passes, too."""
    return lambda value: value is None or check(value)
