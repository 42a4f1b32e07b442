"""Which layer each layer of a stack stands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Grounds:
    """What engines stand on: engine → engine; declared by whoever knows the engines."""

    def __init__(self) -> None:
        self._source: Callable[[str], str] = lambda _: ""

    def declared_by(self, source: Callable[[str], str]) -> None:
        """Set what names the engine that an engine stands on; it returns an empty text if that is whichever is before it."""
        self._source = source

    def below(self, layers: Sequence[str]) -> dict[str, str]:
        """Return each target but the first → the target that it stands on.

        That is the target before, unless the engine names another one of the targets before. A target of the same engine as the
        one before stands on that one.
        """
        found = {}
        for place in range(1, len(layers)):
            engine, before = _engine(layers[place]), layers[place - 1]
            wanted = "" if _engine(before) == engine else self._source(engine)
            named = [one for one in layers[:place] if _engine(one) == wanted]
            found[layers[place]] = named[-1] if named else before
        return found


GROUNDS = Grounds()


def _engine(target: str) -> str:
    return target.partition(":")[0]
