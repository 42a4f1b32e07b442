"""``summary.csv``: every series with every field, in base units."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from bench.report.data import RunData
from bench.report.table import SUMMARY_COLUMNS, summary_rows


def text(runs: Sequence[RunData]) -> str:
    """Return the file's content; what is absent is an empty field."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, SUMMARY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for data in runs:
        writer.writerows(summary_rows(data.run.run_id, data.summaries))
    return buffer.getvalue()
