"""Parts of large images and of volumes are those of the whole, at any size and by any decision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from lamina.data.targets.ground_truth import truth
from lamina.errors import DataError
from lamina.prediction.folder.predictions import Predictions, source_digest
from lamina.recipe.load import load_recipe
from lamina.result.decisions import Threshold
from lamina.viewer.board import Board
from lamina.viewer.cases import pixels, pyramid
from lamina.viewer.cases.pixels import Part
from lamina.volume import read_all
from tests.factories.predictions import predicted_case, prediction_info
from tests.viewer.conftest import shown

SHAPE = (150, 200)


@pytest.fixture(params=["binary", "multiclass"])
def banded(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Board:
    """One image whose answer is stored in chunks, looked at as if it were large."""
    monkeypatch.setattr(pixels, "SMALL", 100)
    monkeypatch.setattr(pyramid, "_ROWS", 16)
    monkeypatch.setattr(pyramid, "_LAST", 200)
    rng = np.random.default_rng(0)
    exclusive = request.param == "multiclass"
    target = (rng.random(SHAPE) > 0.98).astype(np.uint8)
    for name, values in (("images", rng.integers(0, 255, SHAPE)), ("masks", target)):
        (tmp_path / "data" / name).mkdir(parents=True)
        tifffile.imwrite(
            tmp_path / "data" / name / "a.tif", values.astype(np.uint8), photometric="minisblack"
        )
    changes = ["task={kind: binary, names: [spot]}"]
    if exclusive:
        changes = ["task={kind: multiclass, names: [none, spot]}", "decide={kind: argmax}"]
    recipe = load_recipe("folder-laptop", [*changes, "data.labels={0: 0, 1: 1}"])
    (case,) = recipe.data.open(tmp_path / "data", recipe.task).cases
    known = predicted_case(
        case.id,
        SHAPE,
        source=case.image.name,
        sha256=source_digest(case.files),
        axes="yx",
        banded=True,
    )
    made = Predictions.create(tmp_path / "pred", prediction_info(recipe, known))
    spot = (0.7 * rng.random(SHAPE) ** 8 + 0.25 * target).astype(np.float32)
    made.add(case.id, np.stack([1 - spot, spot]) if exclusive else spot[None])
    scratch = tmp_path / "scratch"
    return shown(scratch, tmp_path / "pred", truth=tmp_path / "data").boards[0]


PARTS = [
    Part((0, 0, *SHAPE), (30, 40)),
    Part((0, 0, *SHAPE), (7, 9)),
    Part((8, 16, 136, 176), (16, 20)),
    Part((5, 7, 95, 107), (90, 100)),
]


@pytest.mark.parametrize("part", PARTS)
def test_masks_and_truth_keep_every_object(banded: Board, part: Part) -> None:
    (one,) = banded.cases.values()
    prob = one.found.predictions.prob(one.id)
    target = truth(one.found.case, banded.task)[0]
    y0, x0, y1, x1 = part.box
    for whole, found in (
        (banded.decision(prob), banded.pixels.masks(one, part, banded.decision)),
        (target, banded.pixels.truth(one, part)),
        (prob, banded.pixels.answer(one, part)),
    ):
        rows, columns = found.shape[1:]
        assert rows >= part.size[0]
        assert columns >= part.size[1]
        step = (y1 - y0) // rows, (x1 - x0) // columns
        cut = whole[:, y0 : y0 + rows * step[0], x0 : x0 + columns * step[1]]
        blocks = cut.reshape(len(whole), rows, step[0], columns, step[1])
        if (y1 - y0) % rows == 0 and (x1 - x0) % columns == 0:
            assert (found == blocks.max(axis=(2, 4))).all()


def test_an_area_empties_masks_of_any_part(banded: Board) -> None:
    if not banded.slides:
        return
    (one,) = banded.cases.values()
    above = int((one.found.predictions.prob(one.id) > 0.2).sum())
    for area, there in ((above, True), (above + 1, False)):
        decision = Threshold(threshold=0.2, min_area=area)
        assert banded.pixels.masks(one, PARTS[1], decision).any() == there
        assert banded.pixels.masks(one, PARTS[3], decision).any() == there


def test_decisions_that_look_at_neighbours_are_made_of_the_whole(banded: Board) -> None:
    (one,) = banded.cases.values()
    decision = Threshold(threshold=0.2, min_component=2)
    masks = decision(one.found.predictions.prob(one.id))
    part = Part((10, 20, 60, 90), (50, 70))
    assert (banded.pixels.masks(one, part, decision) == masks[:, 10:60, 20:90]).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_planes_of_a_volume_in_blocks(
    volume_board: Board, axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels, "_PLANES", 2)
    (one,) = volume_board.cases.values()
    shape = one.found.case.image.shape
    sides = [n for n, _ in enumerate(shape) if n != axis]
    box = (0, 0, shape[sides[0]], shape[sides[1]])
    prob, image = one.found.predictions.prob(one.id), read_all(one.found.case.image)
    for at in range(shape[axis]):
        part = Part(box, (box[2], box[3]), axis, at)
        for whole, found in (
            (prob, volume_board.pixels.answer(one, part)),
            (image, volume_board.pixels.image(one, part)),
            (prob > 0.5, volume_board.pixels.masks(one, part, Threshold(threshold=0.5))),
        ):
            assert (found == np.take(whole, at, axis=axis + 1)).all()


def test_the_first_picture_of_a_scored_case_reads_no_source(
    banded: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = banded.cases.values()

    def read(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(pixels, "built", read)
    monkeypatch.setattr(pixels.Pixels, "_read", lambda *_: read)
    part = Part((0, 0, *SHAPE), (7, 9))
    assert banded.pixels.image(one, part).shape[0] == 1
    assert banded.pixels.truth(one, part).any()
    assert banded.pixels.answer(one, part).max() > 0.9


def test_an_image_that_is_gone_is_told_when_it_is_looked_at(banded: Board, tmp_path: Path) -> None:
    (one,) = banded.cases.values()
    (tmp_path / "data" / "images" / "a.tif").unlink()
    fresh = pixels.Pixels(banded.task, tmp_path)
    fresh.prepare(one)
    with pytest.raises((DataError, OSError)):
        fresh.image(one, Part((0, 0, *SHAPE), (7, 9)))
