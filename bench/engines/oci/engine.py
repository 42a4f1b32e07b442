"""OCI runtimes by their command line: runc, crun and runsc (gVisor) take the same verbs and the same bundle."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.core import orphans, proc, proctable
from bench.core.errors import InvocationFailed
from bench.core.model import Facts, Phase, Target
from bench.engines import given, oci_hardening, oci_spec, trial
from bench.engines.abilities import BootFiles
from bench.engines.base import (
    STOP_GRACE_S,
    Instance,
    InstanceSpec,
    Kind,
    Transport,
    refuse_health,
    refuse_log,
    refuse_restart,
)
from bench.engines.evidence import gvisor, process
from bench.engines.oci import gvisor as crashes
from bench.engines.oci.exec import Commands
from bench.engines.rootless import OrdinaryUser
from bench.lab import Lab, images

_GLOBAL: dict[str, tuple[str, ...]] = {
    "runc": (),
    "crun": (),
    # gVisor: let the payload use the event socket, which is on the host's file system; no network, like the others.
    "runsc": ("--network=none", "--fsgofer-host-uds"),
}


class Oci:
    """One OCI runtime, called as a container engine calls it: create, start, kill, delete."""

    phases = frozenset(Phase)
    kind: Kind = "container"
    channel: Transport = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._options = [*_GLOBAL[target.engine]]
        if platform := target.options.get("platform"):
            self._options.append(f"--platform={platform}")
        self.commands = Commands(lambda name: [*self._base, "exec", self._id(name)])
        self._before: list[str] = []
        self.hardening = oci_hardening.Hardener(self, target.engine, lab, self._ordinary())

    def _ordinary(self) -> OrdinaryUser:
        """Return how an ordinary user runs this runtime."""
        from bench.engines.oci.rootless import RootlessOci  # noqa: PLC0415 - a kind of this class

        return OrdinaryUser(self._lab, lambda: RootlessOci(self.target, self._lab))

    def prepare(self) -> Facts:
        """Find the runtime and prove by one trial that it can run the bundle here."""
        name = self.target.engine
        _ = self._lab.daemons  # without root there is no control group to put a container in
        self._program = self._find(name)
        self._rootfs = self._root_folder()
        self.boot_files = BootFiles(own=(self._rootfs.path,))
        self._base = [*self._before, self._program, f"--root={self._states(name)}", *self._options]
        version = proc.run([self._program, "--version"], timeout_s=10).stdout
        trial.run(self, self._lab)
        values = {"version": " ".join(version.split()[:3]), "payload": self._rootfs.digest}
        return Facts(values | {"binary": process.digest(Path(self._program))})

    def _root_folder(self) -> images.Artifact:
        return images.rootfs(self._lab.paths.state)

    def _find(self, name: str) -> str:
        """Return the program: the one that ``bin`` names, else the one on PATH."""
        return given.program(self.target) or proc.find(name, "run 'tare provision oci_runtimes' as root")

    def _states(self, name: str) -> Path:
        """Return the folder in which the runtime keeps its state: one per program."""
        program = self.target.options.get("bin")
        return self._lab.paths.run / (f"{name}-{images.sha256(program.encode())[:8]}" if program else name)

    def create(self, spec: InstanceSpec) -> Instance:
        """Write the bundle and create the container."""
        refuse_restart(self.target, spec)
        return self._made(spec, "create")

    def start(self, instance: Instance) -> None:
        """Start the payload in the container."""
        log = instance.handle["log"]
        command = proc.spawn([*self._base, "start", self._id(instance.name)], stdout=log, stderr=log)
        self._finish(command, instance.handle["timeout_s"], log)

    def launch(self, spec: InstanceSpec) -> Instance:
        """Create and start the container with one command instead of two."""
        return self._made(spec, "run", "--detach")

    def _made(self, spec: InstanceSpec, verb: str, *options: str) -> Instance:
        return self._ran(spec, self._bundle(spec), verb, *options)

    def _ran(self, spec: InstanceSpec, bundle: Path, verb: str, *options: str) -> Instance:
        """Run the command that makes the container of a bundle."""
        pid_file, log = bundle / "pid", bundle / "log"
        base = [*self._base, *(crashes.panic_options(bundle) if self.target.engine == "runsc" else [])]
        argv = [*base, verb, *options, "--bundle", str(bundle), "--pid-file", str(pid_file), self._id(spec.name)]
        self._finish(proc.spawn(argv, stdout=log, stderr=log), spec.timeout_s, log)
        pid = int(pid_file.read_text(encoding="ascii"))
        handle: dict[str, Any] = {"pid": pid, "timeout_s": spec.timeout_s, "log": log}
        return Instance(spec.name, lambda: self._pids(pid, bundle), lambda: _gone(pid, bundle), handle)

    def _pids(self, pid: int, bundle: Path) -> set[int]:
        """Return the container's processes; with gVisor also the gofer, whose command line names the bundle."""
        found = process.family(pid)
        return found | proctable.with_argument(str(bundle)) if found and self.target.engine == "runsc" else found

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read the runtime's own state and what the kernel says of the payload's process."""
        state = json.loads(self._run("state", self._id(instance.name)).check().stdout)
        if state.get("status") != "running":
            msg = f"'{instance.name}' is {state.get('status')}, not running"
            raise InvocationFailed(msg)
        found = dict(process.of_process(int(state["pid"])))
        if self.target.engine == "runsc":
            pid = int(state["pid"])
            found |= {"payload": gvisor.payload(self._rootfs.path), "platform": gvisor.platform(pid)}
        if "bin" in self.target.options:
            found["bin"] = self._program
        return found | {"runtime": self.target.engine, "runtime_digest": process.digest(Path(self._program))}

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM through the runtime and wait until the container has ended; SIGKILL after the grace."""
        pid = {instance.handle["pid"]}
        if not process.runs(instance.handle["pid"]):
            return  # it ended by itself
        self._run("kill", self._id(instance.name), "TERM").check()
        if proctable.wait_until_gone(pid, STOP_GRACE_S):
            self._run("kill", self._id(instance.name), "KILL").check()
            proctable.wait_until_gone(pid, STOP_GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the container and its bundle; succeed when there is none."""
        bundle = self._lab.paths.run / "b" / name
        if bundle.exists():
            done = self._run("delete", "--force", self._id(name))
            if done.status != 0 and "does not exist" not in done.stderr and "not found" not in done.stderr:
                done.check()
            shutil.rmtree(bundle, ignore_errors=True)

    def _id(self, name: str) -> str:
        return gvisor.container_id(name) if self.target.engine == "runsc" else name

    def _run(self, *arguments: str) -> proc.Completed:
        return proc.run([*self._base, *arguments], timeout_s=30)

    def _bundle(self, spec: InstanceSpec) -> Path:
        """Write the bundle of a container, unless its spec asks for what the runtime has not."""
        refuse_log(self.target, spec)
        refuse_health(self.target, spec)
        self.hardening.check(spec)
        bundle = self._lab.paths.run / "b" / spec.name
        bundle.mkdir()
        config = oci_spec.config(
            spec=spec, rootfs_path=self._rootfs.path, cgroup_path=f"{self._lab.cgroup_path}/{spec.name}"
        )
        (bundle / "config.json").write_text(json.dumps(self._changed(config)), encoding="utf-8")
        return bundle

    def _changed(self, config: oci_spec.Config) -> oci_spec.Config:
        """Return the configuration as this runtime is given it."""
        return config

    def _finish(self, command: proc.Process, timeout_s: float, log: Path) -> None:
        """Wait for the runtime's command; it writes to the bundle's log because the payload inherits its output."""
        try:
            status = command.wait(timeout_s)
        except BaseException:
            command.send(signal.SIGKILL, group=True)
            with contextlib.suppress(InvocationFailed):
                command.wait(STOP_GRACE_S)
            raise
        if status != 0:
            said = log.read_text(encoding="utf-8", errors="replace").strip() or "it said nothing"
            verb = next(word for word in command.argv if word in ("create", "start", "run"))
            msg = f"'{self.target.engine} {verb}' ended with {proc.describe_status(status)}: {said[-400:]}"
            raise InvocationFailed(msg)


def _gone(pid: int, bundle: Path) -> str | None:
    if process.runs(pid):
        return None
    said = crashes.panic(bundle)
    return f"the container's first process {orphans.end_of(pid)}" + (f": {said}" if said else "")
