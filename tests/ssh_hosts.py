"""Hosts that ssh reaches, each on this kernel in network, mount, UTS and PID namespaces of its own with its own sshd.

The controller is a network namespace, too, so that all traffic stays in namespaces that end with their last process. Of the host's own
ssh nothing is used: no service, no keys, no known hosts.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.inventory import MARK

SSHD = Path("/usr/sbin/sshd")
ADDRESS = "10.99.0."
_PATIENCE_S = 30.0

_CONTROLLER = """
ip link set lo up
ip link add bridge type bridge
ip address add {address}1/24 dev bridge
ip link set bridge up
exec sleep infinity
"""

_HOST = """
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -m 0755 /run/sshd
mount -t tmpfs tmpfs /dev/shm
mount {disk} /var/tmp
for path in {hidden}; do mount -t tmpfs -o mode=0755 tmpfs "$path"; done
chmod 1777 /var/tmp
mount --bind {folder}/passwd /etc/passwd
mount --bind {folder}/shadow /etc/shadow
hostname {hostname}
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
ip address add {address}/24 dev eth0
ip link set eth0 up
{sshd} -D -e -f {folder}/sshd_config 2>{folder}/sshd.log &
wait
"""

_CONFIG = """
HostKey {folder}/host_key
AuthorizedKeysFile {keys}
PidFile none
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
StrictModes no
UseDNS no
ListenAddress 0.0.0.0:22
Subsystem sftp internal-sftp
"""


@dataclass
class Host:
    """A host.

    Attributes:
        name: Its name in the inventory.
        address: Its address.
        folder: Its files: keys, configuration, home.
        hostname: What it calls itself.
        disk: Options of ``mount`` for its /var/tmp, where runs are until they are fetched.
        hidden: Folders of this machine that are empty there.
        env: More of the environment of those who log in.
        variables: Its variables in the inventory.
    """

    name: str
    address: str
    folder: Path
    hostname: str
    disk: str
    hidden: Sequence[Path] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The state folder of its Tare."""
        return self.folder / "state"


class Network:
    """The controller's network namespace and the hosts that are attached to it; use as a context manager.

    Args:
        folder: A short path for all files.
        state: A state folder with the compiled payload, which each host gets a copy of.
    """

    def __init__(self, folder: Path, state: Path) -> None:
        self.folder = folder
        self.hosts: dict[str, Host] = {}
        self._state = state
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Network:
        self._keygen(self.folder / "key")
        script = _CONTROLLER.format(address=ADDRESS)
        self._controller = self._start(["unshare", "--net", "--", "sh", "-ec", script])
        _until(lambda: self._inside(["ip", "-4", "-o", "address", "show", "bridge"]).stdout.strip() != "")
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._running):
            self.kill(name)
        self._end(self._controller)

    def add(
        self,
        name: str,
        *,
        hostname: str = "",
        disk: str = "",
        hidden: Sequence[Path] = (),
        env: Mapping[str, str] | None = None,
        **variables: str,
    ) -> Host:
        """Add a host and start it; its /var/tmp is a folder that outlives a restart unless ``disk`` says otherwise."""
        folder = self.folder / name
        (folder / "home").mkdir(parents=True)
        (folder / "tmp").mkdir()
        shutil.copytree(self._state, folder / "state")
        self._keygen(folder / "host_key")
        host = Host(
            name,
            f"{ADDRESS}{10 + len(self.hosts)}",
            folder,
            hostname or name,
            disk or f"--bind {folder / 'tmp'}",
            hidden,
            env or {},
            {"tare_state_dir": str(folder / "state"), **variables},
        )
        self.hosts[name] = host
        self._accounts(host)
        config = _CONFIG.format(folder=folder, keys=self.folder / "key.pub")
        if host.env:
            config += "SetEnv " + " ".join(f"{key}={value}" for key, value in host.env.items()) + "\n"
        (folder / "sshd_config").write_text(config)
        self.start(name)
        return host

    def start(self, name: str) -> None:
        """Start a host, as after a boot."""
        host = self.hosts[name]
        script = _HOST.format(
            disk=host.disk,
            hidden=shlex.join(map(str, host.hidden)),
            folder=host.folder,
            hostname=host.hostname,
            address=host.address,
            sshd=SSHD,
        )
        spaces = [
            "--mount",
            "--uts",
            "--net",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ]
        (host.folder / "sshd.log").unlink(missing_ok=True)
        process = self._running[name] = self._start(["unshare", *spaces, "--", "sh", "-ec", script])
        _until(lambda: _apart(process.pid))
        number = int(host.address.rpartition(".")[2])
        link = f"h{number}"
        card = ["name", "eth0", "address", f"02:00:00:00:00:{number:02x}"]  # a boot does not change it
        self._inside(["ip", "link", "add", link, "type", "veth", "peer", *card, "netns", str(process.pid)], check=True)
        self._inside(["ip", "link", "set", link, "master", "bridge", "up"], check=True)
        _until(
            lambda: (
                b"listening" in (host.folder / "sshd.log").read_bytes()
                if (host.folder / "sshd.log").exists()
                else False
            )
        )

    def kill(self, name: str) -> None:
        """End everything on a host at once."""
        if process := self._running.pop(name, None):
            self._end(process)
            self.hosts[name].folder.joinpath("sshd.log").unlink(missing_ok=True)

    def inventory(self, *, wrong: Sequence[str] = (), away: Sequence[str] = ()) -> Path:
        """Write the inventory and the known hosts; ``wrong`` have another key there, ``away`` are addresses without a host."""
        other = self.folder / "other_key"
        if wrong and not other.exists():
            self._keygen(other)
        known = self.folder / "known_hosts"
        keys = {name: other if name in wrong else host.folder / "host_key" for name, host in self.hosts.items()}
        known.write_text("".join(f"{self.hosts[name].address} {_public(path)}\n" for name, path in keys.items()))
        options = f"-o UserKnownHostsFile={known} -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes -F /dev/null"
        common = {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": self.folder / "key",
            "ansible_ssh_common_args": options,
            "ansible_ssh_timeout": 6,
        }
        lines = ["all:", "  vars:", *(f"    {key}: {value}" for key, value in common.items()), "  hosts:"]
        for name, host in self.hosts.items():
            lines += [f"    {name}:", f"      ansible_host: {host.address}"]
            lines += [f"      {key}: {value}" for key, value in host.variables.items()]
        for number, name in enumerate(away):
            lines += [f"    {name}:", f"      ansible_host: {ADDRESS}{200 + number}"]
        path = self.folder / "inventory.yml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def enter(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs a program in the controller's network namespace."""
        return ["nsenter", f"--net=/proc/{self._controller.pid}/ns/net", "--", *argv]

    def _inside(self, argv: Sequence[str], *, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.enter(argv), capture_output=True, text=True, check=check)

    def _start(self, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process that ends with this one."""
        name, _, value = MARK.partition("=")
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, name: value},
        )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    @staticmethod
    def _keygen(path: Path) -> None:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tare-tests", "-f", str(path)]
        subprocess.run(argv, check=True)

    @staticmethod
    def _accounts(host: Host) -> None:
        """Write the host's accounts: root with a home of its own and a password that nobody has, and sshd's."""
        lines = Path("/etc/passwd").read_text().splitlines()
        kept = [line for line in lines if not line.startswith(("root:", "sshd:"))]
        own = [f"root:x:0:0:root:{host.folder}/home:/bin/sh", "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin"]
        (host.folder / "passwd").write_text("\n".join([*own, *kept]) + "\n")
        (host.folder / "shadow").write_text("root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n")


def _public(path: Path) -> str:
    return path.with_name(f"{path.name}.pub").read_text().strip()


def _apart(pid: int) -> bool:
    """Say whether a process is in a network namespace of its own."""
    return Path(f"/proc/{pid}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "a host did not come up"
        time.sleep(0.02)


@contextlib.contextmanager
def network(state: Path) -> Iterator[Network]:
    """Yield a network without hosts; everything is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tf-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with Network(folder, state) as found:
            yield found
    finally:
        shutil.rmtree(folder)


def wrapper(path: Path, argv: Sequence[str], **env: str) -> Path:
    """Write a program that runs another one with more environment."""
    given = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items())
    path.write_text(f'#!/bin/sh\nexec env {given} {shlex.join(argv)} "$@"\n')
    path.chmod(0o755)
    return path
