"""sysbench cpu and memory: its count of events over the time that the host measured.

In a guest sysbench reads the guest's clock, so only the number of events is taken from its report. The time is the host's, from
the line "Threads started!" to the first line of the report, stamped on arrival; it excludes loading the program.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.core.clock import Line
from bench.core.errors import InvocationFailed
from bench.workloads.payload import Turns

TESTS = ("cpu", "memory")
TOOLS = "tools"
"""Name of the mounted folder that holds the program in an instance (``bench/lab/tools.py``)."""
_BEGIN = "O Threads started!"
_REPORT = {"cpu": "O CPU speed:", "memory": "O Total operations:"}
_EVENTS = re.compile(r"O\s+total number of events:\s+(\d+)")
_BLOCK = re.compile(r"O\s+block size:\s+(\d+)(B|KiB|MiB|GiB)")
_FACTOR = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def arguments(test: str, seconds: int, threads: int) -> tuple[str, ...]:
    """Return payload arguments that run one test; they are few, because a guest's kernel passes at most 32 to PID 1."""
    mark = f"{{{TOOLS}}}"
    program = (f"{mark}/ld.so", "--library-path", f"{mark}/lib", f"{mark}/bin/sysbench")
    more = (f"--threads={threads}",) if threads > 1 else ()
    return ("--run", *program, test, f"--time={seconds}", *more, "run")


def runs(lines: Sequence[Line]) -> list[list[Line]]:
    """Split a payload's lines into its program runs, each from ``B run`` to ``C run STATUS``."""
    found: list[list[Line]] = []
    for line in lines:
        if line.text == "B run":
            found.append([])
        if found and (line.text[:1] == "O" or line.text.startswith(("B run", "C run"))):
            found[-1].append(line)
    return found


def version(run: Sequence[Line]) -> str:
    """Return the program's version, or ``unknown``."""
    named = next((line.text for line in run if line.text.startswith("O sysbench ")), "")
    return " ".join(named.split()[1:3]) or "unknown"


def events(run: Sequence[Line], test: str) -> Turns:
    """Return the events of one test run, and the time that the host measured for them.

    Raises:
        InvocationFailed: sysbench ended with an error, or its report has another form.
    """
    texts = [line.text for line in run]
    begin = next((line.at_s for line in run if line.text == _BEGIN), None)
    end = next((line.at_s for line in run if line.text.startswith(_REPORT[test])), None)
    counted = next((found for text in texts if (found := _EVENTS.fullmatch(text))), None)
    if not texts or texts[-1] != "C run 0":
        raise _failed(test, "did not end with status 0", texts)
    if begin is None or end is None or counted is None:
        missing = [_BEGIN[2:], _REPORT[test][2:], "total number of events"]
        raise _failed(test, f"did not say each of: {', '.join(missing)}", texts)
    if end <= begin or int(counted[1]) == 0:
        raise _failed(test, f"counted {counted[1]} events in {end - begin:g} s", texts)
    return Turns(int(counted[1]), end - begin)


def block_bytes(run: Sequence[Line]) -> int:
    """Return the number of bytes that one event of the memory test writes.

    Raises:
        InvocationFailed: The report does not have it.
    """
    found = next((found for line in run if (found := _BLOCK.fullmatch(line.text))), None)
    if found is None:
        raise _failed("memory", "did not say its block size", [line.text for line in run])
    return int(found[1]) * _FACTOR[found[2]]


def _failed(test: str, what: str, texts: Sequence[str]) -> InvocationFailed:
    said = " | ".join(text[2:].strip() for text in texts if text[:1] in "OC")[-300:] or "nothing"
    return InvocationFailed(f"sysbench {test} {what}; it said: {said}")
