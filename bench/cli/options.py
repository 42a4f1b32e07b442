"""Options that several commands share, and the parsers of their texts."""

from __future__ import annotations

import dataclasses
import functools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.core.errors import UsageError

RESULTS = click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("results"),
    show_default=True,
    help="Results folder.",
)


@dataclass(frozen=True)
class MeasureOptions:
    """Arguments and options that :func:`choices` adds to a command.

    Attributes:
        names: Scenarios and suites, by name or path.
        targets: Targets to measure instead of the file's.
        params: ``KEY=V1,V2`` texts.
        blocks: Measured blocks instead of the file's number.
        warmup: Warm-up blocks instead of the file's number.
        seed: Seed of the plan; ``None`` draws one.
        as_json: Whether to print JSON.
    """

    names: Sequence[str] = ()
    targets: Sequence[str] = ()
    params: Sequence[str] = ()
    blocks: int | None = None
    warmup: int | None = None
    seed: int | None = None
    as_json: bool = False


@dataclass(frozen=True)
class PrecisionOptions:
    """Options that :func:`precision_choices` adds to a command, as texts such as ``5%`` and ``10m``."""

    precision: str | None = None
    budget: str | None = None


def choices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the arguments and options of :class:`MeasureOptions`."""
    for option in reversed(
        (
            click.argument("names", nargs=-1, metavar="SCENARIO|SUITE…"),
            click.option(
                "-t",
                "--target",
                "targets",
                multiple=True,
                metavar="TARGET",
                help="Measure only this target (repeatable).",
            ),
            click.option(
                "-p",
                "--param",
                "params",
                multiple=True,
                metavar="KEY=V1,V2",
                help="Values of a parameter (repeatable).",
            ),
            click.option(
                "--blocks", type=click.IntRange(1, 10_000), help="Number of measured blocks; default: the scenario's."
            ),
            click.option(
                "--warmup", type=click.IntRange(0, 100), help="Number of warm-up blocks; default: the scenario's."
            ),
            click.option(
                "--seed", type=click.IntRange(min=0), help="Seed of the order; default: random, recorded in the run."
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        )
    ):
        function = option(function)
    return function


def precision_choices(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of :class:`PrecisionOptions`."""
    precision = click.option(
        "--precision",
        metavar="5%",
        help="Instead of --blocks: stop as soon as every interval is at most ± this wide (8 to 40 blocks).",
    )
    budget = click.option(
        "--budget", metavar="10m", help="With --precision: time limit for all scenarios together (90s, 10m, 2h)."
    )
    return precision(budget(function))


def collected(**records: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that passes click's arguments on as dataclasses.

    ``records`` maps each parameter of the function to a dataclass, which takes the arguments named like its fields. The
    decorator must be the innermost one, below the options.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(**given: Any) -> Any:
            made = {
                name: record(**{field.name: given.pop(field.name) for field in dataclasses.fields(record)})
                for name, record in records.items()
            }
            return function(**made, **given)

        return call

    return decorate


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """Parse the KEY=VALUE texts of an option.

    Raises:
        UsageError: A text is not KEY=VALUE.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key or not value:
            msg = f"'{option} {text}' is not KEY=VALUE"
            raise UsageError(msg)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            msg = f"'{option} {text!a}' is not UTF-8 text: write it in UTF-8"
            raise UsageError(msg)
        found[key] = value
    return found


def seed_of(given: int | None) -> int:
    """Return the given seed, or a random one for ``None``."""
    return secrets.randbelow(2**31) if given is None else given


def fraction(text: str) -> float:
    """Parse ``5%`` or ``0.05`` into a fraction.

    Raises:
        UsageError: The text is neither, or the fraction is not between 0 and 1.
    """
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        msg = f"'{text}' is not a fraction: write 5% or 0.05, above 0 and below 100 %"
        raise UsageError(msg)
    return value
