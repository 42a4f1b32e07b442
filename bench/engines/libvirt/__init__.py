"""Virtual machines by libvirt and QEMU."""

from __future__ import annotations

from bench.engines.declaration import BASE_ROLES, EngineType

LIBVIRT = EngineType(
    name="libvirt",
    factory="bench.engines.libvirt.engine:Libvirt",
    options={
        "guest": ("minimal", "full"),
        "machine": ("q35", "pc"),
        "accel": ("kvm", "tcg"),
        "network": ("none", "user", "bridge", "macvtap"),
        "disk": ("none", "raw", "qcow2", "shared"),
        "kernel": (),
    },
    files={"kernel": "a Linux kernel (bzImage)"},
    extra="libvirt",
    undo={"domain": ""},
    roles=(*BASE_ROLES, "libvirt", "guest_images"),
    title="Virtual machine",
)

ENGINES = (LIBVIRT,)
