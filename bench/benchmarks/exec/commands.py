"""Numbered commands in one instance, each stamped at its request, its first instruction and its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.core.clock import Channel, now_s, sleep_s
from bench.core.errors import InvocationFailed, InvocationTimeout
from bench.engines.abilities import Commands
from bench.engines.base import Instance

LIMIT_S = 60.0
"""Time limit of one command, seconds."""
_ARRIVAL_S = 5.0
_GAP_S = 0.001
_REPORT = "B exec "
"""Begin of the line by which a command reports its first instruction; its number follows."""


@dataclass(frozen=True)
class Command:
    """One command that has ended.

    Attributes:
        number: Its number in the instance, from 1.
        begin_s: Stamp of the request.
        end_s: Stamp at which the engine had reported its exit.
    """

    number: int
    begin_s: float
    end_s: float

    @property
    def exit_s(self) -> float:
        """Seconds from the request until the caller knows of the exit."""
        return self.end_s - self.begin_s


class Series:
    """The commands of one instance, which run the payload and succeed.

    Attributes:
        done: Number of those that were begun.
    """

    def __init__(self, commands: Commands, instance: Instance, channel: Channel, deadline_s: float) -> None:
        self.done = 0
        self._commands = commands
        self._instance = instance
        self._channel = channel
        self._deadline_s = deadline_s
        self._payload = commands.payload(instance)

    def alone(self, count: int) -> list[Command]:
        """Run commands one after another."""
        return [self._run(number) for number in self._numbers(count)]

    def at_once(self, count: int, threads: int) -> tuple[list[Command], float]:
        """Run commands, that many at a time; return them and the seconds that all of them took.

        The main thread makes the threads: they inherit the lab's mount namespace.
        """
        with ThreadPoolExecutor(threads, thread_name_prefix="tare-exec") as pool:
            begin = now_s()
            found = list(pool.map(self._run, self._numbers(count)))
            return found, now_s() - begin

    def first_instructions(self) -> dict[int, float]:
        """Return the stamp of each command's first instruction by its number.

        Raises:
            InvocationFailed: One has not reported, or more than once.
        """
        end = now_s() + _ARRIVAL_S
        while len(found := self._reports()) < self.done and now_s() < end:
            sleep_s(_GAP_S)
        counts = Counter(number for number, _ in found)
        wrong = [number for number in range(1, self.done + 1) if counts[number] != 1]
        if wrong:
            msg = f"{len(wrong)} of {self.done} commands have not reported once; command {wrong[0]} {counts[wrong[0]]} times"
            raise InvocationFailed(msg)
        return dict(found)

    def _reports(self) -> Sequence[tuple[int, float]]:
        lines = list(self._channel.lines)
        return [(int(line.text[len(_REPORT) :]), line.at_s) for line in lines if line.text.startswith(_REPORT)]

    def _numbers(self, count: int) -> range:
        self.done += count
        return range(self.done - count + 1, self.done + 1)

    def _run(self, number: int) -> Command:
        left = self._deadline_s - now_s()
        if left <= 0:
            msg = f"the time limit of the invocation has passed before command {number}"
            raise InvocationTimeout(msg)
        argv = [*self._payload, "--exec", str(number)]
        begin = now_s()
        ended = self._commands.run(self._instance, argv, min(LIMIT_S, left))
        end = now_s()
        if ended.exit_code != 0:
            said = " ".join(ended.output.split())[-300:] or "it printed nothing"
            msg = f"command {number} ended with exit code {ended.exit_code}: {said}"
            raise InvocationFailed(msg)
        return Command(number, begin, end)
