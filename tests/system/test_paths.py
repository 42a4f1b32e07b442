"""A root's lab in a state folder whose path engines could not handle."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.core.errors import TargetUnavailable
from bench.engines import load
from bench.lab import Lab, images
from bench.lab.paths import ALIAS, state_dir
from bench.scenario import parse_target

pytestmark = [pytest.mark.system, pytest.mark.root, pytest.mark.engines]

HOSTILE = ("Jane Doe", 'a:b,c "d" $HOME %n \\x größe', "x" * 120, "line\nbreak")
TARGETS = ("host", "sandbox", "runc", "runsc", "containerd", "cri", "docker", "podman", "libvirt:guest=minimal")


def _prepare(lab: Lab, text: str) -> None:
    """Prove by the engine's own trial that an instance runs; leave out what is not installed."""
    try:
        load(parse_target(text), lab).prepare()
    except TargetUnavailable as error:
        if not any(words in str(error) for words in ("is not on PATH", "'tare provision guest_images'")):
            raise


@pytest.mark.parametrize("name", HOSTILE)
def test_engines_run_in_a_state_folder_of_any_name(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Lab("p1a1n", state=tmp_path_factory.mktemp("s")) as plain:
        privileged = bool(plain.cgroup_path)
    state = tmp_path_factory.mktemp("s") / name
    if not privileged and (":" in name or len(name) > 100):
        pytest.skip("without the privileges for a lab this path is refused")
    if (guests := state_dir() / "guest").exists():
        state.mkdir()
        (state / "guest").symlink_to(guests)
    with Lab("pa7h5", state=state) as lab:
        assert bool(lab.cgroup_path) is privileged
        if privileged:
            assert (lab.paths.state, lab.host_paths.state) == (ALIAS, state)
            assert images.payload(lab.paths.state).path.read_bytes() == images.payload(state).path.read_bytes()
        for text in TARGETS if privileged else TARGETS[:2]:
            _prepare(lab, text)
    assert lab.paths.state == state
    assert not ALIAS.exists()
    assert list((state / "run").iterdir()) == list((state / "journal").iterdir()) == []
    assert [path.name for path in state.parent.iterdir()] == [name]
    assert "tare-state" not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
