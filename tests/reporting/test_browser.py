"""The page of a run in a real browser: contrast, widths, heights."""

from __future__ import annotations

from pathlib import Path

from lamina.reporting.page import report
from tests.factories.browser import CONTRASTS, opened_page

OVERLAPS = """
() => {
  const boxes = [...document.querySelectorAll("section")].map((e) => e.getBoundingClientRect());
  return boxes.some((box, n) => n && box.top < boxes[n - 1].bottom - 1);
}
"""

HEIGHTS = """
() => [...document.querySelectorAll(".panels")].map((row) => {
  const images = [...row.querySelectorAll("img")].map((e) => e.getBoundingClientRect());
  const side = images.filter((e) => e.top === images[0].top);
  const tall = side.map((e) => e.height);
  const seen = [...row.querySelectorAll("img")].every((e) => e.complete && e.naturalWidth > 0);
  const wide = side.map((e) => e.width);
  const apart = Math.max(...tall) - Math.min(...tall);
  return [side.length, apart, Math.min(...wide), seen && Math.min(...tall) > 40];
})
"""

CARDS = """
() => [...document.querySelectorAll(".plots")].flatMap((plots) => {
  const boxes = [...plots.children].map((e) => e.getBoundingClientRect());
  return boxes.map((box) => {
    const row = boxes.filter((e) => Math.abs(e.top - box.top) < 1).map((e) => e.height);
    return Math.max(...row) - Math.min(...row);
  });
})
"""


def test_the_page_fits_every_width(run_folder: Path) -> None:
    path = report(run_folder).report
    with opened_page() as (page, said):
        for width in (390, 1000, 1400):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(OVERLAPS) is False
            rows = page.evaluate(HEIGHTS)
            assert all(apart < 1 for _, apart, _, _ in rows)
            assert all(count == (1 if width < 900 else 3) for count, _, _, _ in rows)
            assert all(wide >= 280 for _, _, wide, _ in rows)
            assert all(
                seen for _, _, _, seen in rows
            )  # pictures further down too, as for a printer
            assert all(apart < 1 for apart in page.evaluate(CARDS))
            assert page.evaluate(CONTRASTS) == []
        assert said == []
