"""The runtime configuration: what every OCI engine is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench.engines import _ocispec
from bench.lab import cgroups, images


def made(**changes: Any) -> _ocispec.Spec:
    fields: dict[str, Any] = {
        "args": ["/tare-payload", "--sleep"],
        "rootfs_path": Path("/r"),
        "cgroup_path": "/tare/aa/one",
        "events": Path("/state/e/1"),
        "memory_bytes": 256 * 2**20,
        "cpus": 2,
        "hostname": "one",
    }
    return _ocispec.spec(**(fields | changes))


def hierarchy(version: int) -> cgroups.Hierarchy:
    return cgroups.Hierarchy(version, Path("/sys/fs/cgroup"), ())


@pytest.mark.parametrize(("version", "wanted"), [(1, False), (2, True)])
def test_a_cgroup_namespace_only_where_engines_make_one(
    monkeypatch: pytest.MonkeyPatch, version: int, wanted: bool
) -> None:
    monkeypatch.setattr(cgroups, "hierarchy", lambda: hierarchy(version))
    kinds = {entry["type"] for entry in made()["linux"]["namespaces"]}
    assert kinds - {"cgroup"} == {"pid", "ipc", "uts", "mount", "network"}
    assert ("cgroup" in kinds) is wanted


def test_the_host_network_is_no_namespace() -> None:
    assert {"type": "network"} not in made(network="host")["linux"]["namespaces"]


def test_limits_are_declared_in_the_units_of_the_specification() -> None:
    resources = made()["linux"]["resources"]
    assert resources["memory"] == {"limit": 268435456}
    assert resources["cpu"] == {"quota": 200_000, "period": 100_000}
    assert resources["devices"][0] == {"allow": False, "access": "rwm"}


def test_the_event_socket_is_where_the_payload_looks_for_it() -> None:
    mount = next(entry for entry in made()["mounts"] if entry["destination"] == images.EVENTS)
    assert (mount["type"], mount["source"]) == ("bind", "/state/e/1")
    assert "bind" in mount["options"]


def test_privileges_are_those_of_a_plain_container() -> None:
    process = made()["process"]
    assert process["noNewPrivileges"] is True
    assert len(_ocispec.CAPABILITIES) == 14
    assert "CAP_SYS_ADMIN" not in process["capabilities"]["bounding"]
    assert process["capabilities"]["effective"] == list(_ocispec.CAPABILITIES)


def test_it_is_json_and_no_two_share_a_part() -> None:
    first, second = made(), made(hostname="two")
    assert json.loads(json.dumps(first)) == first
    first["linux"]["maskedPaths"].clear()
    first["mounts"][0]["options"].clear()
    assert second["linux"]["maskedPaths"]
    assert second["mounts"][0]["options"]
    assert second["hostname"] == "two"
