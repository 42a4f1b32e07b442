"""Logs that nobody takes, and drivers that an engine does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import NotApplicable
from bench.engines.base import LogDriver
from tests.contract import contract
from tests.contract.contract import target
from tests.contract.test_logs_real import Expected, Logged, docker, reads

pytestmark = [pytest.mark.root, pytest.mark.engines]


def test_log_that_nobody_takes_has_no_counts(built_state: Path) -> None:
    with contract.place_of(docker("none"), built_state) as context:
        found = Logged(context, Expected(docker("none"))).measure("flat", lines=1000)
    assert reads(found) == set()
    assert "logging.stored_ratio" not in found.values


def test_driver_that_an_engine_does_not_have_is_refused_before_anything_starts(built_state: Path) -> None:
    with (
        contract.place_of(target("containerd"), built_state) as context,
        pytest.raises(NotApplicable, match="has no log driver 'journald'; it has none, file, binary"),
    ):
        context.engine.logs.provide(LogDriver("journald"))  # type: ignore[attr-defined]  # the ability
