"""The command that measures a claim."""

from __future__ import annotations

import shlex

from bench import benchmarks
from bench.claims.model import Claim
from bench.core.errors import UsageError
from bench.core.metrics import METRICS
from bench.core.model import ParamValue
from bench.stats.exact import needed_for


def of(claim: Claim, blocks: int = 0) -> str:
    """Return the ``tare run`` command that measures all arms of a claim, and little else, in at least ``blocks`` blocks."""
    words = ["tare", "run", claim.scenario]
    for target in dict.fromkeys(arm.target for arm in (claim.of, *claim.than)):
        words += ["-t", target]
    for name, values in _params(claim).items():
        words += ["-p", f"{name}={','.join(dict.fromkeys(values))}"]
    least = max(blocks, needed_for() if _is_tested(claim) else 1)
    if claim.blocks < least:
        words += ["--blocks", str(least)]
    return shlex.join(words)


def _params(claim: Claim) -> dict[str, list[str]]:
    """Return the benchmark's parameters among those of the arms; others name a number of an invocation, not an invocation.

    A benchmark may give a number of its invocations the name of a parameter (``streams`` of ``network-modes``): what it does not
    take as a parameter is such a number.
    """
    found: dict[str, list[str]] = {}
    for arm in (claim.of, *claim.than):
        for name, value in arm.params.items():
            if _is_taken(claim.benchmark, name, value):
                found.setdefault(name, []).append(str(value))
    return found


def _is_taken(benchmark: str, name: str, value: ParamValue) -> bool:
    try:
        benchmarks.check_params(benchmark, {name: [value]})
    except UsageError:
        return False
    return True


def _is_tested(claim: Claim) -> bool:
    """Return whether deciding a claim needs an interval."""
    return bool(claim.metric) and not METRICS[claim.metric].exact and claim.kind != "fact"
