"""CPU time of cold processes: a command in a new interpreter, with everything that it imports and reads."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def cpu_s(arguments: Sequence[str], codes: Sequence[int] = (0,)) -> float:
    """Return the CPU seconds, user and system, of a Python process with these arguments; its exit code is one of ``codes``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [sys.executable, *arguments]
    done = subprocess.run(argv, env=_environment(), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode in codes, done.stderr
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment() -> dict[str, str]:
    """Return an environment with which modules are compiled once, as those of an installed package are.

    Where Python is told to write no bytecode, every process would compile Tare's modules again, and not those of pandas.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
        "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / f"tare-bytecode-{os.getuid()}")
    }


def ratio(
    benchmark: Any, floor: Sequence[str], ours: Sequence[str], *, rounds: int, codes: Sequence[int] = (0,)
) -> tuple[float, str]:
    """Run two commands in turn; return the median ratio of the second one's CPU time to the first one's, and a line about it."""
    pairs: list[tuple[float, float]] = []
    benchmark.pedantic(
        lambda: pairs.append((cpu_s(floor), cpu_s(ours, codes))), rounds=rounds, iterations=1, warmup_rounds=1
    )
    measured = pairs[1:]
    found = statistics.median(mine / least for least, mine in measured)
    benchmark.extra_info["ratio"] = found
    least, mine = (min(one) for one in zip(*measured, strict=True))
    return found, f"{least:.2f} and {mine:.2f} s of CPU at least, median ratio {found:.2f}"
