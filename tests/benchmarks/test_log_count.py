"""Ten million lines are counted without holding them in memory."""

from __future__ import annotations

import subprocess
import sys

MOST_BYTES = 100 * 2**20
_COUNT = """
import resource, zlib
from bench.workloads.lines import Counter

def records(count):
    for number in range(count):
        head = b"%010d 0000029" % number
        if number % 1000 != 999:
            yield head + b" %08x x" % zlib.crc32(b"x", zlib.crc32(head)), True

found = Counter(10_000_000).records(records(10_000_000)).counts()
print(found.whole, found.lost, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_ten_million_lines_take_less_than_100_mib() -> None:
    done = subprocess.run([sys.executable, "-c", _COUNT], capture_output=True, text=True, check=True, timeout=1800)
    whole, lost, peak = map(int, done.stdout.split())
    print(f"\n    counted 10 000 000 lines with {peak / 2**20:.0f} MiB at the most")
    assert (whole, lost) == (9_990_000, 10_000)
    assert peak < MOST_BYTES
