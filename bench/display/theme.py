"""The colours of pages and figures: each role has a light value, a dark value and a CSS variable.

Figures are drawn in the light values, no two of which are equal; :func:`bench.display.svg.themed` replaces each by its
variable. Any two family colours differ (OKLab distance) in normal vision and in simulated protanopia, deuteranopia and
tritanopia, and each has a contrast of at least 3:1 with the background. Eleven colours cannot all be far apart, so
figures always show a name or another mark beside a colour.
"""

from __future__ import annotations

from bench.core.model import NULL, SENTINEL

INK = "#1b1f24"
MUTED = "#59636e"
GRID = "#dde1e6"
SURFACE = "#ffffff"

FAMILIES = {
    "host": "#8d9096",
    "sandbox": "#507442",
    "oci": "#0073df",
    "containerd": "#15536b",
    "cri": "#2a9cc4",
    "docker": "#c08c00",
    "podman": "#8a2a9c",
    "vm": "#730003",
    "other": "#6f5a8c",
}
"""Engine family → its colour in every figure."""

TITLES = {
    "host": "bare process",
    "sandbox": "namespaces only",
    "oci": "OCI runtimes",
    "containerd": "containerd",
    "cri": "CRI",
    "docker": "Docker",
    "podman": "Podman",
    "vm": "virtual machines",
    "other": "others",
}
"""Engine family → what a legend calls it."""

PARTS = {
    "payload": "#256af4",
    "guest": "#540c09",
    "helper": "#375a52",
    "daemon": "#a87411",
    "kernel": "#7749b2",
    "harness": "#899197",
}
"""User of memory → colour; chosen by the same criteria as the family colours."""

HEAT = {
    "dearer": "#b4401f",
    "cheaper": "#1f6fb4",
}
"""Colours of the cells of a heat map above and below 1; drawn transparent enough for text to be legible."""

_DARK = {
    "ink": "#e8ebef",
    "muted": "#a3adb8",
    "grid": "#2f363e",
    "surface": "#15181c",
    "host": "#767b8c",
    "sandbox": "#abfbb8",
    "oci": "#3785ec",
    "containerd": "#43c3fe",
    "cri": "#008f86",
    "docker": "#b98400",
    "podman": "#c65ad0",
    "vm": "#d59b8e",
    "other": "#b7a3d6",
    "payload": "#3a9ef0",
    "guest": "#dc4025",
    "helper": "#adfed1",
    "daemon": "#c39928",
    "kernel": "#923bde",
    "harness": "#93979d",
    "dearer": "#e2693f",
    "cheaper": "#4a9fe8",
}
_LIGHT = {"ink": INK, "muted": MUTED, "grid": GRID, "surface": SURFACE, **FAMILIES, **PARTS, **HEAT}

VARIABLES = {colour: f"--{role}" for role, colour in _LIGHT.items()}
"""Light value of a colour → the CSS variable that replaces it."""

_ENGINES = {
    "host": "host",
    NULL: "host",
    SENTINEL: "host",
    "sandbox": "sandbox",
    "runc": "oci",
    "crun": "oci",
    "runsc": "oci",
    "oci": "oci",
    "containerd": "containerd",
    "cri": "cri",
    "crio": "cri",
    "docker": "docker",
    "podman": "podman",
}


def family(engine: str, kind: str = "") -> str:
    """Return the family of an engine that makes a ``kind`` of instance: machines are one; an unknown engine is in ``other``."""
    return "vm" if kind == "machine" else _ENGINES.get(engine, "other")


def colour(engine: str, kind: str = "") -> str:
    """Return the colour of an engine's family."""
    return FAMILIES[family(engine, kind)]


def css(scope: str) -> str:
    """Return the variables as a style sheet for ``scope``: light, dark, and light again on paper."""
    light = "".join(f"--{role}:{value};" for role, value in _LIGHT.items())
    dark = "".join(f"--{role}:{value};" for role, value in _DARK.items())
    return (
        f"{scope}{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{{scope}{{{dark}}}}}\n"
        f"@media print{{{scope}{{{light}}}}}\n"
    )
