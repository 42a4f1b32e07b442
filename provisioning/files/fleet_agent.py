"""The part of a fleet's run that works on each host: start Tare, say how far it is, hand over its files, remove them.

The action plugin ``tare_fleet`` sends this file to the host's own Python (3.6 or newer, nothing but its standard library),
followed by a call of :func:`main` with a request. It answers with one line of JSON. Nothing of it stays: a shell waits for Tare.
"""

import base64
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path

MARK = "TARE-FLEET "
RESERVED_BYTES = 64 * 1024  # of standard error, so that the reason can be written to a disk that is full
LONGEST_S = 172800  # a run that takes longer than two days is interrupted
TAIL_BYTES = 8192
BEGUN, OUT, ERR, CODE, PID = "begun.json", "stdout", "stderr", "exit-code", "pid"
NO_CODE = "none"
WAIT = """
timeout --signal=INT --kill-after=300 "$0" "$@"
code=$?
printf '%-4s' "$code" 1<> "$TARE_FLEET_CODE"
"""


class Refused(Exception):
    """The request cannot be done here; the message says why."""


def begin(request):
    """Make the run's folder, write what it needs, and start Tare in it, in a session of its own."""
    folder = own_folder(Path(request["place"]), request["fleet"], request["host"])
    try:
        program, env = request["program"], {**os.environ, **request["env"]}
        if not (Path(program).is_file() and os.access(program, os.X_OK)):
            remedy = "give tare_program its absolute path, or leave it out to have Tare installed"
            message = f"'{program}' is no program there: {remedy}"
            raise Refused(message)
        home = Path(request["home"] or folder)
        home.mkdir(parents=True, exist_ok=True)
        known = {
            "fleet": request["fleet"],
            "host": request["host"],
            "version": version_of(program, env),
            "machine": machine(),
            "results": str(home / "results"),
            "before": runs_of(home / "results"),
        }
        for name, text in request["files"].items():
            write(home / name, text)
        write(folder / BEGUN, json.dumps(known))
        start(folder, home, [program, *request["words"], "--results", known["results"]], env)
    except Exception:
        remove(folder)
        raise
    return {"folder": str(folder), "version": known["version"], "machine": known["machine"]}


def own_folder(place, fleet, host):
    """Make a folder below ``place`` that only this user can enter; others may write to ``place``'s parent."""
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.lstat()
    if place.is_symlink() or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        message = f"'{place}' is there and is not a folder that only this user can enter"
        raise Refused(message)
    folder = place / fleet / host
    try:
        folder.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        message = f"'{folder}' is there already"
        raise Refused(message) from None
    return folder


def version_of(program, env):
    """Return what the program says of its version; empty if it says nothing."""
    try:
        said = subprocess.check_output(
            [program, "--version"], env=env, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=60
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.decode("utf-8", "replace").strip().split(" ")[-1][:80]


def machine():
    """Return what tells machines apart: the name that the host has itself, and the id of the boot of its kernel."""
    boot = text_of(Path("/proc/sys/kernel/random/boot_id")).strip()
    return {"name": socket.gethostname(), "boot": boot, "python": ".".join(map(str, sys.version_info[:3]))}


def start(folder, home, argv, env):
    """Start the program, and a shell that keeps its exit code."""
    reserve(folder / ERR, b"", RESERVED_BYTES)
    reserve(folder / CODE, NO_CODE.encode(), len(NO_CODE))
    with (folder / OUT).open("wb") as out, (folder / ERR).open("r+b") as err:
        child = subprocess.Popen(
            ["/bin/sh", "-c", WAIT, str(LONGEST_S), *argv],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=str(home),
            env={**env, "TARE_FLEET_CODE": str(folder / CODE)},
            start_new_session=True,
        )
    write(folder / PID, f"{child.pid} {born(child.pid)}")


def reserve(path, content, size):
    """Make a file whose first ``size`` bytes have room on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.posix_fallocate(file.fileno(), 0, size)


def born(pid):
    """Return when a process was started, as the kernel counts it; empty when it is gone or only waits to be reaped."""
    fields = text_of(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return "" if not fields or fields[0] in "ZX" else fields[19]


def state(request):
    """Return whether the run goes on, how it ended, what it said last, and its files if it has ended."""
    folder = Path(request["folder"])
    if not folder.is_dir():
        return {"state": "gone"}
    pid, _, at = text_of(folder / PID).partition(" ")
    lives = bool(at) and born(pid) == at.strip()
    code = text_of(folder / CODE).strip()  # after the look at the process, whose last act is to write it
    if code.isdigit():
        return {"state": "ended", "code": int(code), "said": said(folder), **files(folder)}
    if lives:
        return {"state": "running", "said": said(folder)}
    return {"state": "cut off", "said": said(folder), **files(folder)}


def said(folder):
    """Return the end of what Tare wrote to standard error; the part of the file that was only reserved is left out."""
    try:
        with (folder / ERR).open("rb") as file:
            head = file.read(RESERVED_BYTES).rstrip(b"\0")
            file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - TAIL_BYTES))
            data = head + file.read()
    except OSError:
        return ""
    return data[-TAIL_BYTES:].decode("utf-8", "replace").strip()


def files(folder):
    """Return the new runs with size and SHA-256 of each of their files."""
    known = json.loads(text_of(folder / BEGUN))
    results = Path(known["results"])
    new = [name for name in runs_of(results) if name not in known["before"]]
    runs = {name: {path: digest(results / name / path) for path in below(results / name)} for name in new}
    return {"results": str(results), "runs": runs, "known": known}


def runs_of(results):
    """Return the runs of a results folder; hidden ones are not finished."""
    found = results.iterdir() if results.is_dir() else ()
    return sorted(path.name for path in found if not path.name.startswith(".") and (path / "run.json").is_file())


def below(folder):
    """Return the paths of all regular files below a folder, relative to it."""
    found = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sorted(str(path.relative_to(folder)) for path in found)


def digest(path):
    """Return size and SHA-256 of a file."""
    whole, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            whole.update(part)
            size += len(part)
    return [size, whole.hexdigest()]


def read(request):
    """Return parts of files, compressed: as many of the wanted ``[path, offset]`` as fit into ``limit`` bytes, at least one."""
    parts, left = [], request["limit"]
    for path, offset in request["wanted"]:
        with (Path(request["root"]) / path).open("rb") as file:
            file.seek(offset)
            data = file.read(request["part"])
        packed = base64.b64encode(zlib.compress(data, 1)).decode("ascii")
        parts.append([path, offset, packed])
        left -= len(packed)
        if left <= 0:
            break
    return {"parts": parts}


def find(request):
    """Return the folders of this host that earlier runs of a fleet have left here."""
    found = sorted(Path(request["place"]).glob(f"*/{request['host']}/{BEGUN}"))
    return {"folders": [str(path.parent) for path in found]}


def clean(request):
    """Remove a run's folder, and those above it that are empty then."""
    remove(Path(request["folder"]))
    return {"removed": not os.path.lexists(request["folder"])}


def remove(folder):
    """Remove a folder, and the two above it that are empty then."""
    shutil.rmtree(str(folder), ignore_errors=True)
    for parent in (folder.parent, folder.parent.parent):
        try:
            parent.rmdir()
        except OSError:
            return


def write(path, text):
    """Write a text file and wait until it is on disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def text_of(path):
    """Return the text of a file, empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


VERBS = {"begin": begin, "state": state, "read": read, "find": find, "clean": clean}


def main(request):
    """Do what is asked, and print the answer with the time of this host's clock at both ends."""
    before = time.time()
    try:
        answer = VERBS[request["verb"]](request)
    except Refused as error:
        answer = {"error": str(error)}
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        path, reason = getattr(error, "filename", None), getattr(error, "strerror", None) or str(error)
        answer = {"error": f"{path}: {reason}" if path else reason}
    answer["clock"] = [before, time.time()]
    sys.stdout.write(MARK + json.dumps(answer) + "\n")
