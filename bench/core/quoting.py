"""Write text into configuration files so that any character of a path survives."""

from __future__ import annotations

import json
from pathlib import Path


def toml(text: str | Path) -> str:
    """Return a TOML basic string; its escapes are those of JSON, and DEL must be escaped, too (TOML 1.0.0, "String")."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
