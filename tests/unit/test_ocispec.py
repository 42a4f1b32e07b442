"""The runtime configuration: what every OCI engine is given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.engines import oci_spec
from bench.engines.base import Bind, InstanceSpec, Limits
from bench.lab import cgroups, images


def made(*, network: Literal["private", "host"] = "private", **changes: Any) -> oci_spec.Config:
    fields: dict[str, Any] = {"name": "one", "events": Path("/state/e/1"), "memory_bytes": 256 * 2**20, "cpus": 2}
    job = InstanceSpec(**(fields | changes))
    return oci_spec.config(spec=job, rootfs_path=Path("/r"), cgroup_path="/tare/aa/one", network=network)


def hierarchy(version: int) -> cgroups.Hierarchy:
    return cgroups.Hierarchy(version, Path("/sys/fs/cgroup"), ())


@pytest.mark.parametrize(("version", "wanted"), [(1, False), (2, True)])
def test_cgroup_namespace_exists_only_on_version_2(monkeypatch: pytest.MonkeyPatch, version: int, wanted: bool) -> None:
    monkeypatch.setattr(cgroups, "hierarchy", lambda: hierarchy(version))
    kinds = {entry["type"] for entry in made()["linux"]["namespaces"]}
    assert kinds - {"cgroup"} == {"pid", "ipc", "uts", "mount", "network"}
    assert ("cgroup" in kinds) is wanted


def test_host_network_has_no_namespace() -> None:
    assert {"type": "network"} not in made(network="host")["linux"]["namespaces"]


def test_limits_use_units_of_specification() -> None:
    resources = made()["linux"]["resources"]
    assert resources["memory"] == {"limit": 268435456}
    assert resources["cpu"] == {"quota": 200_000, "period": 100_000}
    assert resources["devices"][0] == {"allow": False, "access": "rwm"}


def test_unset_limits_are_omitted() -> None:
    assert set(made(memory_bytes=None, cpus=None)["linux"]["resources"]) == {"devices"}


def test_every_limit_is_in_resources() -> None:
    limits = Limits(cpu_shares=512, cpuset="0", swap_bytes=2**29, pids=20, device="254:0", write_bytes_per_s=2**20)
    resources = made(cpus=0.5, limits=limits)["linux"]["resources"]
    assert resources["cpu"] == {"quota": 50_000, "period": 100_000, "shares": 512, "cpus": "0"}
    assert resources["memory"] == {"limit": 2**28, "swap": 2**29}
    assert resources["pids"] == {"limit": 20}
    assert resources["blockIO"] == {"throttleWriteBpsDevice": [{"major": 254, "minor": 0, "rate": 2**20}]}


def test_binds_are_mounted_at_argument_paths() -> None:
    binds = (Bind("tools", Path("/state/tools")), Bind("scratch", Path("/state/s"), read_only=False))
    spec = made(arguments=("--write", "{scratch}/f:1", "--sleep"), binds=binds)
    mounts = {entry["destination"]: entry for entry in spec["mounts"]}
    assert "ro" in mounts["/tools"]["options"]
    assert mounts["/scratch"]["source"] == "/state/s"
    assert "rw" in mounts["/scratch"]["options"]
    assert spec["process"]["args"][-3:] == ["--write", "/scratch/f:1", "--sleep"]


def test_event_socket_is_mounted_at_payload_path() -> None:
    mount = next(entry for entry in made()["mounts"] if entry["destination"] == images.EVENTS)
    assert (mount["type"], mount["source"]) == ("bind", "/state/e/1")
    assert "bind" in mount["options"]


def test_privileges_equal_plain_container() -> None:
    process = made()["process"]
    assert process["noNewPrivileges"] is True
    assert len(oci_spec.CAPABILITIES) == 14
    assert "CAP_SYS_ADMIN" not in process["capabilities"]["bounding"]
    assert process["capabilities"]["effective"] == list(oci_spec.CAPABILITIES)


def test_config_is_json_and_shares_no_state() -> None:
    first, second = made(), made(name="two")
    assert json.loads(json.dumps(first)) == first
    first["linux"]["maskedPaths"].clear()
    first["mounts"][0]["options"].clear()
    assert second["linux"]["maskedPaths"]
    assert second["mounts"][0]["options"]
    assert second["hostname"] == "two"
