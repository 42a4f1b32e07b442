"""Rows grouped by what their engines make: processes, containers and virtual machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from bench.display import theme
from bench.display.data import Variant

Item = TypeVar("Item")

_GROUPS = ("Processes", "Containers", "Virtual machines")
_GROUP_OF = {"host": 0, "sandbox": 0, "other": 0, "vm": 2}
"""Family → index in ``_GROUPS``; all others are containers."""


def grouped(items: Sequence[Item], variant: Callable[[Item], Variant]) -> list[tuple[str, list[Item]]]:
    """Group rows into processes, containers and virtual machines, whose values are too far apart for one axis."""
    groups = [
        (
            title,
            [
                item
                for item in items
                if _GROUP_OF.get(theme.family(variant(item).engine, variant(item).kind), 1) == number
            ],
        )
        for number, title in enumerate(_GROUPS)
    ]
    return [(title, found) for title, found in groups if found]
