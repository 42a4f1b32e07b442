"""The checks of a run in words: a title, and one sentence that answers the question."""

from __future__ import annotations

from bench.core.model import NULL
from bench.core.units import format_value, significant
from bench.display import prose
from bench.display.wording import agreement, excess
from bench.stats import findings
from bench.stats.findings import Answer, Check, CheckName, ExcessFound

TITLES = {
    CheckName.NULL: "A/A control",
    CheckName.SENTINEL: "Drift of the host",
    CheckName.POSITION: "Position in the block",
    CheckName.FLAGS: "Flagged samples",
    CheckName.FAILURES: "Failures",
    CheckName.DISTURBED: "Disturbed readings",
    CheckName.GUEST: "Guest against host",
    CheckName.FASTER: "Container against host",
    CheckName.VARIANCE: "Values vary",
    CheckName.MODE: "What ran",
    CheckName.SCALING: "Several at once",
    CheckName.AGREEMENT: "Two figures of one quantity",
}
"""Check → its title in a report."""

PREFIXES = {
    CheckName.NULL: "A/A",
    CheckName.SENTINEL: "Sentinel",
    CheckName.POSITION: "Position",
    CheckName.FLAGS: "Flags",
    CheckName.FAILURES: "Failures",
    CheckName.DISTURBED: "Disturbed",
    CheckName.GUEST: "Guest against host",
    CheckName.FASTER: "Container against host",
    CheckName.VARIANCE: "Variance",
    CheckName.MODE: "Mode",
    CheckName.SCALING: "Scaling",
    CheckName.AGREEMENT: "Agreement",
}
"""Check → what its sentence begins with where no title stands beside it."""

_WHY_SAME = (
    "no real measurement is that steady: look at what the probe reads, and whether it reads it again in each block"
)
_WHY_MODE = (
    "nothing of these invocations is counted; look up the option in the engine's version, or leave the target out"
)
_FLAGS = {
    "settle": "memory did not settle",
    "elsewhere": "processes outside the run took memory",
    "remainder": "memory was taken that no part explains",
    "clipped": "the ramp ended early for lack of memory",
    "guest": "the guest's memory could not be told from the VMM's",
    "residue": "something was left behind",
    "held": "the kernel still held removed control groups",
    "limit": "a limit could not be seen at work",
    "drain": "removed network namespaces could not be waited for",
    "sysbench": "sysbench was missing",
}
"""Kind of flag → what happened."""
_SOURCES = {
    "processes": "memory of processes outside the run",
    "shared": "shared memory and tmpfs files outside the run",
    "harness": "Tare's own memory",
}


def sentence(check: Check) -> str:
    """Write the answer with what the check is about in front."""
    return f"{PREFIXES[check.name]}: {_answer(check)}."


def answer(check: Check) -> str:
    """Write the answer as a sentence of its own, for where a title stands beside it."""
    text = _answer(check)
    return f"{text[:1].upper()}{text[1:]}."


def position(metric: str, shift: float, p: float) -> str:
    """Say that the place within a block matters: which metric, how much, how surely, and what to do."""
    return (
        f"{metric} is {prose.percent(abs(shift))} {'higher' if shift > 0 else 'lower'} in the last place of a "
        f"block than in the first ({prose.chance(p)}): what ran before leaves something behind; "
        "lengthen the barriers, or trust only differences that are larger"
    )


def needed_blocks(check: Check) -> int:
    """Return the number of blocks that would decide a check that is not decided; 0 for any other."""
    found = check.found
    if check.answer is not Answer.UNDECIDED or not isinstance(
        found, findings.NullFound | findings.SentinelFound | ExcessFound | findings.AgreementFound
    ):
        return 0
    return found.needed


def _answer(check: Check) -> str:  # noqa: PLR0911 - one sentence a kind
    match check.found:
        case findings.NullFound():
            return _null(check.found)
        case findings.SentinelFound():
            return _sentinel(check.found, check.answer)
        case findings.PositionFound():
            return _position(check.found)
        case findings.FlagsFound():
            return _flags(check.found, check.answer)
        case findings.FailuresFound():
            return _failures(check.found)
        case findings.DisturbedFound():
            return _disturbed(check.found)
        case _:
            return _alarm(check)


def _alarm(check: Check) -> str:
    match check.found:
        case findings.ExcessFound():
            return excess.sentence(check.found, check.name)
        case findings.VarianceFound():
            return _variance(check.found)
        case findings.AgreementFound():
            return agreement.sentence(check.found)
        case findings.ModeFound():
            return _mode(check.found)
        case _:
            return ""


def _null(found: findings.NullFound) -> str:
    baseline, certain = found.baseline or "the baseline", f"{100 * found.level:.3g} %"
    if apart := [_null_pair(pair) for pair in found.pairs if pair.apart]:
        return (
            f"the same target under two names differs: {NULL} / {baseline} is {'; '.join(apart)} at {certain} "
            "confidence; do not believe differences of this size, quieten the host and run again"
        )
    if differing := [_null_pair(pair) for pair in found.pairs if pair.differs]:
        return (
            f"not decided: {NULL} / {baseline} is {'; '.join(differing)} at {certain} confidence, which one of the run's "
            f"{found.family} controls may be by chance; more blocks would tell"
        )
    if found.pairs:
        counted = f"{found.blocks} blocks, {found.series} series at {certain}"
        return f"{baseline} and its repetition agree: {_null_pair(found.pairs[0])}, {counted}"
    return f"not decided: {prose.blocks_have(found.blocks)} both {NULL} and {baseline}, {found.needed} are needed"


def _null_pair(pair: findings.NullPair) -> str:
    ratio, low, high = (significant(value, 4) for value in (pair.ratio, pair.ci.low, pair.ci.high))
    return f"{prose.series(pair.metric, pair.params)} {ratio} [{low}, {high}]"


def _sentinel(found: findings.SentinelFound, answer: Answer) -> str:
    if found.ci is None:
        return f"not decided: {prose.blocks_have(found.blocks)} it, {found.needed} are needed"
    advice = "; the host drifted, compare within blocks only and run again on a quieter host"
    return (
        f"the fixed host workload took {prose.percent(abs(found.drift))} {'more' if found.drift > 0 else 'less'} time at the end "
        f"of the run than at its start [{prose.percent(found.ci.low)}, {prose.percent(found.ci.high)}] over {found.blocks} blocks"
        f"{advice if answer is Answer.DOUBT else ''}"
    )


def _position(found: findings.PositionFound) -> str:
    if doubtful := [effect for effect in found.effects if effect.doubtful]:
        return "; ".join(position(effect.metric, effect.shift, effect.p) for effect in doubtful)
    strongest = min(found.effects, key=lambda effect: effect.p)
    return (
        f"the place within a block makes no difference that counts (strongest: {strongest.metric}, "
        f"{prose.percent(strongest.shift)} from the first to the last, {prose.chance(strongest.p)})"
    )


def _flags(found: findings.FlagsFound, answer: Answer) -> str:
    if not found.flagged:
        return f"none of {found.attempts} invocations is flagged"
    advice = "; find out what else uses the host ('tare doctor') before believing small differences"
    of = f"of {found.attempts} invocations"
    told = "; ".join(f"{_FLAGS.get(kind, f'“{kind}” was noted')} in {count} {of}" for kind, count in found.kinds)
    return told + (advice if answer is Answer.DOUBT else "")


def _failures(found: findings.FailuresFound) -> str:
    if not found.failed:
        return f"none of {found.attempts} invocations failed"
    listed = ", ".join(f"{target} {count}" for target, count in found.targets)
    reason = found.reason.rstrip(".")
    first = f"; the first reason: {reason}" if reason else ""
    return f"{found.failed} of {found.attempts} invocations failed ({listed}){first}; all reasons are in outcomes.jsonl"


def _disturbed(found: findings.DisturbedFound) -> str:
    what = (
        f"{_SOURCES.get(found.source, found.source)} changed by {format_value(found.moved_bytes, 'bytes')} while the instances "
        f"took {format_value(found.own_bytes, 'bytes')}"
    )
    times = prose.plural(found.attempts, "attempt")
    if not found.lost:
        return f"{times} did not count and {'was' if found.attempts == 1 else 'were'} repeated; at worst {what}"
    count, who = (
        sum(number for _, number in found.lost),
        ", ".join(f"{target} {number}" for target, number in found.lost),
    )
    return (
        f"not decided: {count} of {found.invocations} invocations have no value ({who}), because each attempt was disturbed; "
        f"at worst {what}; run again when the host is quiet, or with more instances"
    )


def _variance(found: findings.VarianceFound) -> str:
    if not found.stuck:
        return f"each of {found.noisy} noisy series varies"
    texts = [
        f"{excess.label(one.series)} is exactly {format_value(one.value, one.unit)} in all {one.n} blocks"
        for one in found.stuck
    ]
    return f"{excess.some(texts)}; {_WHY_SAME}"


def _mode(found: findings.ModeFound) -> str:
    if not found.mismatches:
        return f"what was asked for is what ran in each of {found.proved} invocations that were read back"
    return f"{excess.some([_mismatch(one) for one in found.mismatches])}; {_WHY_MODE}"


def _mismatch(one: findings.Mismatch) -> str:
    rate = f"{one.count} of {one.attempts} invocations ({prose.rate(one.count, one.attempts, one.ci)})"
    has = f"has {one.option}={one.found}" if one.found else f"does not show {one.option}"
    took = f"asked for {one.option}={one.asked}, but the live instance {has}"
    return f"{one.target}, {rate}: {took}"
