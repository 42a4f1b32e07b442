"""The size of a change in multiples of what counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.compare.sizes import over_threshold
from bench.compare.verdicts import Comparison, Reason, Verdict
from bench.core.metrics import METRICS


def made(metric: str, base: float | None, new: float | None) -> Comparison:
    ratio = new / base if base and new and base > 0 and new > 0 else None
    return Comparison(
        *("startup", "runc", {}, metric, "s", 20, base, new, ratio, None),
        *(Verdict.REGRESSED, None, None, Reason.CLEAR_CHANGE),
    )


def test_change_of_the_threshold_is_one_whichever_way() -> None:
    least = METRICS["startup.ready_s"].min_effect
    for new in (1 + least, 1 / (1 + least)):
        assert over_threshold(made("startup.ready_s", 1.0, new)) == pytest.approx(1.0)
    assert over_threshold(made("startup.ready_s", 1.0, 1.44), threshold=0.2) == pytest.approx(2.0)


def test_any_change_of_a_number_without_noise_counts() -> None:
    exact = next(name for name, metric in METRICS.items() if metric.exact)
    assert over_threshold(made(exact, 1e6, 1e6 + 1)) == 1.0
    assert (over_threshold(made(exact, 4.0, 8.0)) or 0.0) > 1.0
    assert over_threshold(made(exact, 4.0, 4.0)) == 0.0


def test_ratio_to_what_was_asked_for_counts_by_its_distance_from_one() -> None:
    assert over_threshold(made("limit.achieved_ratio", 0.8, 1.25)) == pytest.approx(0.0, abs=1e-9)


def test_values_without_logarithm_count_in_floors() -> None:
    name = "memory.unexplained_bytes"
    assert over_threshold(made(name, -1.0, 2 * METRICS[name].floor - 1.0)) == pytest.approx(2.0)


def test_failure_rates_and_missing_values_have_no_size() -> None:
    assert over_threshold(made("failures", 0.0, 0.5)) is None
    assert over_threshold(replace(made("startup.ready_s", 1.0, 1.0), new=None)) is None
