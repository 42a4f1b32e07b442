"""The configuration of the lab's containerd: pure text, so that it can be read and tested without a daemon."""

from __future__ import annotations

from pathlib import Path

from bench.core.quoting import toml


def containerd(home: Path, sock: Path, pool: str = "") -> str:
    """Return the configuration of containerd without its CRI plugin (containerd-config.toml(5), version 2).

    ``pool`` is the thin pool of its devmapper snapshotter, which is left out without one; a base image has 4 GiB.
    """
    mapper = (
        f'[plugins."io.containerd.snapshotter.v1.devmapper"]\nroot_path = {toml(home / "devmapper")}\npool_name = {toml(pool)}\n'
        f'base_image_size = "4GB"\nfs_type = "ext4"\n'
    )
    return (
        f"version = 2\nroot = {toml(home / 'root')}\nstate = {toml(home / 'state')}\n"
        f'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]\n'
        f"[grpc]\naddress = {toml(sock)}\n[ttrpc]\naddress = {toml(f'{sock}.ttrpc')}\n{mapper if pool else ''}"
    )
