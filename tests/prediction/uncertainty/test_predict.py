"""Predictions with their uncertainty: the same answers, streamed as in memory, voice by voice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed
from lamina.errors import DataError
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.streaming import row_bands
from lamina.prediction.uncertainty.measures import disagreement, entropy
from lamina.prediction.uncertainty.outlook import note_outlook
from lamina.prediction.uncertainty.predict import How, predict_uncertain
from lamina.prediction.uncertainty.stored import StoredUncertainty
from lamina.prediction.uncertainty.voices import voices
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Calibration
from lamina.result.decisions import Expected, Threshold
from lamina.volume import ArrayVolume
from tests.factories.predictions import predicted_case, prediction_info

CPU = torch.device("cpu")
HOW = How(CPU, None, 3)
CURVES = (Calibration(slope=0.8, shift=-0.5), Calibration(shift=0.4))


def conv(seed: int, outputs: int) -> nn.Module:
    torch.manual_seed(seed)
    network = nn.Conv2d(1, outputs, 3, padding=1)
    nn.init.normal_(network.weight, std=2.0)
    return network


def recipe(kind: str = "multilabel", views: str = "as_is", **more: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "test",
            "task": {"kind": kind, "names": ["a", "b"]},
            "data": {"kind": "folder"},
            "network": {"kind": "unet"},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [32, 32], "channels": 1, "slices": {"axes": "z"}},
            "predict": {"views": views},
            **more,
        }
    )


def members(count: int, curves: tuple[Calibration, ...] = ()) -> list[Member]:
    return [
        Member(conv(n, 2), Fixed(scale=255), weight=1.0 + n, calibration=curves)
        for n in range(count)
    ]


def image(*shape: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, *shape)).astype(np.uint8)
    pixels[..., : shape[-1] // 3] //= 8
    return pixels


def predicted(
    folder: Path,
    wanted: Recipe,
    many: list[Member],
    shape: tuple[int, ...],
    decision: Any,
    **more: Any,
) -> Predictions:
    case = predicted_case("x", shape, **more)
    info = prediction_info(wanted, case, decision=decision, uncertainty=True)
    predictions = Predictions.create(folder, info)
    axes = "zyx"[-len(shape) :]
    volume = ArrayVolume(image(*shape), axes)
    predict_uncertain(predictions, Case("x", "x", volume), many, wanted, HOW)
    return Predictions.open(folder)


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
@pytest.mark.parametrize("curves", [(), CURVES], ids=["plain", "calibrated"])
def test_members_one_by_one_give_the_answer_of_all_and_what_they_do_not_share(
    tmp_path: Path, kind: str, curves: tuple[Calibration, ...]
) -> None:
    wanted, many = recipe(kind), members(3, curves)
    found = predicted(tmp_path, wanted, many, (50, 40), Threshold())
    volume = ArrayVolume(image(50, 40))
    together = predict_case(volume, many, wanted, device=CPU, batch=3)
    np.testing.assert_allclose(found.prob("x"), together, atol=6e-4)
    alone = [predict_case(volume, [one], wanted, device=CPU, batch=3) for one in many]
    exclusive = kind == "multiclass"
    weights = [one.weight for one in many]
    stored = StoredUncertainty(found)
    maps = stored.map("x")
    channels = 1 if exclusive else 2
    assert maps.shape == (2 * channels, 50, 40)
    np.testing.assert_allclose(maps[:channels], entropy(together, exclusive=exclusive), atol=2e-3)
    np.testing.assert_allclose(
        maps[channels:], disagreement(alone, weights, exclusive=exclusive), atol=2e-3
    )
    masks = [one.astype(np.float16) > 0.5 for one in alone]
    pairs = [(masks[a], masks[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    dice = [
        2 * (a & b).sum(axis=(1, 2)) / (a.sum(axis=(1, 2)) + b.sum(axis=(1, 2))) for a, b in pairs
    ]
    assert stored.agreement("x") == pytest.approx(list(np.mean(dice, axis=0)))


@pytest.mark.parametrize(
    "decision",
    [Threshold(), Threshold(min_area=30), Expected(empty="zero")],
    ids=["pixelwise", "areas", "two passes"],
)
def test_a_volume_in_slabs_is_what_it_is_in_memory(tmp_path: Path, decision: Any) -> None:
    shape = (150, 33, 34)
    wanted, many = recipe(), members(2)
    found = predicted(tmp_path, wanted, many, shape, decision)
    volume = ArrayVolume(image(*shape), "zyx")
    alone = [predict_case(volume, [one], wanted, device=CPU, batch=3) for one in many]
    heard = voices(many, wanted)
    np.testing.assert_array_equal(found.prob("x"), heard.mean(alone).astype(np.float16))
    wanted_maps = np.concatenate(
        [
            entropy(heard.mean(alone), exclusive=False),
            disagreement(alone, heard.weights, exclusive=False),
        ]
    ).astype(np.float16)
    stored = StoredUncertainty(found)
    np.testing.assert_array_equal(stored.map("x"), wanted_maps)
    masks = [decision(one.astype(np.float16)) for one in alone]
    both = [2 * (a & b).sum() / (a.sum() + b.sum()) for a, b in zip(*masks, strict=True)]
    assert stored.agreement("x") == pytest.approx(both)
    assert not (tmp_path / "work").exists()


def test_a_large_image_in_bands_is_what_it_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_bands, "_THICKEST", 16)
    wanted, many = recipe(), members(2)
    banded = predicted(tmp_path / "b", wanted, many, (90, 40), Threshold(), banded=True)
    plain = predicted(tmp_path / "p", wanted, many, (90, 40), Threshold())
    np.testing.assert_allclose(banded.prob("x"), plain.prob("x"), atol=6e-4)
    maps = [StoredUncertainty(one).map("x") for one in (banded, plain)]
    np.testing.assert_allclose(maps[0], maps[1], atol=2e-3)


@pytest.mark.parametrize("curves", [(), CURVES], ids=["plain", "calibrated"])
def test_the_views_of_a_single_member_speak_for_themselves(
    tmp_path: Path, curves: tuple[Calibration, ...]
) -> None:
    wanted, many = recipe(views="flips"), members(1, curves)
    found = predicted(tmp_path, wanted, many, (40, 32), Threshold())
    together = predict_case(ArrayVolume(image(40, 32)), many, wanted, device=CPU, batch=3)
    np.testing.assert_allclose(found.prob("x"), together, atol=6e-4)
    maps = StoredUncertainty(found).map("x")
    assert maps.shape == (4, 40, 32)
    assert maps[2:].max() > 0.01


def test_one_member_in_one_view_has_entropy_alone(tmp_path: Path) -> None:
    found = predicted(tmp_path, recipe(), members(1), (40, 32), Threshold())
    stored = StoredUncertainty(found)
    assert stored.map("x").shape == (2, 40, 32)
    assert stored.agreement("x") == []


def test_what_to_expect_is_in_the_header_and_damage_is_named(tmp_path: Path) -> None:
    found = predicted(tmp_path, recipe(), members(2), (40, 32), Threshold())
    outlook = Expected(empty="zero")
    note_outlook(found, outlook)
    again = Predictions.open(tmp_path)
    rows = again.case("x").outlook
    assert [row.name for row in rows] == ["a", "b"]
    wanted = outlook.outlook([again.prob("x")])
    assert [(row.presence, row.expected) for row in rows] == wanted
    stored = StoredUncertainty(again)
    assert [row.agreement for row in rows] == stored.agreement("x")
    other = StoredUncertainty(again.with_decision(Threshold(threshold=0.3)))
    assert other.agreement("x") == []
    path = stored.path("x")
    path.write_bytes(path.read_bytes()[:-2] + b"!!")
    assert not stored.sound("x")
    with pytest.raises(DataError, match="does not match its digest; run the same"):
        stored.map("x")
