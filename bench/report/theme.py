"""Colours of page and figures: each role has a light and a dark value and one CSS variable.

Figures are drawn in the light values, which are all different; :func:`bench.report.svg.themed` replaces each by its
variable. Family colours were chosen so that any two stay apart (OKLab distance of 13 or more) in normal vision and in
simulated protanopia, deuteranopia and tritanopia, and have a contrast of 3:1 or more with the background.
"""

from __future__ import annotations

INK = "#1b1f24"
MUTED = "#59636e"
GRID = "#dde1e6"
SURFACE = "#ffffff"

FAMILIES = {
    "host": "#8d9096",
    "sandbox": "#507442",
    "oci": "#0073df",
    "containerd": "#15536b",
    "docker": "#c08c00",
    "vm": "#730003",
    "other": "#6f5a8c",
}
"""Engine family → colour, the same in every figure."""

_DARK = {
    "ink": "#e8ebef",
    "muted": "#a3adb8",
    "grid": "#2f363e",
    "surface": "#15181c",
    "host": "#767b8c",
    "sandbox": "#abfbb8",
    "oci": "#3785ec",
    "containerd": "#43c3fe",
    "docker": "#b98400",
    "vm": "#d59b8e",
    "other": "#b7a3d6",
}
_LIGHT = {"ink": INK, "muted": MUTED, "grid": GRID, "surface": SURFACE, **FAMILIES}

VARIABLES = {colour: f"--{role}" for role, colour in _LIGHT.items()}
"""Colour that a figure is drawn in → CSS variable that it becomes."""

_ENGINES = {
    "host": "host",
    "null": "host",
    "sentinel": "host",
    "sandbox": "sandbox",
    "runc": "oci",
    "crun": "oci",
    "runsc": "oci",
    "oci": "oci",
    "containerd": "containerd",
    "cri": "containerd",
    "crio": "containerd",
    "docker": "docker",
    "podman": "docker",
    "libvirt": "vm",
}


def family(engine: str) -> str:
    """Return the family of an engine; an unknown one belongs to ``other``."""
    return _ENGINES.get(engine, "other")


def colour(engine: str) -> str:
    """Return the colour in which an engine is drawn."""
    return FAMILIES[family(engine)]


def css(scope: str) -> str:
    """Return the variables as a style sheet for ``scope``: light, dark, and light again on paper."""
    light = "".join(f"--{role}:{value};" for role, value in _LIGHT.items())
    dark = "".join(f"--{role}:{value};" for role, value in _DARK.items())
    return (
        f"{scope}{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{{scope}{{{dark}}}}}\n"
        f"@media print{{{scope}{{{light}}}}}\n"
    )
