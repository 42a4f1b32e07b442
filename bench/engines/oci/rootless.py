"""OCI runtimes called by an ordinary user of the host: containers in a user namespace, without control groups."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from bench.core.model import Facts
from bench.engines import oci_hardening, oci_spec, rootless
from bench.engines.base import Instance, InstanceSpec, refuse_limits, refuse_restart
from bench.engines.oci.engine import Oci
from bench.engines.rootless import OrdinaryUser
from bench.lab import images

_OPTIONS = {"crun": ("--cgroup-manager=disabled",), "runsc": ("--rootless", "--ignore-cgroups")}
"""Runtime → what it must be told; gVisor then makes a user namespace of its own, before it reads the configuration."""


class RootlessOci(Oci):
    """An OCI runtime as a child of an ordinary user: setpriv(1) gives up root's rights and becomes the runtime."""

    def _ordinary(self) -> OrdinaryUser:
        return OrdinaryUser(self._lab, lambda: self, self)

    def prepare(self) -> Facts:
        """Give the user what it writes to, and prove by one trial that it can run the bundle here."""
        self._before = rootless.prefix()
        wanted = _OPTIONS.get(self.target.engine, ())
        self._options += [option for option in wanted if option not in self._options]
        states = self._states(self.target.engine)
        states.mkdir(mode=0o700, exist_ok=True)
        rootless.own(states)
        return super().prepare()

    def create(self, spec: InstanceSpec) -> Instance:
        """Create the container; of gVisor's only the bundle, since without root it knows no command but ``run``."""
        if self.target.engine != "runsc":
            return super().create(spec)
        refuse_restart(self.target, spec)
        bundle = self._bundle(spec)
        return Instance(spec.name, set, lambda: None, {"waits": (spec, bundle)})

    def start(self, instance: Instance) -> None:
        """Start the payload in the container."""
        if "waits" not in instance.handle:
            super().start(instance)
            return
        spec, bundle = instance.handle.pop("waits")
        made = self._ran(spec, bundle, "run", "--detach")
        instance.pids, instance.alive, instance.handle = made.pids, made.alive, made.handle

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read also which user of the host the runtime was: the owner of the file to which it wrote the first process."""
        written = self._lab.paths.run / "b" / instance.name / "pid"
        return {**super().evidence(instance), "runtime_user": str(written.stat().st_uid)}

    def _states(self, name: str) -> Path:
        usual = super()._states(name)
        return usual.with_name(f"{usual.name}-rootless")

    def _root_folder(self) -> images.Artifact:
        """Return a copy of the root that belongs to the user, as what it unpacks itself does."""
        usual = super()._root_folder()
        mine = self._states(self.target.engine).with_name(f"{self._states(self.target.engine).name}-root")
        if not mine.exists():
            shutil.copytree(usual.path, mine)
            rootless.own(mine)
        return images.Artifact(mine, usual.digest)

    def _bundle(self, spec: InstanceSpec) -> Path:
        refuse_limits(self.target, spec)
        bundle = super()._bundle(spec)
        rootless.own(bundle)
        return bundle

    def _changed(self, config: oci_spec.Config) -> oci_spec.Config:
        oci_hardening.unprivileged(config, mapped=self.target.engine != "runsc")
        return config
