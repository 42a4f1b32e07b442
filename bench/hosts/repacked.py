"""Make a wheel again from the files of an installed distribution (PyPA specifications, 'Binary distribution format')."""

from __future__ import annotations

import base64
import email.parser
import hashlib
import zipfile
from importlib import metadata
from pathlib import Path

from bench.core.errors import ProvisionError

_OF_INSTALLATION = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json")
"""Files of ``.dist-info`` that the installer writes."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Date of each file, so that the same files give the same wheel."""


def wheel(name: str, folder: Path) -> Path:
    """Write the wheel of a distribution into a folder; return its path.

    Scripts are left out, as installers make them from the entry points.

    Raises:
        ProvisionError: It was not installed from a wheel, or files of it are gone.
    """
    try:
        found = metadata.distribution(name)
        files = {str(file): found.locate_file(file) for file in found.files or () if _is_shipped(file)}
        contents = {path: Path(str(where)).read_bytes() for path, where in sorted(files.items())}
    except (metadata.PackageNotFoundError, OSError) as error:
        msg = f"'{name}' cannot be packed from what is installed: {error}; install it again with pip"
        raise ProvisionError(msg) from error
    info = next((path.rpartition("/")[0] for path in contents if path.endswith(".dist-info/WHEEL")), "")
    if not info:
        msg = f"'{name}' cannot be packed: it was not installed from a wheel; install it again with pip"
        raise ProvisionError(msg)
    contents[f"{info}/RECORD"] = _record(contents, info).encode()
    path = folder / f"{info.removesuffix('.dist-info')}-{_tag(contents[f'{info}/WHEEL'])}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, content in contents.items():
            archive.writestr(zipfile.ZipInfo(inside, _EPOCH), content, zipfile.ZIP_DEFLATED, compresslevel=1)
    return path


def _is_shipped(file: metadata.PackagePath) -> bool:
    """Say whether a file was in the wheel: neither a script nor written by the installer."""
    made = file.name in _OF_INSTALLATION and file.parent.name.endswith(".dist-info")
    return not made and ".." not in file.parts and "__pycache__" not in file.parts


def _tag(wheel_file: bytes) -> str:
    """Return the tags of a wheel as its name has them: each part of them once, joined by dots."""
    tags = [line[len("Tag: ") :].split("-") for line in wheel_file.decode().splitlines() if line.startswith("Tag: ")]
    return "-".join(".".join(dict.fromkeys(parts)) for parts in zip(*tags, strict=True))


def _record(contents: dict[str, bytes], info: str) -> str:
    lines = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
    return "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def requires_python(path: Path) -> str:
    """Return the versions of Python that a wheel accepts, such as ``>=3.11``; empty if it does not say."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.parser.Parser().parsestr(archive.read(name).decode()).get("Requires-Python", "")
