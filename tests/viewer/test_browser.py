"""The viewer in a real browser: what is seen equals what is decided and scored."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from lamina.reporting.run_contents import Run
from lamina.viewer.board import Board
from lamina.viewer.run import listener, opened_board, prepared
from tests.factories.browser import CONTRASTS, opened_page


@contextmanager
def served(board: Board) -> Iterator[str]:
    """Serve a board on the loopback and yield the address that lets a browser in."""
    listening = listener(0)
    address, server = prepared(board, listening)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()


def pixels(page: Page) -> np.ndarray:
    """Return the pixels (H, W, 3) of the first canvas."""
    found = page.evaluate(
        """() => {
          const c = document.querySelector("canvas");
          const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
          return [c.height, c.width, ...data];
        }"""
    )
    return np.array(found[2:], np.uint8).reshape(found[0], found[1], 4)[..., :3]


def only(page: Page, *layers: str) -> None:
    """Show these layers and no other."""
    for button in page.query_selector_all("button[data-layer]"):
        on = button.get_attribute("aria-pressed") == "true"
        if on != (button.get_attribute("data-layer") in layers):
            drawn = page.locator("#page").get_attribute("data-drawn")
            button.click()
            expect(page.locator("#page")).not_to_have_attribute("data-drawn", str(drawn))


def test_cases_decisions_and_curves_in_a_browser(board: Board) -> None:
    metric = board.run.recipe.metric
    with served(board) as address, opened_page() as (page, said):
        page.goto(address)
        expect(page.locator(".tile")).to_have_count(6)
        assert "token" not in page.url
        worst = page.locator(".tile b").first.inner_text()
        lowest = min(one.value for one in board.cases)
        assert worst in {one.case.id for one in board.cases if one.value == lowest}
        assert page.evaluate(CONTRASTS) == []

        page.locator(".tile").first.click()
        expect(page.locator("canvas.drawn")).to_have_count(1)
        number = int(page.url.split("/")[-1])
        only(page, "error")
        one = board.cases[number]
        target, mask = board.opened(number).target, board.decided(number, "")
        false = np.logical_and(mask, ~target).any(axis=0)
        right = (mask == target).all(axis=0)
        shown = pixels(page)
        assert shown.shape[:2] == one.case.image.shape
        assert (shown[right] == 0).all()
        assert (shown[false & ~(target & ~mask).any(axis=0)][:, 0] > 150).all()

        page.fill("#exact", "0.05")
        page.keyboard.press("Tab")
        text = "0.05:0;0.5:0"
        start = board.start
        wanted = board.score(f"0.05:{start[0]['area']};{start[1]['threshold']}:{start[1]['area']}")
        assert wanted is not None
        expect(page.locator("#all-score")).to_have_text(f"{wanted:.4f}")
        assert "decide.threshold" in page.locator("#command").inner_text()
        decision = board.decision(text)
        masks = [decision(board.opened(n).prob) for n in range(6)]
        tallies = [
            metric.tally(m, board.opened(n).target, board.opened(n).valid)
            for n, m in enumerate(masks)
        ]
        page.click("#reset")
        page.select_option("#class", "1")
        for k, value in (("0", "0.05"), ("1", "0.5")):
            page.select_option("#class", k)
            page.fill("#exact", value)
            page.keyboard.press("Tab")
            page.fill("#area", "0")
            page.keyboard.press("Tab")
        expect(page.locator("#all-score")).to_have_text(f"{metric.score(tallies).value:.4f}")
        assert page.evaluate(CONTRASTS) == []

        before = page.url
        page.locator("h2").click()
        page.keyboard.press("j")
        page.wait_for_url(lambda url: url != before)
        expect(page.locator("canvas.drawn")).to_have_count(1)

        page.click("nav a[href='#/training']")
        expect(page.locator(".chart").first).to_be_visible()
        rows = page.locator("#rows").inner_text()
        log = board.run.folder / "fold1" / "metrics.jsonl"
        log.write_bytes(log.read_bytes().rpartition(b"\n")[0] + b"\n")
        with log.open("ab") as file:
            file.write(json.dumps({"loss": 0.25, "lr": 0.1}).encode() + b"\n")
        began = time.monotonic()
        expect(page.locator("#rows")).not_to_have_text(rows, timeout=5000)
        assert time.monotonic() - began < 5
        assert page.evaluate(CONTRASTS) == []
        assert said == []


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_overlaps_or_leaves_the_page(volume_run: Path, width: int) -> None:
    board = opened_board(Run.open(volume_run), None)
    with served(board) as address, opened_page(width) as (page, said):
        page.goto(address)
        page.locator(".tile").first.click()
        expect(page.locator("canvas.drawn")).to_have_count(3)
        expect(page.locator("figcaption").first).to_contain_text("z = 1 of 0 to 2")
        for _ in range(2):
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.evaluate("location.hash = '#/training'")
            expect(page.locator(".chart").first).to_be_visible()
        assert said == []
