"""A real browser for tests of pages: Debian's chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
needs_browser = pytest.mark.skipif(
    not shutil.which(CHROMIUM) and not os.environ.get("TARE_PROVISIONED"),
    reason="there is no chromium: 'tare provision browser' installs it",
)
Scheme = Literal["light", "dark"]
DESK, PHONE, NARROW = (1280, 800), (390, 844), (360, 740)
PATIENCE_MS = 300_000
"""How long the browser may take for anything: the host may be busy."""


class Opened:
    """A page, and all that it asked for or complained about."""

    def __init__(
        self,
        browser: Browser,
        path: Path,
        size: tuple[int, int] = DESK,
        *,
        scheme: Scheme = "light",
        script: bool = True,
    ) -> None:
        width, height = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, java_script_enabled=script
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.width = width
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def texts(self, selector: str) -> list[str]:
        """Return the text of all elements."""
        return [str(text) for text in self.page.locator(selector).all_inner_texts()]


def bottom(page: Page, selector: str) -> float:
    """Return where the first element that matches ends, in pixels from the top of the window."""
    box = page.locator(selector).first.bounding_box()
    assert box
    return float(box["y"] + box["height"])
