"""Debian's Chromium, driven by Playwright; tests are skipped, loudly, where it is missing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_or_skip() -> None:
    """Skip the test, with a warning that the summary shows, where there is no Chromium."""
    if not CHROMIUM.is_file():
        warnings.warn("REAL DATA MISSING: no Chromium, pages are not looked at", stacklevel=2)
        pytest.skip("no Chromium in /usr/bin; install the package chromium")


@contextmanager
def opened_page(width: int = 1240, height: int = 900) -> Iterator[tuple[Page, list[str]]]:
    """Yield a page of a fresh browser, and the errors that it writes into its console."""
    chromium_or_skip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        said: list[str] = []
        page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        try:
            yield page, said
        finally:
            browser.close()


CONTRASTS = """
() => {
  const part = (v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.body.querySelectorAll("*")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.closest("svg")) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    const words = e.textContent.trim().slice(0, 40);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)} ${e.tagName} ${words}`);
  }
  return found;
}
"""
"""Texts whose contrast with what is behind them is below 4.5 (WCAG 2.2, 1.4.3)."""
