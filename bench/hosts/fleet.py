"""Run the same scenarios on many hosts with Ansible and gather the runs in one results folder.

Every host measures itself with its own Tare; nothing is measured over the network. Runs are copied back unchanged, each file
checked by its digest, and removed there when they are here.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import Any

from bench.core.clock import now_s, wall_time
from bench.core.errors import Interrupted, ProvisionError
from bench.hosts.ansible import OnEvent, check_inventory, interruptible
from bench.hosts.jobs import Job
from bench.hosts.records import Answer, Gathered, HostRun
from bench.hosts.rounds import EVERY, INTERRUPTED, Request, Rounds

FIRST_S, MOST_S, FRACTION = 1.0, 30.0, 0.05
"""Seconds between rounds: at first and at most, and in between this fraction of the time since the beginning."""

PATIENCE = 3
"""Rounds that a host may be unreachable after the last of the others has ended; until then it is asked in every round."""

OnProgress = Callable[[str, str], None]


class Watch:
    """What an observer is told: Ansible's tasks while a Tare is installed, and the progress of each host."""

    def __init__(self, on_event: OnEvent = lambda _: None, on_progress: OnProgress = lambda *_: None) -> None:
        self.on_event = on_event
        self.on_progress = on_progress


def run(
    arguments: Sequence[str],
    files: Sequence[Path],
    inventory: Path,
    results: Path,
    watch: Watch | None = None,
) -> Gathered:
    """Run ``tare run ARGUMENTS`` on every host of an inventory and gather the runs.

    Args:
        arguments: Arguments of ``tare run`` without ``--results``; the same for all hosts.
        files: Scenario files that the arguments name; they are copied to the hosts.
        inventory: An Ansible inventory. Variables of a host: ``tare_program`` (path of its Tare; without it this Tare is
            installed into ``harness_home``), ``tare_state_dir`` (its state folder) and ``tare_fleet_dir`` (where runs are until
            they are fetched).
        results: The folder in which the runs are gathered.
        watch: Told of the progress.

    Raises:
        UsageError: The inventory cannot be read or names no hosts.
        ProvisionError: Ansible is not installed, or it failed without naming a task.
        StoreError: A run cannot be written to the results folder.
        Interrupted: SIGINT or SIGTERM was received. The hosts go on measuring; :func:`fetch` gathers the runs.
    """
    return _measure(["run", *arguments], files, inventory, results, watch or Watch(), keeps=False)


def nightly(
    arguments: Sequence[str], files: Sequence[Path], inventory: Path, results: Path, watch: Watch | None = None
) -> Gathered:
    """Run ``tare nightly ARGUMENTS`` on every host, in the host's own folder of nights, and gather copies of tonight's runs.

    Arguments and errors as of :func:`run`; the folder is the host's variable ``nightly_dir``. The runs stay there, too: they are
    what the next night is compared with.
    """
    return _measure(["nightly", *arguments], files, inventory, results, watch or Watch(), keeps=True)


def fetch(inventory: Path, results: Path, watch: Watch | None = None) -> Gathered:
    """Gather the runs that earlier calls have left on the hosts.

    One that goes on is left alone, and one that is here is only removed there.
    Arguments and errors as of :func:`run`.
    """
    check_inventory(inventory)
    with Rounds(inventory, results, keeps=False) as rounds:
        found, play = rounds.ask({EVERY: {"verb": "find"}})
        jobs = [
            Job(host, str(folder), rounds.arrived(host))
            for host, answer in found.items()
            for folder in answer.said.get("folders", ())
        ]
        silent = [HostRun(host, reason=_failure(answer)) for host, answer in found.items() if _failure(answer)]
        ended = _Fleet(rounds, results, watch or Watch(), waits=False).gather(jobs)
    return Gathered((*silent, *ended), play)


def _measure(
    words: Sequence[str], files: Sequence[Path], inventory: Path, results: Path, watch: Watch, *, keeps: bool
) -> Gathered:
    check_inventory(inventory)
    fleet = f"{wall_time():%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    request = {"verb": "begin", "fleet": fleet, "words": list(words), "files": [str(path.absolute()) for path in files]}
    with Rounds(inventory, results, keeps=keeps) as rounds:
        found, play = rounds.ask({EVERY: request}, watch.on_event, begins=True)
        silent = [
            HostRun(host, reason=_failure(answer), clock=answer.clock)
            for host, answer in found.items()
            if _failure(answer)
        ]
        jobs = [_job(host, answer, rounds) for host, answer in found.items() if not _failure(answer)]
        for job in jobs:
            watch.on_progress(job.host, "measuring")
        try:
            ended = _Fleet(rounds, results, watch, waits=True).gather(jobs)
        except Interrupted:
            play.log.unlink(missing_ok=True)
            raise
    return Gathered(tuple(sorted((*silent, *ended), key=lambda one: one.host)), play, fleet)


def _job(host: str, answer: Answer, rounds: Rounds) -> Job:
    machine: Mapping[str, Any] = answer.said.get("machine", {})
    known = HostRun(
        host,
        version=str(answer.said.get("version", "")),
        clock=answer.clock,
        name=str(machine.get("name", "")),
        boot=str(machine.get("boot", "")),
    )
    return Job(host, str(answer.said["folder"]), rounds.arrived(host), known)


def _failure(answer: Answer) -> str:
    return answer.failure or str(answer.said.get("error", ""))


class _Fleet:
    """Asks the hosts round by round until every run has ended and is here, or cannot be had."""

    def __init__(self, rounds: Rounds, results: Path, watch: Watch, *, waits: bool) -> None:
        self._rounds = rounds
        self._results = results
        self._watch = watch
        self._waits = waits

    def gather(self, jobs: Sequence[Job]) -> list[HostRun]:
        """Return the result of every job."""
        begin_s = now_s()
        with interruptible() as stopped:
            while asked := self._first_of_each_host(jobs):
                if self._waits and not any(job.is_cleaning for job in asked):
                    _wait(stopped, min(max(FIRST_S, FRACTION * (now_s() - begin_s)), MOST_S))
                self._round(asked)
                self._give_up(asked)
        return [job.result for job in jobs]

    def _round(self, asked: Sequence[Job]) -> None:
        requests: dict[str, Request] = {job.host: job.request() for job in asked}
        answers, why = self._answers(requests)
        for job in asked:
            job.hear(answers.get(job.host, Answer(failure=why)), self._results)
            if not self._waits and job.is_running:
                job.leave("it still measures there")
            if job.progress:
                self._watch.on_progress(job.host, job.progress)

    def _answers(self, requests: Mapping[str, Request]) -> tuple[Mapping[str, Answer], str]:
        """Return the answers, and why a host without one has none: after hours of measuring, one failed round is no end."""
        try:
            answers, done = self._rounds.ask(requests)
        except ProvisionError as error:
            return {}, str(error)
        done.log.unlink(missing_ok=True)
        return answers, "it gave no answer"

    def _give_up(self, asked: Sequence[Job]) -> None:
        """Give up hosts that stay silent when no other is left."""
        left = [job for job in asked if not job.is_done]
        patience = PATIENCE if self._waits else 1
        if left and all(job.missed >= patience for job in left):
            for job in left:
                job.lose()

    @staticmethod
    def _first_of_each_host(jobs: Sequence[Job]) -> list[Job]:
        first: dict[str, Job] = {}
        for job in jobs:
            if not job.is_done:
                first.setdefault(job.host, job)
        return list(first.values())


def _wait(stopped: Event, seconds: float) -> None:
    if stopped.wait(seconds):
        raise Interrupted(INTERRUPTED)
