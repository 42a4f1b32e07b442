"""What a run did not measure, why, and the command that would measure it."""

from __future__ import annotations

from dataclasses import dataclass

from bench import scenario
from bench.display.data import RunData
from bench.report.board import Board, Kind, command


@dataclass(frozen=True)
class Gap:
    """A question that some targets of the scoreboard were not asked, and the command that asks them."""

    question: str
    targets: str
    command: str


def gaps(board: Board) -> list[Gap]:
    """Return the questions with the targets that they were not asked of, one line a question."""
    found = []
    for place, column in enumerate(board.columns):
        left = [row.target for row in board.rows if row.cells[place].kind is Kind.ABSENT]
        left = [target for target in left if not _answered_otherwise(board, target, place)]
        if left:
            found.append(Gap(column.question.title, ", ".join(left), command(column, left)))
    return found


def _answered_otherwise(board: Board, target: str, place: int) -> bool:
    """Say whether another row of the same engine answers the question."""
    engine = target.partition(":")[0]
    return any(row.cells[place].found for row in board.rows if row.target.partition(":")[0] == engine)


def other_scenarios(data: RunData) -> list[tuple[str, str]]:
    """Return the scenarios that Tare has and this run has not, with the commands that run them."""
    ran = {one.name for one in data.scenarios}
    return [(name, f"tare run {name}") for name in scenario.names("scenario") if name not in ran]
