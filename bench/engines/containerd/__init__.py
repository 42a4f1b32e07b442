"""containerd by its gRPC API."""

from __future__ import annotations

from bench.engines.declaration import BASE_ROLES, IMAGE_ROLES, MOUNTS, PROGRAM, EngineType

CONTAINERD = EngineType(
    name="containerd",
    factory="bench.engines.containerd.engine:Containerd",
    options={
        "snapshotter": ("overlayfs", "native", "btrfs", "devmapper", "zfs"),
        "runtime": ("runc", "crun", "runsc"),
        "mount": MOUNTS,
        "log": ("none", "file", "binary"),
        "bin": (),
    },
    files=PROGRAM,
    examined=("containerd:runtime=runsc",),
    extra="containerd",
    check="bench.engines.builds:of_target",
    roles=(*BASE_ROLES, "oci_runtimes", "containerd", *IMAGE_ROLES),
    compared_with={"containerd": ("runc",)},
)

ENGINES = (CONTAINERD,)
