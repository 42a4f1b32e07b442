"""In which order rows come: whether they can be worked on in parts, and where a part may end."""

from __future__ import annotations

import numpy as np

from bench.interchange.spill import Columns, Integers

_NONE = -1


class Order:
    """What the order of rows allows, judged batch by batch.

    Parts are possible where the blocks of each scenario never decrease, scenarios come one after the other (or the blocks of all
    never decrease), and either all rows have the number of an invocation, which never decreases, or none has.
    """

    def __init__(self) -> None:
        self._last: tuple[int, int, int] | None = None
        self._seen: set[int] = set()
        self._increasing = self._apart = self._numbered = self._unnumbered = True

    @property
    def allows_parts(self) -> bool:
        """Whether the rows of each invocation and of each block stand together, so that parts can be worked on one by one."""
        return (self._increasing or self._apart) and (self._numbered or self._unnumbered)

    def add(self, part: Columns, scenario: Integers) -> None:
        """Look at a batch; ``scenario`` has a number for the scenario of each row."""
        if not len(part):
            return
        before = self._last or (int(part.block[0]), int(part.invocation[0]), int(scenario[0]))
        block, invocation, own = (
            np.concatenate(([first], rest))
            for first, rest in zip(before, (part.block, part.invocation, scenario), strict=True)
        )
        down, new = np.diff(block) < 0, np.diff(own) != 0
        begun = scenario[new].tolist() if self._last else [int(scenario[0]), *scenario[new].tolist()]
        self._increasing &= not down.any()
        self._apart &= not (down & ~new).any() and len({*begun} - self._seen) == len(begun)
        self._seen |= {*begun}
        self._numbered &= bool(np.all(part.invocation != _NONE)) and not (np.diff(invocation) < 0).any()
        self._unnumbered &= bool(np.all(part.invocation == _NONE))
        self._last = int(block[-1]), int(invocation[-1]), int(own[-1])


def last_edge(whole: Columns) -> int:
    """Return the last place at which a part may end: where the block changes, and the invocation if rows have one; else 0."""
    changes = np.diff(whole.block) != 0
    if whole.invocation[0] != _NONE:
        changes &= np.diff(whole.invocation) != 0
    places = np.flatnonzero(changes)
    return int(places[-1]) + 1 if len(places) else 0
