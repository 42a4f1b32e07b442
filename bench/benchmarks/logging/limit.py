"""Whether a log stays within its limit: file size × number of files."""

from __future__ import annotations

from bench.benchmarks.logging import trial
from bench.core.clock import now_s, sleep_s
from bench.core.errors import InvocationTimeout
from bench.engines.base import LogDriver
from bench.invocation.context import InvocationContext, InvocationResult
from bench.workloads.lines import Load

FILE_BYTES, FILES = 256 * 2**10, 3
TIMES = 8
"""What is written, in multiples of the limit."""
_SIZE = 1024
_LOOK_S = 0.005
_RECORD = 2 * _SIZE
"""What one line may take in a log at most; it may go over the limit by that."""


def measure(context: InvocationContext) -> InvocationResult:
    """Write many times the limit, and look again and again at what is stored."""
    logs = trial.keeper(context)
    driver = LogDriver(logs.driver.name, logs.driver.delivery, FILE_BYTES, FILES)
    logs.provide(driver)
    load = Load(TIMES * FILE_BYTES * FILES // _SIZE, _SIZE)
    with trial.waiting(context, [load], driver) as one, context.account.engine():
        one.writer.go()
        deadline, most, files = now_s() + context.timeout_s, 0, 0
        while not one.writer.ended():
            found = one.stored()
            most, files = (max(most, found.size), max(files, found.files)) if found else (most, files)
            if now_s() > deadline:
                msg = f"the lines were not written within {context.timeout_s:g} s"
                raise InvocationTimeout(msg)
            sleep_s(_LOOK_S)
        one.quiet()
        one.stop()
        found = one.stored()
        kept = found.size if found else 0
        bound = FILE_BYTES * FILES
        values = {
            "logging.kept_ratio": kept / bound,
            "logging.over_limit_bytes": float(max(0, max(most, kept) - bound - _RECORD)),
        }
        return one.result(
            values, (), files=str(max(files, found.files if found else 0)), limit=f"{FILES} files of 256 KiB"
        )
