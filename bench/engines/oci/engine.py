"""OCI runtimes by their command line: runc, crun and runsc (gVisor) take the same verbs and the same bundle."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bench.core import orphans, proc, proctable
from bench.core.errors import InvocationFailed
from bench.core.model import Facts, Phase, Target
from bench.engines import given as _given
from bench.engines import oci_spec, trial
from bench.engines.base import Instance, InstanceSpec
from bench.engines.evidence import gvisor
from bench.engines.evidence import process as _evidence
from bench.lab import Lab, images

_GRACE_S = 10.0
_GLOBAL: dict[str, tuple[str, ...]] = {
    "runc": (),
    "crun": (),
    # gVisor: the payload may reach the event socket, which is on the host's file system; and no network, as the others.
    "runsc": ("--network=none", "--fsgofer-host-uds"),
}


class Oci:
    """One OCI runtime, driven as an engine would drive it: create, start, kill, delete."""

    phases = frozenset(Phase)
    channel: Literal["datagram", "stream"] = "datagram"

    def __init__(self, target: Target, lab: Lab) -> None:
        self.target = target
        self._lab = lab
        self._options = [*_GLOBAL[target.engine]]
        if platform := target.options.get("platform"):
            self._options.append(f"--platform={platform}")

    def prepare(self) -> Facts:
        """Find the runtime and prove by one trial that it can run the bundle here."""
        name = self.target.engine
        _ = self._lab.daemons  # without root there is no control group to put a container in
        self._program = self._find(name)
        self._rootfs = images.rootfs(self._lab.paths.state)
        self._base = [self._program, f"--root={self._lab.paths.run / self._home(name)}", *self._options]
        version = proc.run([self._program, "--version"], timeout_s=10).stdout
        trial.run(self, self._lab)
        values = {"version": " ".join(version.split()[:3]), "payload": self._rootfs.digest}
        return Facts(values | {"binary": _evidence.digest(Path(self._program))})

    def _find(self, name: str) -> str:
        """Return the program: the one that ``bin`` names, else the one on PATH."""
        return _given.program(self.target) or proc.find(name, "run 'tare provision oci_runtimes' as root")

    def _home(self, name: str) -> str:
        """Return the name of the folder in which the runtime keeps its state: one for each program."""
        given = self.target.options.get("bin")
        return f"{name}-{images.sha256(given.encode())[:8]}" if given else name

    def create(self, job: InstanceSpec) -> Instance:
        """Write the bundle and create the container."""
        return self._made(job, "create")

    def start(self, instance: Instance) -> None:
        """Start the payload in the container."""
        log = instance.handle["log"]
        process = proc.spawn([*self._base, "start", self._id(instance.name)], stdout=log, stderr=log)
        self._finish(process, instance.handle["timeout_s"], log)

    def launch(self, job: InstanceSpec) -> Instance:
        """Create and start the container by one command instead of two."""
        return self._made(job, "run", "--detach")

    def _made(self, job: InstanceSpec, verb: str, *options: str) -> Instance:
        bundle = self._bundle(job)
        pid_file, log = bundle / "pid", bundle / "log"
        argv = [*self._base, verb, *options, "--bundle", str(bundle), "--pid-file", str(pid_file), self._id(job.name)]
        self._finish(proc.spawn(argv, stdout=log, stderr=log), job.timeout_s, log)
        pid = int(pid_file.read_text(encoding="ascii"))
        handle: dict[str, Any] = {"pid": pid, "timeout_s": job.timeout_s, "log": log}
        return Instance(job.name, lambda: self._pids(pid, bundle), lambda: _gone(pid), handle)

    def _pids(self, pid: int, bundle: Path) -> set[int]:
        """Return the container's processes; gVisor's also the one who opens files for it, which names the bundle."""
        found = _evidence.family(pid)
        return found | proctable.with_argument(str(bundle)) if found and self.target.engine == "runsc" else found

    def evidence(self, instance: Instance) -> Mapping[str, str]:
        """Read the runtime's own state and what the kernel says of the payload's process."""
        state = json.loads(self._run("state", self._id(instance.name)).check().stdout)
        if state.get("status") != "running":
            msg = f"'{instance.name}' is {state.get('status')}, not running"
            raise InvocationFailed(msg)
        found = dict(_evidence.of_process(int(state["pid"])))
        if self.target.engine == "runsc":
            pid = int(state["pid"])
            found |= {"payload": gvisor.payload(self._rootfs.path), "platform": gvisor.platform(pid)}
        if "bin" in self.target.options:
            found["bin"] = self._program
        return found | {"runtime": self.target.engine, "runtime_digest": _evidence.digest(Path(self._program))}

    def stop(self, instance: Instance) -> None:
        """Send SIGTERM by the runtime and wait for the end, SIGKILL after the grace."""
        pid = {instance.handle["pid"]}
        if not _evidence.runs(instance.handle["pid"]):
            return  # it ended by itself
        self._run("kill", self._id(instance.name), "TERM").check()
        if proctable.wait_until_gone(pid, _GRACE_S):
            self._run("kill", self._id(instance.name), "KILL").check()
            proctable.wait_until_gone(pid, _GRACE_S)

    def delete(self, name: str) -> None:
        """Remove the container and its bundle; succeeds when there is none."""
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

    def _bundle(self, job: InstanceSpec) -> Path:
        bundle = self._lab.paths.run / "b" / job.name
        bundle.mkdir()
        config = oci_spec.spec(
            job=job, rootfs_path=self._rootfs.path, cgroup_path=f"{self._lab.cgroup_path}/{job.name}"
        )
        (bundle / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return bundle

    def _finish(self, process: proc.Process, timeout_s: float, log: Path) -> None:
        """Wait for the runtime's command; its output is in the bundle's log because the payload inherits it."""
        try:
            status = process.wait(timeout_s)
        except BaseException:
            process.send(signal.SIGKILL, group=True)
            with contextlib.suppress(InvocationFailed):
                process.wait(_GRACE_S)
            raise
        if status != 0:
            said = log.read_text(encoding="utf-8", errors="replace").strip() or "it said nothing"
            verb = next(word for word in process.argv if word in ("create", "start", "run"))
            msg = f"'{self.target.engine} {verb}' ended with {proc.describe_status(status)}: {said[-400:]}"
            raise InvocationFailed(msg)


def _gone(pid: int) -> str | None:
    return None if _evidence.runs(pid) else f"the container's first process {orphans.end_of(pid)}"
