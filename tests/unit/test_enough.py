"""The rule that ends a run: on precision, on time, at the cap; never within a block."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli, scenario
from bench.core.errors import UsageError
from bench.core.model import Scenario
from bench.run import stopping
from bench.scenario import plan
from bench.stats.samples import of_frames
from tests.synthetic_pairs import write

RNG = np.random.default_rng(3)


def noisy(median: float, sd: float, n: int = 40) -> list[float]:
    return [float(median * np.exp(sd * z)) for z in RNG.normal(size=n)]


def scenarios(**changes: Any) -> dict[str, Scenario]:
    (found,) = scenario.load(scenario.find("startup"))
    given = {"targets": found.targets[:2], "blocks": stopping.MOST, "warmup_blocks": 1, "null_target": False, **changes}
    return {"startup": Scenario(**{**found.__dict__, **given})}


def walk(rule: stopping.StoppingRule) -> int:
    """Offer the whole plan and return how many invocations were wanted."""
    return sum(rule.wants(one) for one in plan.build(list(rule.scenarios.values()), 1))


def test_quiet_scenario_stops_at_the_first_look(tmp_path: Path) -> None:
    write(tmp_path, "r", {"host": noisy(0.1, 0.005), "sandbox": noisy(0.2, 0.005)})
    rule = stopping.StoppingRule(0.05, None, tmp_path / "r", scenarios())
    assert walk(rule) == (1 + stopping.FIRST) * 3  # two targets and the sentinel
    assert rule.finish()["startup"] | {"half_width": 0} == {"blocks": 8, "reason": "precision", "half_width": 0}


def test_noisy_scenario_goes_on_to_the_cap(tmp_path: Path) -> None:
    write(tmp_path, "r", {"host": noisy(0.1, 0.6), "sandbox": noisy(0.2, 0.6)})
    rule = stopping.StoppingRule(0.01, None, tmp_path / "r", scenarios())
    assert walk(rule) == (1 + stopping.MOST) * 3
    assert rule.finish()["startup"] == {"blocks": 40, "reason": "cap"}


def test_budget_stops_before_a_block_that_would_exceed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(stopping, "now_s", lambda: float(next(ticks)))
    write(tmp_path, "r", {"host": noisy(0.1, 0.6), "sandbox": noisy(0.2, 0.6)})
    rule = stopping.StoppingRule(0.01, 5.0, tmp_path / "r", scenarios())
    walk(rule)
    stopped = rule.finish()["startup"]
    assert stopped["reason"] == "budget"
    assert int(stopped["blocks"]) < stopping.FIRST


@pytest.mark.parametrize("failing", [{"host", "sandbox"}, {"host"}])
def test_scenario_whose_invocations_failed_does_not_stop_on_precision(tmp_path: Path, failing: set[str]) -> None:
    values = {name: [None] * 40 if name in failing else noisy(0.1, 0.9) for name in ("host", "sandbox")}
    write(tmp_path, "r", values)
    rule = stopping.StoppingRule(0.05, None, tmp_path / "r", scenarios())
    assert walk(rule) == (1 + stopping.MOST) * 3
    assert rule.finish()["startup"] == {"blocks": 40, "reason": "cap"}


def test_metric_without_noise_stops_at_the_first_look(tmp_path: Path) -> None:
    write(tmp_path, "r", {"host": [1000.0] * 40, "sandbox": [1001.0] * 40}, metric="image.bytes")
    rule = stopping.StoppingRule(0.05, None, tmp_path / "r", scenarios(primary=("image.bytes",)))
    walk(rule)
    assert rule.finish()["startup"] == {"blocks": 8, "reason": "precision", "half_width": 0.0}


def test_series_without_interval_is_not_precise(tmp_path: Path) -> None:
    assert stopping.widest([], "host", ["startup.ready_s"]) == math.inf
    from bench import store  # noqa: PLC0415 - what reads the run
    from bench.stats.summaries import summarise  # noqa: PLC0415 - what reads the run

    write(tmp_path, "r", {"host": noisy(0.1, 0.01, 3)})
    run = store.load(tmp_path / "r")
    found = summarise(of_frames(store.measurements(run), store.outcomes(run), run.meta["scenarios"]))
    assert stopping.widest(found, "host", ["startup.ready_s"]) == math.inf


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert stopping.duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "0s", "ten m"])
def test_text_that_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        stopping.duration(text)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "1m"], "--budget needs --precision"),
        (["--precision", "5%", "--blocks", "3"], "leave out --blocks"),
        (["--precision", "5"], "not a fraction"),
    ],
)
def test_wrong_options_of_the_stopping_rule_are_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["run", "startup", *options]) == 2
    assert said in capsys.readouterr().err


def test_run_records_why_it_stopped(tmp_path: Path, built_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARE_STATE", str(built_state))
    arguments = ["run", "startup", "-t", "host", "--precision", "90%", "--warmup", "0", "--results", str(tmp_path)]
    done = CliRunner().invoke(cli.tare, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    (folder,) = tmp_path.iterdir()
    meta = json.loads((folder / "run.json").read_text())
    assert meta["rule"] == {"precision": 0.9, "budget_s": None}
    assert meta["scenarios"]["startup"]["stopped"]["reason"] == "precision"
    assert int(meta["scenarios"]["startup"]["stopped"]["blocks"]) % stopping.STEP == 0
