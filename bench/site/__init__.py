"""A static site over a results folder (docs/site.md): computed from the runs alone, written again only where it changed.

Pages open from a file and fetch nothing but the site's own style sheet, script and badges.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench import index
from bench.core.errors import UsageError
from bench.site import content, feed, files, frame, instrument, lists, pages, source

__all__ = ["Built", "build"]


@dataclass(frozen=True)
class Built:
    """A site as it was built.

    Attributes:
        page: Its first page.
        written: Files that were written.
        kept: Files that were already right.
        removed: Files of the last build that the site has no more.
        notes: What is damaged or left out in the results folder.
    """

    page: Path
    written: int
    kept: int
    removed: int
    notes: tuple[str, ...]


def build(results: Path, folder: Path) -> Built:
    """Bring the site over a results folder up to date.

    Raises:
        UsageError: The results folder has no run or cannot be read, or the site's folder has files of somebody else's.
        StoreError: The site's folder cannot be written; the site in it is unchanged.
    """
    if results.resolve() == folder.resolve():
        msg = f"'{folder}' is the results folder itself: choose another folder for the site with -o DIR"
        raise UsageError(msg)
    found = source.read(results, index.opened(results))
    with files.site(folder, frame.version()) as open_files:
        _add(open_files, content.collect(open_files, found))
        done = open_files.finish()
    return Built(folder / "index.html", done.written, done.kept, done.removed, tuple(found.notes))


def _add(open_files: files.Files, found: content.Content) -> None:
    pages_of = frame.Frame()
    open_files.add("site.css", "", pages_of.style)
    open_files.add("site.js", "", pages_of.script)
    for add in (lists.overview, lists.runs, lists.hosts, lists.targets, lists.claims_page, lists.coverage_page):
        add(open_files, pages_of, found)
    instrument.add(open_files, pages_of, found)
    feed.add(open_files, found)
    pages.all_series(open_files, pages_of, found)
    pages.all_runs(open_files, pages_of, found)
