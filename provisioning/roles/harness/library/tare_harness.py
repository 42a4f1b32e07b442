#!/usr/bin/python
"""Ansible's module ``tare_harness``: look for a Python and for a Tare on a host, and install Tare from a wheelhouse."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: tare_harness
short_description: Look for a Python and for a Tare on a host, and install Tare from a wheelhouse
author: Tare
options:
  state:
    description: C(look) only says what is there; C(present) installs.
    choices: [look, present]
    default: look
  home:
    description: The virtual environment of Tare.
    required: true
    type: path
  pythons:
    description: Programs to try as its Python, the first that fits is taken.
    type: list
    elements: str
    required: true
  requires_python:
    description: Versions of Python that Tare accepts, such as C(>=3.11).
    required: true
  wheel:
    description: Name of Tare's own wheel in the wheelhouse.
    required: true
  wheel_sha256:
    description: Its digest, by which an installation is known to be this one.
    required: true
  archive:
    description: The wheelhouse on the host; it is removed when Tare is installed.
    type: path
  archive_sha256:
    description: Its digest.
  extras:
    description: What is installed with Tare.
    default: engines
  index:
    description: Whether pip takes what Tare needs from the host's own package index instead of the wheelhouse.
    type: bool
    default: false
"""

MARK = "tare-installed.json"
PROBE = """
import json, platform, sys, sysconfig
def there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
libc, version = platform.libc_ver()
print(json.dumps({
    "version": "%d.%d%s" % (sys.version_info[0], sys.version_info[1], "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""),
    "full": platform.python_version(),
    "implementation": sys.implementation.name,
    "machine": platform.machine(),
    "glibc": version if libc == "glibc" else libc or "none",
    "venv": there("venv"),
    "ensurepip": there("ensurepip"),
}))
"""


class Failed(Exception):
    """Tare cannot be installed; the message says why."""


def look(given):
    """Return the Python to use, or the problem with those that are there; whether Tare is installed; free bytes."""
    found, problem = choose(given["pythons"], given["requires_python"])
    return {
        "python": found,
        "problem": problem,
        "installed": is_installed(Path(given["home"]), given["wheel_sha256"]),
        "free_bytes": free_bytes(Path(given["home"])),
    }


def choose(pythons, requires):
    """Return the first Python that fits, and what is wrong if none does."""
    seen = []
    for name in pythons:
        program = shutil.which(name)
        facts = facts_of(program) if program else None
        if facts and facts["implementation"] == "cpython" and fits(facts["full"], requires):
            return dict(facts, path=program), ""
        if facts:
            seen.append(f"{program} is {facts['implementation']} {facts['full']}")
    there = "; ".join(seen) or f"there is no {pythons[0]}"
    remedy = "install one there, and name it by harness_python if it is not on PATH"
    return {}, f"{there}, and Tare needs Python {requires}; {remedy}"


def facts_of(program):
    """Return what a Python says of itself; None if it does not answer."""
    try:
        return json.loads(subprocess.check_output([program, "-I", "-S", "-c", PROBE], stderr=subprocess.DEVNULL))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def fits(version, requires):
    """Say whether a version is at least the one that is required."""
    least = re.match(r">=\s*(\d+)\.(\d+)", requires)
    return least is None or numbers(version)[:2] >= [int(part) for part in least.groups()]


def numbers(version):
    """Return the numbers of a version."""
    return [int(part) for part in re.findall(r"\d+", version)]


def is_installed(home, digest):
    """Say whether the Tare of this digest is installed, and starts."""
    try:
        known = json.loads((home / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return known.get("wheel") == digest and starts(home)


def starts(home):
    """Say whether the installed Tare starts."""
    try:
        subprocess.check_output([str(home / "bin/tare"), "--version"], stderr=subprocess.STDOUT)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def free_bytes(path):
    """Return the free bytes where a folder is, or will be."""
    while not path.exists():
        path = path.parent
    found = os.statvfs(str(path))
    return found.f_bavail * found.f_frsize


def install(given):
    """Install Tare; what a failed attempt made of a new environment is removed, so that the next one begins anew."""
    home, archive = Path(given["home"]), Path(given["archive"])
    is_new = not (home / "bin/python").exists()
    try:
        if digest(archive) != given["archive_sha256"]:
            raise Failed(f"'{archive}' has another digest than the wheelhouse that was sent")
        wheels = unpack(archive, home / "wheels")
        if (home / MARK).exists():
            (home / MARK).unlink()
        environment(home, given)
        packages(home, wheels, given)
        if not starts(home):
            raise Failed(f"'{home / 'bin/tare'}' was installed and does not start")
        (home / MARK).write_text(json.dumps({"wheel": given["wheel_sha256"]}), encoding="utf-8")
    except (Failed, OSError, tarfile.TarError) as error:
        if is_new:
            empty(home, archive)
        raise Failed(f"{home}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        shutil.rmtree(str(home / "wheels"), ignore_errors=True)
    archive.unlink()


def unpack(archive, folder):
    """Unpack the wheels; return the folder."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(str(archive)) as tar:
        for member in tar:
            if not member.isfile() or Path(member.name).name != member.name:
                raise Failed(f"'{member.name}' is no wheel")
            with tar.extractfile(member) as source, (folder / member.name).open("wb") as target:
                shutil.copyfileobj(source, target)
    return folder


def environment(home, given):
    """Make the virtual environment; pip comes from the wheelhouse, or from the host's Python with its own index."""
    python, problem = choose(given["pythons"], given["requires_python"])
    if problem:
        raise Failed(problem)
    pip = [] if given["index"] else ["--without-pip"]
    run([python["path"], "-m", "venv", *pip, str(home)])


def packages(home, wheels, given):
    """Install Tare and what it needs."""
    python = str(home / "bin/python")
    wanted = [f"{wheels / given['wheel']}[{given['extras']}]"]
    if given["index"]:
        pip, env, where = [python, "-m", "pip"], {}, []
    else:
        (own,) = wheels.glob("pip-*.whl")
        pip, env = [python, str(own / "pip")], {"PIP_CONFIG_FILE": os.devnull}
        where = ["--no-index", "--find-links", str(wheels), "--no-compile"]
        wanted.append("pip")
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check"]
    if list(home.glob("lib/python*/site-packages/tare_bench-*.dist-info")):
        run([*pip, "uninstall", "--yes", *quiet, "tare-bench"], env)  # its version may be the same
    run([*pip, "install", *quiet, *where, *wanted], env)


def run(argv, env=None):
    """Run a program; what it says is the reason if it fails."""
    done = subprocess.run(
        argv, env=dict(os.environ, **(env or {})), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        lines = [line.strip() for line in done.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR: ")]
        raise Failed("; ".join((errors or lines)[-2:]) or f"'{argv[0]}' ended with {done.returncode}")


def empty(home, archive):
    """Remove everything but the wheelhouse, which the next attempt need not be sent again unless the disk is full."""
    for path in home.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(str(path), ignore_errors=True)
        elif path != archive or not free_bytes(home):
            path.unlink()


def digest(path):
    """Return the SHA-256 of a file."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            whole.update(part)
    return whole.hexdigest()


def main():
    """Do what the task asks."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["look", "present"], "default": "look"},
            "home": {"type": "path", "required": True},
            "pythons": {"type": "list", "elements": "str", "required": True},
            "requires_python": text,
            "wheel": text,
            "wheel_sha256": text,
            "archive": {"type": "path"},
            "archive_sha256": {"type": "str"},
            "extras": {"type": "str", "default": "engines"},
            "index": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ("archive", "archive_sha256"))],
        supports_check_mode=True,
    )
    if module.params["state"] == "look":
        module.exit_json(changed=False, **look(module.params))
    if not module.check_mode:
        try:
            install(module.params)
        except Failed as error:
            module.fail_json(msg=str(error))
    module.exit_json(changed=True)


if __name__ == "__main__":
    main()
