"""Write ``summary.csv``: every series with every field, in base units."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from bench.display.data import RunData
from bench.display.table import SUMMARY_COLUMNS, summary_rows


def text(runs: Sequence[RunData]) -> str:
    """Return the file's content; an absent value is an empty field.

    If any run was in a guest, the column ``inside`` names the guest.
    """
    buffer = io.StringIO()
    guests = any(data.inside for data in runs)
    writer = csv.DictWriter(buffer, (*SUMMARY_COLUMNS, *("inside",) * guests), lineterminator="\n")
    writer.writeheader()
    for data in runs:
        more = {"inside": data.inside} if guests else {}
        writer.writerows({**row, **more} for row in summary_rows(data.run.run_id, data.summaries))
    return buffer.getvalue()
