"""The configuration of the engines' daemons: valid for its reader, and everything below the run's folder."""

from __future__ import annotations

import ipaddress
import json
import tomllib
from pathlib import Path

import pytest

from bench.engines.containerd import config as containerd_config
from bench.engines.cri import config as cri_config
from bench.engines.docker import config as docker_config
from bench.engines.docker.podman_service import podman_name
from bench.engines.oci import gvisor
from bench.lab import network

HOME = Path("/s/run/aa/x")


def test_only_one_containerd_has_the_cri_plugin() -> None:
    plain = tomllib.loads(containerd_config.containerd(HOME, HOME / "c.sock"))
    assert "io.containerd.grpc.v1.cri" in plain["disabled_plugins"]
    text = cri_config.containerd(HOME, HOME / "c.sock", "pause:1", Path("/usr/lib/cni"), {"runc": "/bin/runc"})
    both = tomllib.loads(text)
    assert "io.containerd.grpc.v1.cri" not in both["disabled_plugins"]
    plugin = both["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["sandbox_image"] == "pause:1"
    assert plugin["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": f"{HOME}/net.d/bridge"}
    handlers = plugin["containerd"]["runtimes"]
    assert set(handlers) == {"runc", "runc-ptp", "runc-macvlan"}
    assert {name: handler.pop("cni_conf_dir") for name, handler in handlers.items()} == {
        cri_config.handler("runc", kind): f"{HOME}/net.d/{kind}" for kind in cri_config.POD_NETWORKS
    }
    runtime = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "/bin/runc"}}
    assert all(handler == runtime for handler in handlers.values())
    for config in (plain, both):
        assert all(config[key].startswith(str(HOME)) for key in ("root", "state"))


def test_cri_configuration_without_network_plugins_names_an_empty_folder() -> None:
    config = tomllib.loads(cri_config.containerd(HOME, HOME / "c.sock", "i", None, {}))
    assert config["plugins"]["io.containerd.grpc.v1.cri"]["cni"]["bin_dir"] == f"{HOME}/no-plugins"


@pytest.mark.parametrize("kind", cri_config.POD_NETWORKS)
def test_pod_addresses_are_stored_in_the_run(kind: str) -> None:
    wanted = json.loads(cri_config.pod_network(HOME, kind))
    assert wanted["plugins"][0]["type"] == kind
    assert wanted["plugins"][0]["ipam"]["dataDir"].startswith(str(HOME))


def test_only_macvlan_pods_have_addresses_of_the_veth_pair() -> None:
    kinds = {kind: json.loads(cri_config.pod_network(HOME, kind)) for kind in cri_config.POD_NETWORKS}
    assert len({wanted["name"] for wanted in kinds.values()}) == len(kinds)  # host-local keeps a folder a name
    cable = ipaddress.ip_network(network.SUBNET)
    subnets = {kind: ipaddress.ip_network(subnet) for kind, subnet in cri_config.POD_SUBNETS.items()}
    assert not any(one.overlaps(cable) for one in subnets.values())
    assert not subnets["bridge"].overlaps(subnets["ptp"])
    plugin = kinds["macvlan"]["plugins"][0]
    (given,) = plugin["ipam"]["ranges"][0]
    assert (plugin["master"], plugin["mode"], given["subnet"]) == (network.LAB_LINK, "bridge", network.SUBNET)
    assert all(ipaddress.ip_address(given[end]) in cable for end in ("rangeStart", "rangeEnd"))


def test_dockerd_has_a_gvisor_runtime_for_each_network_mode() -> None:
    config = json.loads(docker_config.dockerd(HOME, "overlay2", HOME / "d.sock", HOME / "c.sock", "/tare/aa"))
    assert config["cgroup-parent"] == "/tare/aa"
    given = {name: runtime.get("runtimeArgs", [""])[0] for name, runtime in config["runtimes"].items()}
    assert given == {
        "crun": "",
        "runsc-none": "--network=none",
        "runsc-bridge": "--network=sandbox",
        "runsc-host": "--network=host",
    }


@pytest.mark.parametrize("mode", ["none", "bridge", "host"])
def test_gvisor_wrapper_passes_arguments_on(mode: str) -> None:
    script = gvisor.wrapper_script("/usr/bin/runsc", mode)
    assert script.startswith("#!/bin/sh\nexec /usr/bin/runsc --network=")
    assert script.endswith(' "$@"\n')


def test_podman_writes_only_into_the_run() -> None:
    config = tomllib.loads(docker_config.podman_containers(HOME, "crun", "/usr/bin/crun"))
    engine = config["engine"]
    assert (engine["runtime"], engine["runtimes"], engine["lock_type"]) == ("crun", {"crun": ["/usr/bin/crun"]}, "file")
    places = [engine["tmp_dir"], engine["volume_path"], config["network"]["network_config_dir"]]
    storage = tomllib.loads(docker_config.podman_storage(HOME, "vfs", "podman-vfs-crun"))["storage"]
    assert storage["driver"] == "vfs"
    assert all(place.startswith(str(HOME)) for place in (*places, storage["graphroot"]))


def test_podman_keeps_its_state_where_the_path_is_short_enough_for_its_command_line() -> None:
    """Podman's command line, which conmon starts at a container's end, refuses a runroot of more than 50 characters."""
    name = podman_name("fuse-overlayfs", "runsc", "own")
    runroot = tomllib.loads(docker_config.podman_storage(HOME, "vfs", name))["storage"]["runroot"]
    assert runroot.startswith("/run/")  # the lab's own
    assert len(runroot) <= 50
