"""Tests of the statistics over hosts and nights: slopes, hosts that are apart, regressions of the newest night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from bench.core.metrics import METRICS
from bench.stats import panel

RULES = pd.DataFrame(
    [
        {"metric": one.name, "better": one.better, "floor": one.floor, "min_effect": one.min_effect}
        for one in METRICS.values()
    ]
)
Values = Sequence[float] | npt.NDArray[np.float64]
HIGHER = next(one.name for one in METRICS.values() if one.better == "higher")


def frame(values: Mapping[str, Values], metric: str = "startup.ready_s", epoch: str = "e") -> pd.DataFrame:
    """Return one series with the nights of each host."""
    began = pd.Timestamp("2026-03-01")
    return pd.DataFrame(
        {
            "host": host,
            "epoch": epoch,
            "suite": "quick",
            "run_id": f"{host}-{epoch}-{night}",
            "scenario": "startup",
            "target": "runc",
            "params": "{}",
            "metric": metric,
            "median": value,
            "started_at": began + pd.Timedelta(days=night),
        }
        for host, nights in values.items()
        for night, value in enumerate(nights)
    )


def noise(size: int, seed: int = 1) -> npt.NDArray[np.float64]:
    return np.exp(np.random.default_rng(seed).normal(0, 0.01, size))


def test_slope_of_one_host_is_that_of_least_squares() -> None:
    values = 0.1 * np.exp(0.003 * np.arange(20)) * noise(20)
    (found,) = panel.slopes(frame({"a": values})).to_dict("records")
    (slope, _), covariance = np.polyfit(np.arange(20), np.log(values), 1, cov=True)
    assert found["slope"] == pytest.approx(slope)
    assert found["se"] == pytest.approx(np.sqrt(covariance[0, 0]))
    assert (found["n"], found["hosts"]) == (20, 1)


def test_hosts_of_different_speed_make_no_slope() -> None:
    flat = frame({"a": 0.1 * noise(20, 1), "b": 0.2 * noise(20, 2)})
    flat.loc[flat["host"] == "b", "started_at"] += pd.Timedelta(days=30)
    (found,) = panel.slopes(flat).to_dict("records")
    assert abs(found["slope"]) < 4 * found["se"]
    assert found["slope"] < 0.002, "between hosts the change is a hundred times as large"


@pytest.mark.parametrize(
    "values", [{"a": [0.1]}, {"a": [0.1], "b": [0.2]}, {"a": [0.1, 0.2]}, {"a": [0.0, -1.0, np.nan]}]
)
def test_too_few_values_have_no_slope(values: Mapping[str, Values]) -> None:
    assert panel.slopes(frame(values)).empty


def test_slow_host_is_apart() -> None:
    nights = {f"h{n}": 0.1 * noise(9, n) for n in range(8)}
    (found,) = panel.apart(frame({**nights, "slow": 0.13 * noise(9, 99)}), RULES).to_dict("records")
    assert found["host"] == "slow"
    assert found["ratio"] == pytest.approx(1.3, rel=0.02)
    assert found["z"] > panel.APART


def test_host_apart_by_less_than_the_smallest_effect_is_not_named() -> None:
    nights = {f"h{n}": 0.1 * np.exp(1e-5 * n * np.ones(3)) for n in range(8)}
    assert panel.apart(frame({**nights, "odd": [0.101] * 3}), RULES).empty


def test_four_hosts_are_too_few_to_be_apart() -> None:
    nights = {f"h{n}": 0.1 * noise(9, n) for n in range(3)}
    assert panel.apart(frame({**nights, "slow": 0.2 * noise(9, 9)}), RULES).empty


def test_host_that_differs_from_identical_ones_is_apart_without_a_score() -> None:
    found = panel.apart(frame({**{f"h{n}": [4.0, 4.0] for n in range(6)}, "odd": [5.0, 5.0]}), RULES)
    assert found["host"].tolist() == ["odd"]
    assert found["z"].isna().all()


@pytest.mark.parametrize(
    ("metric", "factor", "worse"),
    [("startup.ready_s", 1.3, 1), ("startup.ready_s", 0.7, 0), (HIGHER, 0.7, 1), (HIGHER, 1.3, 0)],
)
def test_newest_night_regresses_only_in_the_worse_direction(metric: str, factor: float, worse: int) -> None:
    scale = 1e6 if metric == HIGHER else 0.1
    values = scale * noise(12) * np.r_[np.ones(11), factor]
    assert len(panel.regressed_tonight(frame({"a": values}, metric), RULES)) == worse


def test_noisy_series_does_not_regress_within_its_prediction_interval() -> None:
    values = 0.1 * np.exp(np.random.default_rng(3).normal(0, 0.2, 12))
    values[-1] = 0.1 * np.exp(0.3)
    assert panel.regressed_tonight(frame({"a": values}), RULES).empty


def test_base_of_two_nights_is_too_small() -> None:
    assert panel.regressed_tonight(frame({"a": [0.1, 0.1, 0.1, 0.1, 0.1, 0.3]}), RULES).empty
    assert len(panel.regressed_tonight(frame({"a": [0.1] * 6 + [0.3]}), RULES)) == 1


def test_regression_of_an_earlier_night_is_not_tonights() -> None:
    assert panel.regressed_tonight(frame({"a": [0.1] * 10 + [0.3, 0.1]}), RULES).empty


def test_series_missing_from_the_newest_night_does_not_regress() -> None:
    old = frame({"a": [0.1] * 10 + [0.3]})
    newest = frame({"a": [0.1] * 12}).iloc[[-1]].assign(target="crun")
    assert panel.regressed_tonight(pd.concat([old, newest]), RULES).empty


def test_epochs_of_one_host_are_apart() -> None:
    both = pd.concat([frame({"a": [0.1] * 10}), frame({"a": [0.3] * 10}, epoch="f")])
    assert panel.regressed_tonight(both, RULES).empty
    (found,) = panel.slopes(both).to_dict("records")
    assert (found["hosts"], found["slope"]) == (2, 0)
