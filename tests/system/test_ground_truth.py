"""System test: the reported first instruction against the kernel's record of the payload's exec."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench import store
from tests.system.conftest import Tare
from tests.system.tracing import program_starts

TARGETS = ("host", "runc", "containerd", "docker:network=none")
LIMIT_S = 1e-3
QUANTILE = {"docker:network=none": 0.5}
"""Quantile by target, 0.95 for the others: dockerd is still busy when the container's program starts."""
ATTEMPTS = 5  # a shared host sometimes stalls for seconds; a wrong stamp is wrong in every attempt


def gaps(folder: Path, execs: list[float]) -> pd.DataFrame:
    """Return per measured invocation the reported first instruction minus the preceding exec of the payload (s)."""
    run = store.load(store.find(folder, "latest"))
    numbers = store.measurements(run)
    first = numbers[numbers["metric"] == "startup.first_instruction_s"].set_index("invocation")
    done = store.outcomes(run)
    requests = dict(zip(done["invocation"], done["request_mono_s"], strict=True))
    rows = []
    for number, row in first[~first["warmup"]].iterrows():
        request = float(requests[number])
        reported = request + float(row["value"])
        inside = [at for at in execs if request <= at <= reported]
        assert len(inside) == 1, f"{row['target']}: {len(inside)} starts of the payload between request and report"
        rows.append({"target": row["target"], "gap_s": reported - inside[0]})
    return pd.DataFrame(rows)


@pytest.mark.root
@pytest.mark.engines
@pytest.mark.system
def test_first_instruction_is_within_a_millisecond_of_the_exec(
    tare: Tare, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best: dict[str, float] = {}
    left: tuple[str, ...] = TARGETS
    for _ in range(ATTEMPTS):
        again = dict.fromkeys(("host", *left))  # always with the host, which the null target repeats
        targets = [word for target in again for word in ("-t", target)]
        with program_starts() as trace:
            done = tare("run", "startup", *targets, "--blocks", "20")
            assert done.returncode == 0, done.stderr
            found = gaps(tmp_path / "results", trace.execs("/tare-payload"))
        late = {str(name): rows["gap_s"] for name, rows in found.groupby("target")}
        with capsys.disabled():
            shown = ", ".join(
                f"{name} {1e6 * gaps.median():.0f} and {1e6 * gaps.quantile(0.95):.0f} µs"
                for name, gaps in late.items()
            )
            print(f"\nexec → reported first instruction, median and 95th percentile: {shown}")
        assert found["gap_s"].min() >= 0, "a stamp before the exec: the clocks differ"
        assert set(left) <= set(late)
        for name, rows in late.items():
            best[name] = min(best.get(name, 1.0), float(rows.quantile(QUANTILE.get(name, 0.95))))
        if max(best.values()) <= LIMIT_S:
            return
        left = tuple(name for name in TARGETS if best[name] > LIMIT_S)
    pytest.fail(f"the reported first instruction is late by more than {LIMIT_S} s in every attempt: {best}")
