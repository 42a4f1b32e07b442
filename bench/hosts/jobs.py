"""The run of one host, from its start until it is here and removed there, or cannot be had."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench import store
from bench.core.errors import UsageError
from bench.core.model import RunState
from bench.hosts import arrivals, reasons
from bench.hosts.records import Answer, HostRun
from bench.hosts.rounds import Request

_CUT_OFF = "it was cut off there, by a signal or a restart of the host; what it had measured is here"


class _Stage(StrEnum):
    RUNNING = "running"
    CLEANING = "cleaning"
    DONE = "done"


class Job:
    """One run on one host.

    Args:
        host: The host's name in the inventory.
        folder: The run's folder there.
        arrived: The folder here in which its files arrive.
        known: What the host said when the run was begun.
    """

    def __init__(self, host: str, folder: str, arrived: Path, known: HostRun | None = None) -> None:
        self.host = host
        self.result = known or HostRun(host)
        self.missed = 0
        self.progress = ""
        self._folder = folder
        self._arrived = arrived
        self._stage = _Stage.RUNNING

    @property
    def is_running(self) -> bool:
        """Whether the run goes on, as far as is known."""
        return self._stage is _Stage.RUNNING and not self.missed

    @property
    def is_cleaning(self) -> bool:
        """Whether only its folder on the host is left to be removed."""
        return self._stage is _Stage.CLEANING

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to ask."""
        return self._stage is _Stage.DONE

    def request(self) -> Request:
        """Return the next request to the host."""
        return {"verb": "clean" if self.is_cleaning else "collect", "folder": self._folder}

    def hear(self, answer: Answer, results: Path) -> None:
        """Take the host's answer to :meth:`request`.

        Raises:
            StoreError: A run cannot be written to the results folder.
        """
        self.progress = ""
        if answer.failure or "error" in answer.said:
            self.missed += 1
            self._note_failure(answer.failure or str(answer.said["error"]))
            return
        self.missed = 0
        if self.is_cleaning:
            self._stage = _Stage.DONE
            if not answer.said.get("removed"):
                self._set(reason=f"{self._folder} cannot be removed there")
            return
        self._hear_state(answer, results)

    def leave(self, reason: str) -> None:
        """Leave the run on the host."""
        self._stage = _Stage.DONE
        self._set(reason=reason)

    def lose(self) -> None:
        """Give the host up: it cannot be reached any more."""
        where = "the run is here; its folder stays there" if self.is_cleaning else "what it measured stays there"
        self._stage = _Stage.DONE
        self._set(reason=f"{self._silence}; {where} until 'tare fleet fetch'")

    def _note_failure(self, reason: str) -> None:
        self._silence = reason
        self.progress = reason

    def _hear_state(self, answer: Answer, results: Path) -> None:
        state, said = answer.said.get("state"), str(answer.said.get("said", ""))
        if state == "running":
            self.progress = reasons.last_line(said)
        elif state in ("ended", "cut off"):
            self._take(answer, results)
            code = answer.said.get("code")
            reason = _CUT_OFF if state == "cut off" else reasons.ended(said) if self._failed(code, results) else ""
            self._set(exit_code=code, reason="; ".join(filter(None, (reason, self.result.reason))))
            self.progress = "ended"
        else:
            self.leave(f"{self._folder} is not there any more")

    def _failed(self, code: object, results: Path) -> bool:
        """Say whether Tare itself failed there; one that counts failed invocations, or was interrupted, did not."""
        if code not in (0, 1, 4, 5, 130) or not self.result.run_id:
            return True
        return code == 4 and store.load(results / self.result.run_id).meta.get("state") != RunState.COMPLETE

    def _take(self, answer: Answer, results: Path) -> None:
        """Take the runs that arrived; the folder on the host is removed only when all of them are here."""
        known: Mapping[str, Any] = answer.said.get("known", {})
        clock = self.result.clock or answer.clock
        taken, refused = [], []
        for name, files in answer.said.get("runs", {}).items():
            if name in answer.said.get("here", ()):
                taken.append(name)
            elif wrong := answer.said.get("wrong", {}).get(name):
                refused.append(_differ(name, wrong))
            else:
                try:
                    taken.append(
                        arrivals.take(self._arrived / name, results, arrivals.record(self.host, known, clock, files))
                    )
                except UsageError as error:
                    refused.append(str(error))
        self._stage = _Stage.DONE if refused else _Stage.CLEANING
        self._set(
            run_id=taken[0] if taken else "",
            more=tuple(taken[1:]),
            was_here=bool(taken) and set(taken) == set(answer.said.get("here", ())),
            version=self.result.version or str(known.get("version", "")),
            clock=clock,
            reason="; ".join((*refused, f"{self._folder} stays there")) if refused else "",
        )

    def _set(self, **fields: Any) -> None:
        self.result = dataclasses.replace(self.result, **fields)


def _differ(name: str, wrong: Sequence[str]) -> str:
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"run {name} was not taken: {wrong[0]}{more} arrived three times with another digest"
