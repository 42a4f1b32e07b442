"""An index over a results folder: what ``run.json`` says of each run, and one row a series, in one SQLite file.

It is never the truth. It is brought up to date whenever it is opened, and made anew when it is damaged, outdated or foreign.
"""

from bench.index.entries import Entry
from bench.index.index import Index, opened

__all__ = ["Entry", "Index", "opened"]
