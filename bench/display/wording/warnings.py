"""The warnings that are shown with the numbers of a summary."""

from __future__ import annotations

from bench.core import summary_warnings as warned
from bench.core.summary_warnings import NoRatioReason, SummaryWarning
from bench.core.units import format_value, significant
from bench.display import prose
from bench.display.wording import checks

_IMPOSSIBLE = "isolation cannot make work faster; check the evidence in outcomes.jsonl, the caches and what really ran"


def text(warning: SummaryWarning) -> str:  # noqa: PLR0911 - one sentence a kind
    """Write a warning."""
    match warning:
        case warned.NoValue():
            return _no_value(warning)
        case warned.SomeFailed():
            return _some_failed(warning)
        case warned.TooFewBlocks():
            few = f"{_blocks_are(warning.n)} too few for an interval at {prose.percent(warning.level)}"
            return f"{few}: use --blocks {warning.needed} or more"
        case warned.TooFewShared():
            shared = f"{_blocks_are(warning.n)} shared with {warning.baseline}"
            return f"{shared}: too few for an interval of the ratio, {warning.needed} are needed"
        case warned.NoVariance():
            value = format_value(warning.value, warning.unit)
            return f"all {warning.n} values are exactly {value}: no real measurement is; look at what the probe reads"
        case warned.NoRatio():
            return f"no ratio to {warning.baseline}: {_no_ratio(warning)}"
        case warned.Emulated():
            return f"{warning.target} is emulated (TCG): not comparable with KVM numbers; for those run on a host where KVM works"
        case warned.FasterThanHost():
            return _faster(warning)
        case warned.PositionMatters():
            return checks.position(warning.metric, warning.shift, warning.p)


def names_its_target(warning: SummaryWarning, target: str) -> bool:
    """Say whether the sentence begins with this target, which then need not stand before it."""
    return isinstance(warning, warned.Emulated) and warning.target == target


def _blocks_are(n: int) -> str:
    return "1 block is" if n == 1 else f"{n} blocks are"


def _no_value(warning: warned.NoValue) -> str:
    if warning.failures == warning.attempts:
        return f"no value: all {warning.attempts} invocations failed; their reasons are in outcomes.jsonl"
    if warning.disturbed:
        others = (
            f"{warning.disturbed} of {warning.attempts} invocations were disturbed by other programs in every attempt"
        )
        return f"no value: {others}; run again when the host is quiet"
    well = warning.attempts - warning.failures
    return f"no value: {well} of {warning.attempts} invocations ended well but gave none"


def _some_failed(warning: warned.SomeFailed) -> str:
    late = f", {warning.timeouts} of them by a time limit" if warning.timeouts else ""
    return (
        f"{warning.failures} of {warning.attempts} invocations failed{late} "
        f"({prose.rate(warning.failures, warning.attempts, warning.ci)}): the numbers are those of the others; "
        "the reasons are in outcomes.jsonl"
    )


def _no_ratio(warning: warned.NoRatio) -> str:
    if warning.reason is NoRatioReason.ACCELERATOR:
        return f"{' against '.join(warning.accelerators)}; choose a baseline with the same accelerator"
    if warning.reason is NoRatioReason.NOT_POSITIVE:
        return "a value is zero or negative; compare the medians instead"
    return "no block has both; run more blocks, or compare RUN@TARGET with RUN@TARGET"


def _faster(warning: warned.FasterThanHost) -> str:
    if warning.ci is None:
        blocks = prose.plural(warning.n, "block")
        return f"{significant(warning.times, 2)} times as fast as {warning.floor} in {blocks}, without an interval: {_IMPOSSIBLE}"
    less, low, high = (prose.percent(1 - 1 / times) for times in (warning.times, warning.ci.low, warning.ci.high))
    return f"{less} faster than {warning.floor} [{low}, {high}] over {warning.n} blocks: {_IMPOSSIBLE}"
