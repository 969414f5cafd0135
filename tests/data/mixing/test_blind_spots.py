"""Masked pixels: which, by what, and that only these count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from lamina.data.mixing import BlindSpots, Samples
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.recipe.load import load_recipe
from lamina.seeding import rng
from lamina.training.run import train


def distinct(*size: int) -> Samples:
    """Two samples of which every pixel has a value of its own."""
    image = np.arange(2 * np.prod(size), dtype=np.float32).reshape(2, 1, *size)
    return Samples(image, image.copy(), np.ones_like(image))


@pytest.mark.parametrize("size", [(40, 50), (6, 20, 30)])
def test_a_masked_pixel_has_the_value_of_a_neighbour_and_alone_counts(
    size: tuple[int, ...],
) -> None:
    stack = distinct(*size)
    found = BlindSpots(share=0.05, reach=2).mix(stack, exclusive=False, rng=rng(0))
    assert np.array_equal(found.target, stack.target)
    changed = found.image != stack.image
    assert np.array_equal(found.valid != 0, changed)  # never its own value
    assert np.array_equal(stack.valid, np.ones_like(stack.valid))
    for number in range(2):
        places = np.argwhere(changed[number, 0])
        assert len(places) == round(0.05 * np.prod(size))
        taken = found.image[number, 0][changed[number, 0]].astype(int) - number * np.prod(size)
        sources = np.stack(np.unravel_index(taken, size), axis=1)
        assert np.abs(sources - places).max() == 2
        corner = np.minimum(places, np.array(size) - 1 - places).min(1) < 2
        assert corner.any()  # also where a window leaves the image


def test_neighbours_are_taken_evenly() -> None:
    stack = distinct(200, 200)
    found = BlindSpots(share=0.2, reach=1).mix(stack, exclusive=False, rng=rng(0))
    inside = (found.image - stack.image)[0, 0][1:-1, 1:-1]
    steps, counts = np.unique(inside[inside != 0], return_counts=True)
    assert set(steps) == {-201, -200, -199, -1, 1, 199, 200, 201}
    assert counts.max() < 1.2 * counts.min()


def test_what_does_not_count_does_not_begin_to() -> None:
    stack = distinct(30, 30)
    stack.valid[:, :, :, 15:] = 0
    found = BlindSpots(share=0.2).mix(stack, exclusive=False, rng=rng(0))
    assert not found.valid[..., 15:].any()
    assert found.valid[..., :15].any()


def test_some_samples_may_stay_as_they_are() -> None:
    stack = Samples(*(np.repeat(part, 50, 0) for part in distinct(10, 10)))
    found = BlindSpots(p=0.5).mix(stack, exclusive=False, rng=rng(0))
    whole = found.valid.all((1, 2, 3)).mean()
    assert 0.3 < whole < 0.7


def test_noise_is_taken_out_without_a_clean_image(tmp_path: Path) -> None:
    """The error against the truth, which training never saw, falls below that of the input."""
    chance = np.random.default_rng(0)
    clean = [50 * gaussian_filter(chance.standard_normal((96, 96)), 4) * 8 + 128 for _ in range(4)]
    (tmp_path / "data").mkdir()
    noisy = [(one + chance.normal(0, 25, one.shape)).clip(0, 255).round() for one in clean]
    for number, image in enumerate(noisy):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / "data" / f"{number}.png")
    changes = (
        "network={kind: dncnn, depth: 5, width: 16, residual: false}",
        "frame.size=[48, 48]",
        "stages.main.epochs=4",
        "stages.main.sampler.count=256",
        "stages.main.optimizer.lr=3e-3",
        "stages.main.mix=[{kind: blind_spots, share: 0.05}]",
        "predict.views=as_is",
    )
    recipe = load_recipe("denoise-noisy-laptop", changes)
    train(recipe, data=tmp_path / "data", out=tmp_path / "run", workers=0)
    predict(tmp_path / "run", tmp_path / "data", tmp_path / "pred", progress=False)
    found = Predictions.open(tmp_path / "pred")
    for number, truth in enumerate(clean):
        restored = np.asarray(found.prob(str(number)))[0] * 255
        before = ((noisy[number] - truth.clip(0, 255)) ** 2).mean()
        after = ((restored - truth.clip(0, 255)) ** 2).mean()
        assert after < 0.6 * before
