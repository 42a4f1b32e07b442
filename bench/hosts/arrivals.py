"""Runs that have arrived from a host: take them into the results folder, whole and once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import store
from bench.core.errors import StoreError, UsageError
from bench.hosts.records import Clock

RECORD = "fleet.json"
"""The file of a fetched run with the host that it came from, and the size and SHA-256 of each file there."""


def take(folder: Path, results: Path, record: Mapping[str, Any]) -> str:
    """Move a run that arrived into the results folder, atomically; return its id.

    Raises:
        UsageError: It is no run, or there is another one of its name.
        StoreError: It cannot be written.
    """
    run_id = store.load(folder).run_id
    target = results / run_id
    if run_id != folder.name:
        msg = f"the run in '{folder.name}' says that it is '{run_id}'; nothing was taken"
        raise UsageError(msg)
    if target.exists():
        msg = f"'{target}' is there already; nothing was overwritten"
        raise UsageError(msg)
    part = results / f".{run_id}.{os.getpid()}"
    try:
        results.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, part)
        (part / RECORD).write_text(json.dumps(dict(record), indent=1) + "\n", encoding="utf-8")
        part.rename(target)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        msg = f"cannot write '{target}': {error.strerror}; 'tare fleet fetch' collects later what stays on the hosts"
        raise StoreError(msg) from error
    shutil.rmtree(folder, ignore_errors=True)
    return run_id


def record(host: str, known: Mapping[str, Any], clock: Clock | None, files: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is kept of where a run came from."""
    return {
        "host": host,
        "fleet": known.get("fleet", ""),
        "version": known.get("version", ""),
        "machine": known.get("machine", {}),
        "clock": {"offset_s": clock.offset_s, "error_s": clock.error_s} if clock else None,
        "files": dict(files),
    }
