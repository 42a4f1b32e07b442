"""The command that measures a claim."""

from __future__ import annotations

import shlex

from bench import benchmarks, scenario
from bench.claims.model import Claim
from bench.core.metrics import METRICS
from bench.core.model import Scenario
from bench.stats.exact import needed_for


def of(claim: Claim) -> str:
    """Return the ``tare run`` command that measures all arms of a claim, and little else."""
    measured_by = scenario.load(scenario.find(claim.scenario, "scenario"))[0]
    words = ["tare", "run", claim.scenario]
    for target in dict.fromkeys(arm.target for arm in (claim.of, *claim.than)):
        words += ["-t", target]
    for name, values in _params(claim, measured_by).items():
        words += ["-p", f"{name}={','.join(dict.fromkeys(values))}"]
    if _is_tested(claim) and measured_by.blocks < needed_for():
        words += ["--blocks", str(needed_for())]
    return shlex.join(words)


def _params(claim: Claim, measured_by: Scenario) -> dict[str, list[str]]:
    """Return the benchmark's parameters among those of the arms; others name a number of an invocation, not an invocation."""
    known = benchmarks.get(measured_by.procedure).params
    found: dict[str, list[str]] = {}
    for arm in (claim.of, *claim.than):
        for name, value in arm.params.items():
            if name in known:
                found.setdefault(name, []).append(str(value))
    return found


def _is_tested(claim: Claim) -> bool:
    """Return whether deciding a claim needs an interval."""
    return bool(claim.metric) and not METRICS[claim.metric].exact and claim.kind != "fact"
