"""Docker and Podman by Docker's API."""

from __future__ import annotations

from bench.engines.declaration import BASE_ROLES, IMAGE_ROLES, MOUNTS, PROGRAM, EngineType

DOCKER = EngineType(
    name="docker",
    factory="bench.engines.docker.engine:Docker",
    options={
        "network": ("bridge", "user", "internal", "host", "none", "macvlan", "overlay", "published", "proxied"),
        "storage": ("overlay2", "vfs", "fuse-overlayfs", "btrfs", "zfs", "devicemapper", "aufs"),
        "mount": MOUNTS,
        "runtime": ("runc", "crun", "runsc"),
        "endpoint": ("lab", "system"),
        "client": ("api", "cli"),
        "log": ("json-file", "local", "none", "journald", "syslog"),
        "delivery": ("blocking", "non-blocking"),
        "bin": (),
        "config": (),
    },
    files=PROGRAM | {"config": "a daemon.json"},
    examined=("docker:client=cli", "docker:network=none,runtime=runsc"),
    extra="docker",
    check="bench.engines.docker.settings:build",
    undo={kind: f"bench.engines.docker.undo:{kind}" for kind in ("container", "image", "volume")},
    roles=(*BASE_ROLES, "oci_runtimes", "containerd", "storage", "docker", "logging", *IMAGE_ROLES, "compose"),
    title="Docker",
    option_titles={"client=cli": "Docker's command line"},
    compared_with={
        "docker": ("docker:network=none", "podman", "cri"),
        "docker:network=none": ("containerd",),
        "docker:client=cli,network=none": ("docker:network=none",),
    },
    stands_on="containerd",
)

PODMAN = EngineType(
    name="podman",
    factory="bench.engines.docker.podman:Podman",
    options={
        "network": ("bridge", "user", "internal", "host", "none", "published"),
        "storage": ("overlay", "vfs"),
        "mount": MOUNTS,
        "runtime": ("crun", "runc"),
        "log": ("k8s-file", "journald", "none", "passthrough"),
    },
    extra="podman",
    roles=(*BASE_ROLES, "oci_runtimes", "podman", *IMAGE_ROLES, "compose"),
    title="Podman",
)

ENGINES = (DOCKER, PODMAN)
