"""The tables of ``secrets``: where a secret is found, by the way in which it came to the instance; and what images carry."""

from __future__ import annotations

from bench.benchmarks.secrets.routes import PLACES, ROUTES
from bench.core.model import Status
from bench.display import cells, lookup
from bench.display.data import Label, Row, ScenarioData, Variant
from bench.display.table import NONE, Cell, Column, Grid

CARRIED = {
    "packages": "packages",
    "files": "files",
    "executables": "executables",
    "privileged": "set-user-id or set-group-id",
    "shells": "shells",
    "listed": "listed by a scanner",
    "sbom_s": "the scanner's time",
}
_FOUND = (
    "Each way has a secret of its own, which is looked for in the image as the engine saves it, in what the engine says of the "
    "running container, in its first process's environment and in its file system as the host sees them, in every file of the "
    "engine's data, and there once more when container and image are removed. “Environment” and “file” are meant for the program."
    " “found”: the secret is there; “no”: it was looked for and is not; “–”: it was not looked for."
)
_CARRIED = (
    "Counted in the layers of the image. A scanner that is on PATH (syft, trivy) lists packages from the saved image, without a "
    "network. Vulnerabilities are not counted: that takes a database with a date."
)


def tables(data: ScenarioData) -> list[Grid]:
    """Return one truth table a target, then what images carry."""
    targets = list(dict.fromkeys(row.target for row in data.invoked))
    return cells.filled([*(_found(data, target) for target in targets), _carried(data)])


def notes(data: ScenarioData) -> list[str]:
    """Name the files with the secret, and say what was skipped."""
    found = []
    for row in data.invoked:
        for name, title in (("disk", "on the engine's disk in"), ("afterwards", "still there afterwards in")):
            if text := lookup.most_frequent(lookup.notes_of(data, row).get(name)):
                found.append(f"{row.text}: {title} {text}.")
        if data.summary(row, "secrets.sbom_s"):
            found.append(f"{row.text}: listed by {lookup.most_frequent(lookup.notes_of(data, row).get('scanner'))}.")
        if reason := _skipped(data, row):
            found.append(f"{row.text}: {reason}.")
    return found


def route_of(row: Variant) -> str:
    """Return the name of a variant's route; empty in the other part."""
    return lookup.param_of(row, "route") if lookup.param_of(row, "part") in ("routes", "") else ""


def places(data: ScenarioData, row: Variant) -> list[str]:
    """Return where the secret of a variant was found."""
    return [place for place in PLACES if _at(data, row, place)]


def _at(data: ScenarioData, row: Variant, place: str) -> bool | None:
    found = data.summary(row, "secrets.found", place=place)
    return None if found is None or found.median is None else bool(found.median)


def _found(data: ScenarioData, target: str) -> Grid:
    rows = {route_of(row): row for row in data.invoked if row.target == target and data.summary(row, "secrets.places")}
    made: list[tuple[Row, list[Cell]]] = []
    for route in lookup.in_order(rows, ROUTES):
        answers = [_at(data, rows[route], place) for place in PLACES]
        told = [Cell(NONE if one is None else "found" if one else "no") for one in answers]
        made.append((Label(route), [*told, _left(data, rows[route])]))
    heads = [Column(place, numeric=False) for place in (*PLACES, "disk afterwards")]
    return cells.grid(f"Where a secret is found: {target}", heads, made, first="Given by", note=_FOUND)


def _left(data: ScenarioData, row: Variant) -> Cell:
    """Say whether the secret is still on the disk when all is removed, which can be a matter of what overwrites it."""
    values = lookup.values(data, row, "secrets.left")["value"]
    count, total = int(values.sum()), len(values)
    if not total:
        return Cell(NONE)
    return Cell("no" if not count else "found" if count == total else f"found {count} of {total} times")


def _carried(data: ScenarioData) -> Grid:
    rows = [row for row in data.invoked if data.summary(row, "secrets.packages")]
    made: list[tuple[Row, list[Cell]]] = [
        (row, [cells.value(data.summary(row, f"secrets.{name}")) for name in CARRIED]) for row in rows
    ]
    heads = [Column(title, cells.CI if name == "sbom_s" else "") for name, title in CARRIED.items()]
    return cells.grid("What images carry", heads, made, note=_CARRIED)


def _skipped(data: ScenarioData, row: Variant) -> str:
    """Return why all invocations of a variant were skipped; otherwise empty."""
    mine = lookup.outcomes_of(data, row)
    reasons = [str(reason) for reason in mine.loc[mine["status"] == Status.SKIPPED, "reason"]]
    return reasons[0] if reasons and len(reasons) == len(mine) else ""
