"""The configuration of the lab's daemons: everything below the run's folder, every reader finds what it needs."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from bench.lab import configs

HOME = Path("/s/run/aa/x")


def test_containerd_has_cri_in_one_of_two() -> None:
    plain = tomllib.loads(configs.containerd(HOME, HOME / "c.sock"))
    assert "io.containerd.grpc.v1.cri" in plain["disabled_plugins"]
    text = configs.containerd_cri(HOME, HOME / "c.sock", "pause:1", Path("/usr/lib/cni"), {"runc": "/bin/runc"})
    both = tomllib.loads(text)
    assert "io.containerd.grpc.v1.cri" not in both["disabled_plugins"]
    plugin = both["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["sandbox_image"] == "pause:1"
    assert plugin["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": f"{HOME}/net.d"}
    runtime = plugin["containerd"]["runtimes"]["runc"]
    assert runtime == {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/bin/runc"}}
    for config in (plain, both):
        assert all(config[key].startswith(str(HOME)) for key in ("root", "state"))


def test_without_network_plugins_the_folder_is_empty() -> None:
    config = tomllib.loads(configs.containerd_cri(HOME, HOME / "c.sock", "i", None, {}))
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["cni"]["bin_dir"] == f"{HOME}/no-plugins"


def test_addresses_of_pods_are_kept_in_the_run() -> None:
    network = json.loads(configs.pod_network(HOME))
    bridge = network["plugins"][0]
    assert bridge["ipam"]["dataDir"].startswith(str(HOME))
    assert [plugin["type"] for plugin in network["plugins"]] == ["bridge", "portmap"]


def test_docker_knows_gvisor_once_a_network_mode() -> None:
    config = json.loads(configs.docker(HOME, "overlay2", HOME / "d.sock", HOME / "c.sock", "/tare/aa"))
    assert config["cgroup-parent"] == "/tare/aa"
    given = {name: runtime.get("runtimeArgs", [""])[0] for name, runtime in config["runtimes"].items()}
    assert given == {
        "crun": "",
        "runsc-none": "--network=none",
        "runsc-bridge": "--network=sandbox",
        "runsc-host": "--network=host",
    }


@pytest.mark.parametrize("mode", ["none", "bridge", "host"])
def test_gvisors_wrapper_passes_everything_on(mode: str) -> None:
    script = configs.gvisor_wrapper("/usr/bin/runsc", mode)
    assert script.startswith("#!/bin/sh\nexec /usr/bin/runsc --network=")
    assert script.endswith(' "$@"\n')


def test_podman_writes_into_the_run_and_nowhere_else() -> None:
    config = tomllib.loads(configs.podman_containers(HOME, "crun", "/usr/bin/crun"))
    engine = config["engine"]
    assert (engine["runtime"], engine["runtimes"], engine["lock_type"]) == ("crun", {"crun": ["/usr/bin/crun"]}, "file")
    places = [engine["tmp_dir"], engine["volume_path"], config["network"]["network_config_dir"]]
    storage = tomllib.loads(configs.podman_storage(HOME, "vfs"))["storage"]
    assert storage["driver"] == "vfs"
    assert all(place.startswith(str(HOME)) for place in (*places, storage["graphroot"], storage["runroot"]))
