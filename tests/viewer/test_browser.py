"""The viewer in a real browser: what is seen equals what is decided and scored."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect
from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.data.targets.ground_truth import truth
from lamina.files import write_json
from lamina.viewer.board import Board
from lamina.viewer.comparison import compared
from lamina.viewer.live import Training
from lamina.viewer.server import Shown
from tests.factories.browser import CONTRASTS, opened_page
from tests.factories.predictions import copied_predictions
from tests.viewer.conftest import served, shown

WORST = {
    "stage": "main",
    "epoch": 3,
    "metric": "Dice",
    "value": 0.5,
    "cases": [
        {
            "id": "the worst",
            "group": "a",
            "value": 0.25,
            "picture": base64.b64encode(
                cv2.imencode(".jpg", np.full((4, 4, 3), 200, np.uint8))[1].tobytes()
            ).decode(),
        }
    ],
}


def seen(board: Board) -> Shown:
    return Shown([board], Training(board.folder))


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


def drawn_anew(page: Page, act: Callable[[], object], mark: str = "#page") -> None:
    """Do something, and wait until the page has drawn: all planes, or the first canvas."""
    if mark == "canvas":
        before = pixels(page)
        act()
        for _ in range(100):
            if not np.array_equal(pixels(page), before):
                return
            page.wait_for_timeout(50)
        raise AssertionError("the canvas stays as it is")
    before = str(page.locator(mark).get_attribute("data-drawn"))
    act()
    expect(page.locator(mark)).not_to_have_attribute("data-drawn", before)


def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until the focus is on what a selector names."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
    raise AssertionError(f"Tab does not reach {wanted}")


def at_crosshair(page: Page, down: int | None) -> list[tuple[int, ...]]:
    """Return the pixel of each plane of a volume at the voxel that its captions name.

    Args:
        page: That of a volume.
        down: The axis that is drawn downwards; None: planes lie as they are stored.
    """
    words = page.locator("figcaption").all_inner_texts()
    at = [int(re.search(r"= (\d+) of", text)[1]) for text in words]  # type: ignore[index]
    script = """([n, y, x]) => [...document.querySelectorAll("canvas")[n]
        .getContext("2d").getImageData(x, y, 1, 1).data]"""
    found = []
    for axis in range(3):
        first, second = (n for n in range(3) if n != axis)
        y, x = (at[second], at[first]) if second == down else (at[first], at[second])
        found.append(tuple(page.evaluate(script, [axis, y, x])))
    return found


def only(page: Page, *layers: str) -> None:
    """Show these layers and no other."""
    for button in page.query_selector_all("button[data-layer]"):
        on = button.get_attribute("aria-pressed") == "true"
        if on != (button.get_attribute("data-layer") in layers):
            drawn_anew(page, button.click)


def test_cases_decisions_and_curves_in_a_browser(board: Board) -> None:
    metric = board.metric
    with served(seen(board)) as address, opened_page() as (page, said):
        page.goto(address)
        expect(page.locator(".tile")).to_have_count(6)
        assert "token" not in page.url
        worst = page.locator(".tile b").first.inner_text()
        lowest = min(one.value for one in board.cases.values() if one.value is not None)
        assert worst in {one.id for one in board.cases.values() if one.value == lowest}
        assert page.evaluate(CONTRASTS) == []

        tab_to(page, ".tile")
        page.keyboard.press("Enter")
        expect(page.locator("canvas.drawn")).to_have_count(1)
        expect(page.locator("#page")).to_have_attribute("data-drawn", "1")
        number = int(page.url.split("/")[-1])
        for key in ("1", "2", "3", "4"):  # from image, truth and prediction to the error alone
            drawn_anew(page, lambda key=key: page.keyboard.press(key))
        one = board.cases[number]
        target = truth(one.found.case, board.task)[0]
        mask = board.decision(one.found.predictions.prob(one.id))
        false = np.logical_and(mask, ~target).any(axis=0)
        right = (mask == target).all(axis=0)
        drawn = pixels(page)
        assert drawn.shape[:2] == one.found.case.image.shape
        assert (drawn[right] == 0).all()
        assert (drawn[false & ~(target & ~mask).any(axis=0)][:, 0] > 150).all()

        tab_to(page, "canvas")
        drawn_anew(page, lambda: page.keyboard.press("+"), mark="canvas")
        assert pixels(page).shape[:2] != one.found.case.image.shape
        drawn_anew(page, lambda: page.keyboard.press("0"), mark="canvas")
        assert (pixels(page) == drawn).all()
        start = board.start
        tab_to(page, "#threshold")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#exact")).to_have_value(f"{start[0]['threshold'] + 0.001:g}")

        page.fill("#exact", "0.05")
        page.keyboard.press("Tab")
        wanted = board.score(f"0.05:{start[0]['area']};{start[1]['threshold']}:{start[1]['area']}")
        assert wanted is not None
        expect(page.locator("#all-score")).to_have_text(f"{wanted:.4f}")
        assert "decide.threshold" in page.locator("#command").inner_text()
        decision = board.read_decision("0.05:0;0.5:0")
        tallies = [
            metric.tally(
                decision(case.found.predictions.prob(case.id)),
                *truth(case.found.case, board.task),
            )
            for case in board.cases.values()
        ]
        page.click("#reset")
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

        write_json(board.folder / "fold1" / "validation.json", WORST)
        page.click("nav a[href='#/training']")
        expect(page.locator(".chart").first).to_be_visible()
        expect(page.locator("#worst b")).to_have_text("the worst")
        assert page.locator("#worst img").evaluate("image => image.naturalWidth") == 4
        expect(page.locator("#stands")).to_contain_text("Processor", timeout=20_000)
        rows = page.locator("#rows").inner_text()
        log = board.folder / "fold1" / "metrics.jsonl"
        log.write_bytes(log.read_bytes().rpartition(b"\n")[0] + b"\n")
        with log.open("ab") as file:
            file.write(json.dumps({"loss": 0.25, "lr": 0.1}).encode() + b"\n")
        began = time.monotonic()
        expect(page.locator("#rows")).not_to_have_text(rows, timeout=5000)
        assert time.monotonic() - began < 5
        assert page.evaluate(CONTRASTS) == []
        assert said == []


def test_predictions_without_a_truth_grow_while_the_page_is_open(
    predictions: Path, tmp_path: Path
) -> None:
    ledger = predictions / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[: len(lines) // 2]))
    found = shown(tmp_path / "scratch", predictions)
    (board,) = found.boards
    count = len(board.cases)
    assert 0 < count < 6
    with served(found) as address, opened_page() as (page, said):
        page.goto(address)
        expect(page.locator(".tile")).to_have_count(count)
        expect(page.locator("nav a")).to_have_text(["Cases"])
        assert page.evaluate(CONTRASTS) == []
        ledger.write_bytes(b"".join(lines))
        expect(page.locator(".tile")).to_have_count(6, timeout=8000)

        page.locator(".tile").first.click()
        expect(page.locator("canvas.drawn")).to_have_count(1)
        expect(page.locator(".panel")).to_contain_text("No truth is known: no score.")
        expect(page.locator("button[data-layer]")).to_have_count(3)
        number = int(page.url.split("/")[-1])
        one = board.cases[number]
        only(page, "prediction")
        page.select_option("#class", "0")
        page.fill("#exact", "0.05")
        page.keyboard.press("Tab")
        above = one.found.predictions.prob(one.id)[0] > np.float32(0.05)
        expect(page.locator("#areas")).to_contain_text(f"{int(above.sum())} pixels")
        for _ in range(50):  # the number is told before the picture is drawn
            if (pixels(page)[above] > 0).any(axis=-1).all():
                break
            page.wait_for_timeout(100)
        assert (pixels(page)[above] > 0).any(axis=-1).all()
        assert page.evaluate(CONTRASTS) == []
        assert said == []


def test_two_folders_show_which_cases_got_worse(
    run_folder: Path, predictions: Path, tmp_path: Path
) -> None:
    found = shown(tmp_path / "scratch", run_folder, predictions, truth=tmp_path / "data")
    answer = compared(*found.boards, "losses")
    with served(found) as address, opened_page() as (page, said):
        page.goto(address)
        expect(page.locator(".pair")).to_have_count(6)
        expect(page.locator(".verdict")).to_have_text(answer["verdict"]["sentence"])
        counts = (
            f"{answer['better']} cases better, {answer['worse']} worse, {answer['equal']} equal"
        )
        expect(page.locator("#counts")).to_have_text(counts)
        assert page.locator("#about").inner_text().count(found.boards[0].metric.title) == 1
        expect(page.locator("circle")).to_have_count(6)
        assert page.locator(".pair b").all_inner_texts() == [row["id"] for row in answer["pairs"]]
        page.select_option("#sort", "id")
        expect(page.locator(".pair b").first).to_have_text(min(r["id"] for r in answer["pairs"]))
        assert page.evaluate(CONTRASTS) == []

        page.locator(".pair").first.click()
        expect(page.locator("canvas.drawn")).to_have_count(2)
        boxes = [canvas.bounding_box() for canvas in page.locator("canvas").all()]
        assert boxes[0] == boxes[1]
        page.evaluate("document.querySelector('#swipe').focus()")
        page.keyboard.press("End")
        clip = "getComputedStyle(document.querySelectorAll('canvas')[1]).clipPath"
        assert "100%" not in page.evaluate(clip)
        page.keyboard.press("Home")
        assert "100%" in page.evaluate(clip)
        page.locator("#swipe").fill("25")
        cut = page.locator(".cut").bounding_box()
        assert cut is not None
        assert boxes[0] is not None
        at = boxes[0]["x"] + 0.75 * boxes[0]["width"]
        assert cut["x"] <= at <= cut["x"] + cut["width"]
        before = page.url
        page.locator("h2").click()
        page.keyboard.press("j")
        page.wait_for_url(lambda url: url != before)
        assert page.evaluate(CONTRASTS) == []

        page.evaluate("location.hash = '#/case/1/0'")
        expect(page.locator("canvas.drawn")).to_have_count(1)
        for k, threshold, area in (("0", "0.05", "240"), ("1", "0.5", "0")):
            page.select_option("#class", k)
            page.fill("#exact", threshold)
            page.keyboard.press("Tab")
            page.fill("#area", area)
            page.keyboard.press("Tab")
        decision = found.boards[1].read_decision("0.05:240;0.5:0")
        pred = copied_predictions(run_folder, tmp_path / "same", shift=3, decision=decision)
        said_by_command = CliRunner().invoke(
            app, ["score", str(pred), str(tmp_path / "data"), "--json"]
        )
        value = json.loads(said_by_command.stdout)["value"]
        assert value not in (0.0, found.boards[1].score(""))
        expect(page.locator("#all-score")).to_have_text(f"{value:.4f}")
        assert said == []


@pytest.mark.parametrize("width", [390, 1000, 1400])
def test_nothing_leaves_the_page_at_any_width(volume_run: Path, tmp_path: Path, width: int) -> None:
    other = Path(shutil.copytree(volume_run, tmp_path / "other"))
    found = shown(tmp_path / "scratch", volume_run, other)
    with served(found) as address, opened_page(width) as (page, said):
        page.goto(address)
        expect(page.locator(".pair")).to_have_count(1)
        expect(page.locator(".pair .change")).to_have_text("equal")
        for route, there in (
            ("compare", ".pair"),
            ("pair/0/0", "canvas.drawn"),
            ("cases", ".tile"),
            ("case/0/0", "canvas.drawn"),
            ("case/1/0", "canvas.drawn"),
            ("training", ".chart"),
        ):
            page.evaluate(f"location.hash = '#/{route}'")
            expect(page.locator(there).first).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, route
            if route.startswith("case/"):
                expect(page.locator("canvas.drawn")).to_have_count(3)
                expect(page.locator("figcaption").first).to_contain_text("z = 1 of 0 to 2")
        page.evaluate("location.hash = '#/case/0/0'")
        expect(page.locator("canvas.drawn")).to_have_count(3)
        only(page, "image", "probability")
        down = found.boards[0].about(0)["down"]
        inside = at_crosshair(page, down)
        assert len(set(inside)) == 1
        frame = page.locator("canvas").first.bounding_box()
        assert frame is not None
        where = {"x": frame["width"] * 2.5 / 24, "y": frame["height"] * 1.5 / 20}
        drawn_anew(page, lambda: page.locator("canvas").first.click(position=where))
        captions = page.locator("figcaption").all_inner_texts()
        assert [text.split(" of")[0] for text in captions] == ["z = 1", "y = 1", "x = 2"]
        outside = at_crosshair(page, down)
        assert len(set(outside)) == 1
        assert outside != inside
        assert said == []
