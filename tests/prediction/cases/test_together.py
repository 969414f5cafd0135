"""Which images are answered together, and their answers beside those of images by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import Fixed
from lamina.errors import PartialError, RecipeError
from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.cases import together as module
from lamina.prediction.cases.together import Together, count_tiles, gathered_batch
from lamina.prediction.engine import Member, predict_case, predict_gathered
from lamina.prediction.folder.manifest import PredictedCase, read_info
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.run import predict
from lamina.prediction.workers.worker import Worker
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume, read_all
from tests.prediction.workers.conftest import contents

SIZES = [(20, 30), (40, 50), (7, 90), (32, 32), (33, 32), (64, 20), (20, 30), (5, 5)]


def recipe(**predict: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "r",
            "task": {"kind": "binary", "names": ["x"]},
            "data": {"kind": "folder"},
            "network": {"kind": "unet"},
            "loss": [{"kind": "dice"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [32, 32]},
            "predict": predict,
        }
    )


def case(
    shape: tuple[int, ...], members: Sequence[str] = ("m",), axes: str = "yx", **more: Any
) -> PredictedCase:
    return PredictedCase(
        id="a", source="a.png", sha256="0", axes=axes, shape=shape, members=members, known="new",
        **more,
    )  # fmt: skip


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("shape", [(1, 1), (32, 33), (100, 31), (128, 65)])
def test_tiles_are_counted_as_the_lattice_has_them(shape: tuple[int, int], overlap: float) -> None:
    step = round(32 * (1 - overlap))
    assert count_tiles(shape, recipe(overlap=overlap)) == len(
        TileGrid(shape, (32, 32), (step, step))
    )


def test_images_go_together_until_they_fill_four_passes() -> None:
    cases = [case((32, 32))] * 11 + [case((320, 320))]  # the large one says how much is held
    found = list(Together(cases, recipe(overlap=0), 2).runs(range(11)))
    assert found == [[0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10]]


def test_other_members_and_axes_begin_a_run_of_their_own() -> None:
    cases = [case((8, 8)), case((8, 8), ("n",)), case((8, 8), ("n",), "xy")]
    assert list(Together(cases, recipe(), 8).runs([0, 1, 2])) == [[0], [1], [2]]


def test_no_more_is_held_than_of_the_largest_image_or_of_one_pass() -> None:
    cases = [case((100, 100))] * 4
    assert list(Together(cases, recipe(overlap=0), 64).runs(range(4))) == [[0, 1, 2, 3]]
    assert list(Together(cases, recipe(overlap=0), 20).runs(range(4))) == [[0, 1], [2, 3]]
    assert list(Together(cases, recipe(overlap=0), 4).runs(range(4))) == [[0], [1], [2], [3]]


def test_the_batch_is_as_full_as_all_images_make_it() -> None:
    few = [case((8, 8))] * 3
    assert gathered_batch(few, recipe(), 8) == 3
    assert gathered_batch([case((8, 8))] * 9, recipe(), 8) == 5
    assert gathered_batch([*few, case((8, 8, 8), axes="zyx")], recipe(), 8) == 8
    assert gathered_batch([*few, case((8, 8), banded=True)], recipe(), 8) == 8


@pytest.fixture(scope="module")
def run(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members, and eight small images of several sizes."""
    folder, rng = tmp_path_factory.mktemp("together"), np.random.default_rng(0)
    make.bundle(frame={"size": [32, 32], "channels": 1}).save(folder / "run/bundle")
    (folder / "images").mkdir()
    for number, size in enumerate(SIZES):
        pixels = rng.integers(0, 256, size, np.uint8)
        Image.fromarray(pixels).save(folder / f"images/i{number}.png")
    return folder


def predicted(run: Path, out: Path, **options: Any) -> PredictResult:
    return predict(
        run / "run", run / "images", out, device="cpu", progress=False, **{"batch": 5, **options}
    )


def probabilities(folder: Path) -> dict[str, NDArray[Any]]:
    found = Predictions.open(folder)
    return {id: found.prob(id) for id in found.ids}


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The tiles of every forward pass of a convolution that sees the image."""
    seen, own = list[int](), nn.Conv2d.forward

    def forward(layer: nn.Conv2d, x: Tensor) -> Tensor:
        if layer.in_channels == 1 and x.shape[-2:] == (32, 32):
            seen.append(len(x))
        return own(layer, x)

    monkeypatch.setattr(nn.Conv2d, "forward", forward)
    return seen


def test_tiles_of_several_images_fill_passes_and_change_answers_by_rounding_alone(
    run: Path, tmp_path: Path, passes: list[int]
) -> None:
    predicted(run, tmp_path / "apart")
    apart = len(passes)
    passes.clear()
    predicted(run, tmp_path / "together", gather=True)
    assert set(passes) == {5}
    assert len(passes) < apart
    wanted, found = probabilities(tmp_path / "apart"), probabilities(tmp_path / "together")
    assert found.keys() == wanted.keys()
    for id, prob in found.items():
        np.testing.assert_allclose(prob, wanted[id], atol=1e-3)  # stored as float16


def test_answers_do_not_depend_on_the_images_they_are_answered_with(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted(run, tmp_path / "long", gather=True)
    for most, out in ((1, "short"), (99, "longer")):
        monkeypatch.setattr(module, "PASSES", most)
        predicted(run, tmp_path / out, gather=True)
        wanted, found = probabilities(tmp_path / "long"), probabilities(tmp_path / out)
        for id, prob in found.items():
            np.testing.assert_allclose(prob, wanted[id], atol=1e-3)


def test_on_a_cpu_each_image_has_passes_of_its_own_and_the_manifest_is_as_ever(
    run: Path, tmp_path: Path
) -> None:
    predicted(run, tmp_path / "asked", gather=False)
    predicted(run, tmp_path / "plain")
    assert contents(tmp_path / "asked") == contents(tmp_path / "plain")
    assert "gathered" not in (tmp_path / "plain/prediction.json").read_text(encoding="utf-8")


def test_a_folder_goes_on_as_it_was_begun(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Worker._probs

    def interrupted(worker: Worker, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
        if 7 in numbers:
            raise KeyboardInterrupt
        return own(worker, numbers)

    monkeypatch.setattr(module, "PASSES", 1)
    monkeypatch.setattr(Worker, "_probs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predicted(run, tmp_path / "pred", gather=True)
    monkeypatch.undo()
    with pytest.raises(RecipeError, match=r"of several images on cpu.*pass --gather"):
        predicted(run, tmp_path / "pred", gather=False)
    result = predicted(run, tmp_path / "pred")  # as noted
    assert result.kept >= 1
    assert result.kept + result.predicted == len(SIZES)
    info = read_info(tmp_path / "pred")
    assert info.arithmetic is not None
    assert info.arithmetic.gathered
    predicted(run, tmp_path / "whole", gather=True)
    wanted = probabilities(tmp_path / "whole")
    for id, prob in probabilities(tmp_path / "pred").items():
        np.testing.assert_allclose(prob, wanted[id], atol=1e-3)


@pytest.mark.parametrize("memory", [None, 2**34])
def test_an_image_that_fails_stops_none_of_those_answered_with_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int | None
) -> None:
    own = Worker._probs

    def fails(worker: Worker, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
        if 1 in numbers:
            raise ValueError("of a library")
        return own(worker, numbers)

    monkeypatch.setattr(Worker, "_probs", fails)
    with pytest.raises(PartialError) as caught:
        predicted(run, tmp_path / "pred", gather=True, memory=memory)
    result = caught.value.result
    assert isinstance(result, PredictResult)
    assert (result.predicted, len(result.failed)) == (len(SIZES) - 1, 1)
    assert Predictions.open(tmp_path / "pred").ids == [f"i{n}" for n in range(8) if n != 1]


@pytest.mark.slow
def test_processes_answer_together_as_this_one_does(run: Path, tmp_path: Path) -> None:
    predicted(run, tmp_path / "one", gather=True)
    predicted(run, tmp_path / "two", gather=True, workers=2)
    wanted, found = probabilities(tmp_path / "one"), probabilities(tmp_path / "two")
    assert found.keys() == wanted.keys()
    for id, prob in found.items():
        np.testing.assert_allclose(prob, wanted[id], atol=1e-3)


def test_only_valid_pixels_and_other_sizes_are_answered_as_by_themselves() -> None:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    networks = [nn.Conv2d(1, 1, 3, padding=1) for _ in range(2)]
    resized = Frame(size=(32, 32), resize=(48, 40))
    members = [
        Member(networks[0], Fixed(scale=255.0)),
        Member(networks[1], Fixed(scale=255.0), frame=resized),
    ]
    wanted = recipe(only_valid=True, overlap=0.5)
    cases = []
    for number, size in enumerate([*SIZES, (48, 40)]):
        image = ArrayVolume(rng.integers(0, 256, (1, *size), np.uint8), "yx")
        area = np.zeros((1, *size), np.uint8)
        area[:, : size[0] // 2 + 1, : size[1] // 3 + 1] = 1
        valid = ArrayVolume(area, "yx") if number % 2 else None
        cases.append(Case(str(number), str(number), image, valid=valid))
    device = torch.device("cpu")
    found = predict_gathered(cases, members, wanted, device=device, batch=7)
    for case_, answer in zip(cases, found, strict=True):
        alone = predict_case(case_, members, wanted, device=device, batch=7)
        np.testing.assert_allclose(answer, alone, atol=1e-5)
        if case_.valid is not None:
            assert not answer[:, read_all(case_.valid)[0] == 0].any()
