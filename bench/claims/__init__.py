"""Claims: statements about isolation that a run supports or contradicts (docs/claims.md).

``scenarios/claims.yaml`` has the statements, each with the arms that are compared and the value at which its verdict flips.
:func:`judge` decides them by one run; a claim never passes by default.
"""

from bench.claims.judging import family_size, judge
from bench.claims.loading import load, shipped_file
from bench.claims.model import Claim, Decision, Found, Kind, Reason, Source, Verdict

__all__ = [
    "Claim",
    "Decision",
    "Found",
    "Kind",
    "Reason",
    "Source",
    "Verdict",
    "family_size",
    "judge",
    "load",
    "shipped_file",
]
