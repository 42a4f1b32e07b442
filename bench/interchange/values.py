"""One number that another tool measured, and the checks that every reader of such numbers shares."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.core.model import Status
from bench.store import values as shapes

TARE = "tare"
"""Key of Tare's own facts in a file of another tool's format; other tools ignore it."""


@dataclass(frozen=True)
class Value:
    """One number of another tool, or one failed attempt to get it.

    Attributes:
        block: Values that were measured together share a block.
        status: ``OK``, or how the attempt ended; without ``OK``, ``value`` counts for nothing.
        reason: Why the attempt failed, else empty.
        order: Position within the block.
        invocation: Number of the invocation in the run that was exported; ``None`` in other files.
        iteration: Repetition within that invocation; ``None`` in other files.
        at_s: Time of the request since that run's start, seconds.
        control: Whether ``target`` names a control of Tare; otherwise it is a user's name, whatever it is.
        baseline: Baseline of the scenario in the run that was exported; empty in other files.
    """

    scenario: str
    target: str
    engine: str
    params: Mapping[str, Any]
    metric: str
    value: float
    block: int
    warmup: bool = False
    status: Status = Status.OK
    reason: str = ""
    order: int = 0
    invocation: int | None = None
    iteration: int | None = None
    at_s: float = 0.0
    control: bool = False
    baseline: str = ""


def number(value: Any, where: str) -> float:
    """Read a number, also from text as in CSV files.

    Raises:
        ValueError: It is not a finite number of a possible size; the message begins with ``where``.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str) or "_" in str(value):
        msg = f"{where}: {_shown(value)} is not a number"
        raise ValueError(msg)
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        msg = f"{where}: {error}"
        raise ValueError(msg) from error
    if not shapes.is_quantity(found) or not math.isfinite(found):
        msg = f"{where}: {value} is out of range: allowed are 0 and numbers from 1e-100 to 1e100"
        raise ValueError(msg)
    return found


def whole(value: Any, where: str, name: str) -> int:
    """Read a whole number from 0 on, also from text; spreadsheets and data frames write ``1.0`` for 1.

    Raises:
        ValueError: It is something else.
    """
    text = str(value).strip()
    text = text.removesuffix(".0") if not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal()) or len(text) > 20 or not shapes.is_integer(int(text)):
        msg = f"{where}: {name} {_shown(value)} is not a whole number from 0 on"
        raise ValueError(msg)
    return int(text)


def params_of(params: Any, where: str) -> Mapping[str, Any]:
    """Check parameters and return a copy; ``None`` stands for none.

    Raises:
        ValueError: They are not an object of texts and numbers.
    """
    if not shapes.is_scalars(params):
        msg = f"{where}: params are {json.dumps(params)}, allowed is an object of texts and numbers"
        raise ValueError(msg)
    return dict(params or {})


def _shown(value: Any) -> str:
    text = str(value)
    return f"'{text}'" if len(text) <= 40 else f"'{text[:40]}…'"
