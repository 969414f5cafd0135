"""A model called with arrays: as the folder says, from many threads, and with clear refusals."""

from __future__ import annotations

import itertools
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import lamina
from lamina.bundle import Bundle, MemberWeights
from lamina.data.image_types.image_kind import kind_of
from lamina.errors import BundleError, DataError, RecipeError
from lamina.inference.model import Failure, Model
from lamina.inference.prediction import Prediction
from lamina.inference.trained import TrainedNetworks
from lamina.result.decisions import Threshold
from lamina.volume import ArrayVolume

SHAPES = [(40, 50), (64, 64), (33, 70), (20, 20), (48, 32)]


@pytest.fixture(scope="module")
def source(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle")
    make.bundle().save(path / "bundle")
    return path


@pytest.fixture(scope="module")
def model(source: Path) -> Model:
    return lamina.load(source, device="cpu")


def image(seed: int, shape: tuple[int, ...] = (40, 50)) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_an_array_is_answered_as_its_file_is(model: Model, source: Path, tmp_path: Path) -> None:
    pixels = image(1)
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    lamina.predict(source, tmp_path / "a.png", tmp_path / "pred", device="cpu", batch=2)
    stored = lamina.Predictions.open(tmp_path / "pred")
    found, by_path = model(pixels), model(tmp_path / "a.png")
    # Stored are float16; another number of tiles per forward pass may round otherwise.
    np.testing.assert_allclose(found.probabilities, stored.prob(by_path.id), atol=1e-3)
    np.testing.assert_array_equal(found.probabilities, by_path.probabilities)
    assert found.masks.shape == (2, 40, 50)
    clear = np.abs(found.probabilities - 0.5) > 1e-3
    np.testing.assert_array_equal(found.masks[clear], stored.mask(by_path.id)[clear])
    assert (found.names, found.axes, found.members) == (("dot", "line"), "yx", ("fold0", "fold1"))


def test_the_array_is_neither_changed_nor_copied_by_order_or_byte_order(model: Model) -> None:
    pixels = image(2)
    before = pixels.copy()
    wanted = model(pixels).probabilities
    np.testing.assert_array_equal(pixels, before)
    turned = np.asfortranarray(pixels)
    np.testing.assert_array_equal(model(turned).probabilities, wanted)
    np.testing.assert_array_equal(
        model(pixels.T, axes="xy").probabilities, wanted.transpose(0, 2, 1)
    )
    wide = model(pixels.astype(">i2")).probabilities
    np.testing.assert_array_equal(wide, model(pixels.astype("<i2")).probabilities)


def test_answers_are_read_only(model: Model) -> None:
    found = model(image(3))
    with pytest.raises(ValueError, match="read-only"):
        found.probabilities[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        found.masks[0, 0, 0] = True


@pytest.mark.parametrize("concurrency", [1, 4])
def test_eight_threads_give_the_bytes_of_one(make: Any, tmp_path: Path, concurrency: int) -> None:
    network = {"kind": "dncnn", "width": 8, "depth": 3, "residual": False}
    make.bundle(network=network).save(tmp_path / "bundle")
    model = lamina.load(tmp_path / "bundle", device="cpu", threads=1, concurrency=concurrency)
    images = [image(seed, SHAPES[seed % len(SHAPES)]) for seed in range(50)]
    alone = [model(pixels).probabilities.tobytes() for pixels in images]

    def answer(pixels: NDArray[np.uint8]) -> bytes:
        return model(pixels).probabilities.tobytes()

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(answer, images))
    assert together == alone


def test_map_keeps_order_and_reports_the_bad_one(model: Model) -> None:
    images = [image(1), image(2, (64, 64)), np.zeros((4, 4), bool), image(3)]
    found = list(model.map(images, errors="keep"))
    failure = found[2]
    assert isinstance(failure, Failure)
    assert failure.number == 2
    for number in (0, 1, 3):
        one = found[number]
        assert isinstance(one, Prediction)
        np.testing.assert_array_equal(one.probabilities, model(images[number]).probabilities)
    with pytest.raises(DataError, match="image 2"):
        list(model.map(images))
    assert list(model.map([])) == []
    for workers in (2, 5):
        again = list(model.map(images, errors="keep", workers=workers))
        assert isinstance(again[2], Failure)
        for number in (0, 1, 3):
            one, other = again[number], found[number]
            assert isinstance(one, Prediction)
            assert isinstance(other, Prediction)
            np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert [one.id for one in model.map(images[:2])] == ["0", "1"]  # type: ignore[union-attr]
    begun = iter(model.map((image(n) for n in itertools.count()), spacing=(2, 3)))
    assert next(begun).spacing == (2.0, 3.0)  # type: ignore[union-attr]
    begun.close()  # type: ignore[attr-defined]
    with pytest.raises(RecipeError, match="raise or keep"):
        model.map(images, errors="skip")  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="workers is 0"):
        model.map(images, workers=0)


def test_threads_are_those_asked_for_while_networks_run(source: Path) -> None:
    torch.set_num_threads(1)
    model, seen = lamina.load(source, device="cpu", threads=2), []
    networks = model._networks
    assert isinstance(networks, TrainedNetworks)
    networks.networks[0].network.register_forward_hook(
        lambda *_: seen.append(torch.get_num_threads())
    )
    model(image(1))
    assert set(seen) == {2}
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, float("nan")), (1, 2, 3)])
def test_a_spacing_that_does_not_fit_is_refused(model: Model, spacing: Any) -> None:
    with pytest.raises(DataError, match="a positive number for each axis of yx"):
        model(image(1), spacing=spacing)


def test_decisions_and_members_can_be_chosen(model: Model, source: Path) -> None:
    pixels = image(4)
    found = model(pixels, decision=0.3)
    np.testing.assert_array_equal(found.masks, found.probabilities > 0.3)
    again = found.decided(Threshold(threshold=0.7, min_area=5))
    assert again.masks.sum() <= (found.probabilities > 0.7).sum()
    np.testing.assert_array_equal(again.probabilities, found.probabilities)
    alone = lamina.load(source, device="cpu", members=["fold1"], decision=0.2)
    assert alone.members == ("fold1",)
    assert alone.decision == Threshold(threshold=0.2)
    assert (alone(pixels).probabilities != found.probabilities).any()


def test_a_model_is_sent_to_another_process_as_its_source(model: Model) -> None:
    pixels = image(5)
    sent = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(sent(pixels).probabilities, model(pixels).probabilities)
    assert (sent.members, sent.decision, sent.device) == (
        model.members,
        model.decision,
        model.device,
    )
    assert sent._asked == model._asked


def test_a_closed_model_answers_no_more(source: Path) -> None:
    with lamina.load(source, device="cpu") as opened:
        assert "2 members" in repr(opened)
    with pytest.raises(RecipeError, match="was closed"):
        opened(image(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"members": ["fold7"]}, "no member is called 'fold7'"),
        ({"members": []}, "members is empty"),
        ({"device": "tpu9"}, "--device is 'tpu9'"),
        ({"precision": "int8"}, "must be auto"),
        ({"decision": 2.0}, "within 0 and 1"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_what_does_not_exist_is_refused(source: Path, options: Any, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        lamina.load(source, **options)


def test_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        lamina.load(tmp_path / "nowhere")


def test_read_11_another_type_is_converted_exactly_or_refused(make: Any, tmp_path: Path) -> None:
    plain, pixels = make.bundle(), image(7)
    parts = [
        MemberWeights(m.name, plain.weights(n), m.fold, m.stage, m.score, m.normalise)
        for n, m in enumerate(plain.members)
    ]
    learnt = kind_of([ArrayVolume(pixels[None])])
    Bundle.make(plain.recipe, parts, cases={}, images=learnt).save(tmp_path / "bundle")
    opened = lamina.load(tmp_path / "bundle", device="cpu")
    assert opened.expects == "1 channel, axes yx, uint8 of 0 to 255"
    wanted = opened(pixels)
    assert wanted.converted is None
    wide = opened(pixels.astype(np.uint16) * 257)
    np.testing.assert_array_equal(wide.probabilities, wanted.probabilities)
    assert "times 257" in str(wide.converted) or "uint8" in str(wide.converted)
    with pytest.raises(DataError):
        opened(pixels.astype(np.float32) * 1000)


def test_volumes_are_answered_in_their_own_order(make: Any, tmp_path: Path) -> None:
    recipe = {"slices": {"axes": "z", "context": 1}, "size": [32, 32], "channels": 1}
    make.bundle(frame=recipe).save(tmp_path / "bundle")
    opened = lamina.load(tmp_path / "bundle", device="cpu")
    volume = image(6, (5, 36, 40))
    found = opened(volume, axes="zyx", spacing=(2.0, 1.0, 1.0))
    assert found.probabilities.shape == (2, 5, 36, 40)
    assert (opened.axes, found.spacing) == ("zyx", (2.0, 1.0, 1.0))
    other = opened(volume.transpose(2, 1, 0), axes="xyz")
    np.testing.assert_array_equal(other.probabilities, found.probabilities.transpose(0, 3, 2, 1))
    assert found.overlay().shape == (36, 40, 3)


def test_volumes_are_answered_in_blocks(make: Any, tmp_path: Path) -> None:
    network = {"kind": "resunet", "width": 8, "blocks": [1, 1]}
    frame = {"size": [8, 16, 16], "channels": 1}
    make.bundle(network=network, frame=frame).save(tmp_path / "bundle")
    opened = lamina.load(tmp_path / "bundle", device="cpu", threads=1)
    assert (opened.axes, opened.expects) == ("zyx", "1 channel, axes zyx")
    volume = image(8, (9, 20, 18))
    np.save(tmp_path / "v.npy", volume)
    found = opened(volume)
    assert found.probabilities.shape == (2, 9, 20, 18)
    np.testing.assert_array_equal(
        opened(volume.T, axes="xyz").probabilities, found.probabilities.transpose(0, 3, 2, 1)
    )
    with pytest.raises(DataError, match="axes zyx"):
        opened(volume[0])
