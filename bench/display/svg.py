"""Post-processing of drawn figures: theme colours, unique ids, and output inside a page or as a file."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from html import escape

from bench.display import theme

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"

_JOINS = "svg *{stroke-linejoin:round;stroke-linecap:butt}\n"
"""What matplotlib writes into each drawing as a style sheet, which a page with a strict policy would not apply."""
_TITLE_PT = 12.5
_CAPTION_PT = 8.5
_EDGE_PT = 12.0
# DejaVu Sans, the widest of the fonts above, is a little under 0.6 em a character in running text.
_EM = 0.58


@dataclass(frozen=True)
class Drawing:
    """What stands between ``<svg>`` and ``</svg>``, themed and with ids of its own, and its size in points."""

    body: str
    width: float
    height: float


@dataclass(frozen=True)
class Plot:
    """One figure.

    Attributes:
        name: File name without ending, unique in the report.
        kind: Type of figure (``ladder``, ``ratio``, ``spread``, ``series``, ``cpu``).
        title: What the figure shows, as a sentence.
        caption: Units, number of values and how to read it.
        alt: Alternative text: the title and all values.
        body: The drawing between ``<svg>`` and ``</svg>``, themed, ids prefixed with the name.
        width: Width in points.
        height: Height in points.
        control: Whether the ratios of the A/A control are drawn in it.
        narrow: The same for a phone; ``None`` where one drawing serves all.
        png: The same as a PNG file; empty unless it was asked for (:mod:`bench.display.raster`).
    """

    name: str
    kind: str
    title: str
    caption: str
    alt: str
    body: str
    width: float
    height: float
    control: bool = False
    narrow: Drawing | None = field(default=None, repr=False)
    png: bytes = field(default=b"", repr=False)

    def inline(self) -> str:
        """Return an ``<svg>`` element for a page that defines the theme's variables and shows title and caption itself."""
        return self._element(Drawing(self.body, self.width, self.height))

    def inline_narrow(self) -> str:
        """Return the same for a phone; empty where there is no drawing of its own."""
        return self._element(self.narrow) if self.narrow else ""

    def _element(self, drawing: Drawing) -> str:
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
            f'aria-label="{escape(self.title)}" viewBox="0 0 {drawing.width:g} {drawing.height:g}">'
            f"{self._told}{compact(drawing.body)}</svg>"
        )

    @property
    def _told(self) -> str:
        """Title and description of the drawing: what it shows, and all of its values."""
        return f"<title>{escape(self.title)}</title><desc>{escape(self.alt)}</desc>"

    def standalone(self) -> str:
        """Return a complete SVG file: style sheet, background, title, drawing and caption."""
        title = _lines(self.title, _TITLE_PT, self.width)
        caption = _lines(self.caption, _CAPTION_PT, self.width)
        head = _EDGE_PT + len(title) * _TITLE_PT * 1.3 + 4
        foot = len(caption) * _CAPTION_PT * 1.4 + _EDGE_PT
        width, height = self.width + 2 * _EDGE_PT, self.height + head + foot
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
            f'aria-label="{escape(self.title)}" width="{width:g}pt" height="{height:g}pt" '
            f'viewBox="{-_EDGE_PT:g} {-head:g} {width:g} {height:g}">\n'
            f"{self._told}\n"
            f"<style>{theme.css('svg')}{_JOINS}</style>\n"
            f'<rect x="{-_EDGE_PT:g}" y="{-head:g}" width="{width:g}" height="{height:g}" '
            f'style="{_paint("fill", theme.SURFACE)}"/>\n'
            f"{_text(title, _TITLE_PT, leading=1.3, top=_EDGE_PT - head, colour=theme.INK, weight=600)}"
            f"{self.body}\n"
            f"{_text(caption, _CAPTION_PT, leading=1.4, top=self.height, colour=theme.MUTED, weight=400)}</svg>\n"
        )


def themed(drawing: str, prefix: str) -> str:
    """Return the contents of the ``<svg>`` element of a matplotlib file with theme colours, system fonts and prefixed ids."""
    inner = re.sub(r"^.*?<svg\b[^>]*>|</svg>\s*$", "", drawing, flags=re.DOTALL)
    inner = re.sub(r"\s*<metadata>.*?</metadata>", "", inner, flags=re.DOTALL)
    inner = re.sub(r"\s*<style\b.*?</style>", "", inner, flags=re.DOTALL)
    inner = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", inner)
    inner = re.sub(r"font: ([^;\"]*?)(\d+(?:\.\d+)?px) [^;\"]*", rf"font: \g<1>\g<2> {FONTS}", inner)
    inner = re.sub(r"\b(fill|stroke): (#[0-9a-f]{6})", lambda hit: _paint(hit[1], hit[2]), inner)
    inner = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', inner)
    inner = re.sub(r'href="#([^"]*)"', rf'href="#{prefix}-\1"', inner)
    return re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", inner).strip()


def compact(body: str) -> str:
    """Return a drawing for a page: without what its style sheet says, unused ids and digits that nobody can see."""
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]*)", body))
    body = re.sub(r' id="([^"]*)"', lambda hit: hit[0] if hit[1] in used else "", body)
    body = re.sub(r" font-family: [^;\"]*;", "", body)
    body = re.sub(r"(fill|stroke): #[0-9a-f]{6}; (?=\1: var)", "", body)
    body = re.sub(r'( (?:d|x|y|transform)=")([^"]*)', lambda hit: hit[1] + _DIGITS.sub(_rounded, hit[2]), body)
    body = re.sub(r' transform="rotate\(-?0 [^"]*"', "", body)
    body = re.sub(r"\s*\n\s*", " ", body)
    return re.sub(r"> <", "><", re.sub(r"<g>\s*</g>", "", body))


_DIGITS = re.compile(r"-?\d+\.\d{3,}")


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def _paint(attribute: str, colour: str) -> str:
    """Write a colour twice: plain, for programs without CSS variables, and as a variable."""
    variable = theme.VARIABLES.get(colour)
    return f"{attribute}: {colour}" + (f"; {attribute}: var({variable})" if variable else "")


def _lines(text: str, size: float, width: float) -> list[str]:
    return textwrap.wrap(text, int(width / (size * _EM)))


def _text(lines: list[str], size: float, *, leading: float, top: float, colour: str, weight: int) -> str:
    style = f"font-family: {FONTS}; font-size: {size}px; font-weight: {weight}; {_paint('fill', colour)}"
    return "".join(
        f'<text x="0" y="{top + (number + 0.8) * size * leading:g}" style="{style}">{escape(line)}</text>\n'
        for number, line in enumerate(lines)
    )
