"""The lab's containerd with the CRI plugin; a second daemon beside the one without it."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.core import proc
from bench.engines.builds import DEFAULT, Build
from bench.engines.containerd.daemon import REMEDY
from bench.engines.cri import config
from bench.lab import Lab, images
from bench.lab.daemons import Daemons, listens

PLUGIN_FOLDERS = ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")
"""Folders in which distributions, and CNI's own releases, put network plugins."""
_PLUGIN_CACHE = Path("/var/lib/cni")
"""Where CNI's library notes each network of a pod (libcni, ``CacheDir``); no daemon has a setting for it."""


def cri_name(build: Build = DEFAULT) -> str:
    """Return the name of the containerd with the CRI plugin among the lab's daemons."""
    return build.name("containerd", "cri")


def start_cri(lab: Lab, build: Build = DEFAULT) -> Path:
    """Start the containerd with the CRI plugin, unless it runs, and return its socket.

    Raises:
        TargetUnavailable: It is not installed, or the lab can start no daemons.
        LabError: It does not start.
    """
    daemons = lab.daemons
    name = cri_name(build)
    home = daemons.home(name)
    sock = home / "c.sock"
    if name not in daemons.running:
        program = build.program or proc.find("containerd", REMEDY)
        found = {runtime: build.beside(runtime) or shutil.which(runtime) for runtime in ("runc", "crun")}
        runtimes = {runtime: path for runtime, path in found.items() if path}
        plugins = _prepare_networks(daemons, home)
        text = config.containerd(home, sock, f"docker.io/{images.IMAGE}", plugins, runtimes)
        (home / "config.toml").write_text(text, encoding="utf-8")
        argv = [program, "--config", str(home / "config.toml"), "--log-level", "warn"]
        daemons.start(name, argv, lambda: listens(sock), env=build.environment)
    return sock


def _prepare_networks(daemons: Daemons, home: Path) -> Path | None:
    """Write the pods' networks and return the folder of network plugins; ``None`` without plugins.

    The CRI plugin then says itself that there is no network, which becomes the reason why the target is unavailable.
    """
    plugins = next((Path(folder) for folder in PLUGIN_FOLDERS if (Path(folder) / "bridge").exists()), None)
    if plugins is not None:
        for kind in config.POD_NETWORKS:
            (home / "net.d" / kind).mkdir(parents=True, exist_ok=True)
            conflist = home / "net.d" / kind / "10-tare.conflist"
            conflist.write_text(config.pod_network(home, kind), encoding="utf-8")
        daemons.namespace.hide(_PLUGIN_CACHE)
    return plugins
