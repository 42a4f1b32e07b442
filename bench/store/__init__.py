"""The results folder: append-only lines, complete invocations, read back as DataFrames.

A run is a folder (docs/results-format.md). Lines are appended and synced to disk one invocation at a time: first its
measurements, then its outcome. The outcome line is the commit record: measurements without one belong to an
invocation that was cut off, and readers leave them out.
"""

from bench.store.folder import (
    MEASUREMENT_COLUMNS,
    MEASUREMENTS,
    OUTCOME_COLUMNS,
    OUTCOMES,
    PLAN,
    RAW,
    Run,
    not_a_control,
)
from bench.store.lines import content
from bench.store.reader import measurements, outcomes
from bench.store.runs import find, folders, is_run, load, plan, require_lines, skipped
from bench.store.whole import WholeRun
from bench.store.writer import RunWriter

__all__ = [
    "MEASUREMENTS",
    "MEASUREMENT_COLUMNS",
    "OUTCOMES",
    "OUTCOME_COLUMNS",
    "PLAN",
    "RAW",
    "Run",
    "RunWriter",
    "WholeRun",
    "content",
    "find",
    "folders",
    "is_run",
    "load",
    "measurements",
    "not_a_control",
    "outcomes",
    "plan",
    "require_lines",
    "skipped",
]
