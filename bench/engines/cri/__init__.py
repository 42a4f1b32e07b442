"""Runtimes that speak the Container Runtime Interface (CRI): containerd and CRI-O."""

from __future__ import annotations

from bench.engines.declaration import BASE_ROLES, PROGRAM, EngineType

CRI = EngineType(
    name="cri",
    factory="bench.engines.cri.engine:Cri",
    options={"endpoint": (), "network": ("bridge", "ptp", "macvlan", "host"), "runtime": (), "bin": ()},
    files=PROGRAM,
    sockets={"endpoint": ("lab",)},
    examined=("cri", "cri:network=host"),
    extra="cri",
    check="bench.engines.builds:of_target",
    undo={"pod": "bench.engines.cri.undo:pod", "pod image": "bench.engines.cri.undo:image"},
    roles=(*BASE_ROLES, "oci_runtimes", "containerd", "cni"),
    title="Kubernetes pod",
    compared_with={"cri": ("containerd",), "cri:network=host": ("containerd",)},
    stands_on="containerd",
)

ENGINES = (CRI,)
