"""Formatting of numbers, and the units of metrics."""

from __future__ import annotations

import pytest

from bench.core.errors import UsageError
from bench.core.metrics import METRICS, metric_named
from bench.core.units import format_value, significant


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.01234, "s", "12.3 ms"), (1.0, "s", "1.00 s"), (0.00052, "s", "520 µs"), (125.0, "s", "125 s"), (3e-9, "s", "3.00 ns"),
        (0, "s", "0 ns"), (-0.002, "s", "-2.00 ms"), (4 * 2**20, "bytes", "4.00 MiB"), (1500, "bytes", "1.46 KiB"), (12, "bytes", "12.0 B"),
        (2**30, "bytes/s", "1.00 GiB/s"), (1234.5, "1/s", "1230 1/s"), (1.0049, "ratio", "1.00"), (7, "count", "7.00"), (None, "s", "–"),
        (0.52, "s/GB", "520 ms/GB"), (1.4, "s/GB", "1.40 s/GB"),
    ],
)  # fmt: skip
def test_value_is_formatted_with_three_digits_and_a_prefix(value: float | None, unit: str, shown: str) -> None:
    assert format_value(value, unit) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(5e-5, "0.0000500"), (123456, "123000"), (0.9996, "1.000"), (99.95, "100.0"), (2e-12, "2.00e-12")],
)
def test_small_number_is_not_rounded_to_zero(value: float, shown: str) -> None:
    assert significant(value) in (shown, shown.rstrip("0"), shown[:-1])


def test_unknown_metric_is_a_usage_error_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'startup.ready_s'"):
        metric_named("startup.ready")


def test_every_metric_name_ends_in_its_unit() -> None:
    suffix = {"s": "_s", "bytes": "_bytes", "bytes/s": "_bytes_per_s", "1/s": "_per_s", "s/GB": "_s_per_gb"}
    whole = [name for name in METRICS if not name.endswith(".iops")]  # a unit by itself
    assert all(name.replace(".", "_").endswith(suffix.get(METRICS[name].unit, "")) for name in whole)


@pytest.mark.parametrize(
    ("value", "text"), [(-7.1e-18, "0 ns"), (4e-13, "0 ns"), (2e-12, "0.00200 ns"), (-2e-9, "-2.00 ns")]
)
def test_floating_point_residue_is_shown_as_zero(value: float, text: str) -> None:
    assert format_value(value, "s") == text
