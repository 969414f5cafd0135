"""Mixed samples by hand: where each pixel comes from, and that target and valid area follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from scipy.ndimage import binary_dilation

from lamina.data.mixing import AnyMix, CopyPaste, Cutmix, Mix, Mixup, Samples
from lamina.seeding import rng

ALL = [Cutmix(p=1), Mixup(p=1), CopyPaste(p=1)]


def some(count: int, outputs: int = 2, size: tuple[int, int] = (9, 12)) -> Samples:
    """Samples whose image and target tell pixel for pixel whose they are."""
    chance = rng(0, "mixing", count)
    own = np.arange(1, count + 1, dtype=np.float32).reshape(-1, 1, 1, 1)
    image = own * 1000 + np.arange(np.prod(size), dtype=np.float32).reshape(size)
    return Samples(
        image=np.repeat(image, 3, 1).astype(np.float32),
        target=(chance.random((count, outputs, *size)) < 0.2).astype(np.float32),
        valid=(chance.random((count, 1, *size)) < 0.8).astype(np.float32),
    )


def mixed(option: Mix, stack: Samples, *, exclusive: bool = False, seed: int = 0) -> Samples:
    return option.mix(stack, exclusive=exclusive, rng=rng(seed, "mix"))


def source(image: np.ndarray) -> np.ndarray:
    """Return the number of the sample that every pixel is of."""
    return np.asarray(image[0] // 1000, int) - 1


@given(seed=st.integers(0, 10**6), count=st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_cutmix_shows_one_box_of_one_other_sample_with_its_target(seed: int, count: int) -> None:
    stack = some(count)
    found = mixed(Cutmix(p=1), stack, seed=seed)
    for number in range(count):
        whose = source(found.image[number])
        others = set(np.unique(whose)) - {number}
        assert len(others) <= 1
        rows, columns = np.nonzero(whose != number)
        if rows.size:  # they fill a box
            box = whose[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert (box != number).all()
        for part, before in zip(found, stack, strict=True):
            at = np.broadcast_to(whose[None], part[number].shape)
            expected = np.take_along_axis(before, at[None], 0)[0]
            assert np.array_equal(part[number], expected)


def test_the_box_of_cutmix_has_the_area_of_its_share() -> None:
    """Yun et al. 2019: sides sqrt(1 - a) of the sample; a uniform, so half of it in the mean."""
    draws = [Cutmix().draw((1000, 1000), rng(0, number)) for number in range(2000)]
    whole = [box for box in draws if all(s.start > 0 and s.stop < 1000 for s in box)]
    for rows, columns in whole:
        assert rows.stop - rows.start == columns.stop - columns.start
    centres = np.array([[(s.start + s.stop) / 2 for s in box] for box in whole])
    assert np.allclose(centres.mean(0), 500, atol=25)
    sides = [1 - rng(0, number).beta(1.0, 1.0) for number in range(2000)]
    expected = [int(1000 * share**0.5) for share in sides]
    cut = [box[0].stop - box[0].start for box in draws]
    assert all(a <= b for a, b in zip(cut, expected, strict=True))
    inside = [a == b for a, b in zip(cut, expected, strict=True)]
    assert sum(inside) >= len(whole) > 200


def test_mixup_fades_image_and_target_and_counts_what_counts_in_both() -> None:
    """Zhang et al. 2018."""
    stack = some(2)
    found = mixed(Mixup(p=1), stack)
    for number, other in ((0, 1), (1, 0)):
        own, theirs = stack.image[number], stack.image[other]
        share = (found.image[number] - theirs) / (own - theirs)
        assert np.allclose(share, share[0, 0, 0], atol=1e-4)
        assert 0 <= share[0, 0, 0] <= 1
        a = share[0, 0, 0]
        expected = a * stack.target[number] + (1 - a) * stack.target[other]
        assert np.allclose(found.target[number], expected, atol=1e-4)
        assert np.array_equal(found.valid[number], stack.valid[number] * stack.valid[other])


@pytest.mark.parametrize("grow", [0, 2])
@pytest.mark.parametrize("exclusive", [False, True])
def test_copy_paste_puts_positive_pixels_over_another_sample(grow: int, exclusive: bool) -> None:
    """Ghiasi et al. 2021."""
    stack = some(2, outputs=3)
    found = mixed(CopyPaste(p=1, grow=grow), stack, exclusive=exclusive)
    for number, other in ((0, 1), (1, 0)):
        positive = (stack.target[other, 1 if exclusive else 0 :] > 0).any(0)
        pasted = positive & (stack.valid[other, 0] > 0)
        if grow:
            pasted = binary_dilation(pasted, np.ones((5, 5), bool))
        assert pasted.any()
        for part, before in zip(found, stack, strict=True):
            assert np.array_equal(part[number], np.where(pasted, before[other], before[number]))


def test_a_sample_without_a_positive_pixel_pastes_nothing() -> None:
    stack = some(3)
    stack.target[:] = 0
    for part, before in zip(mixed(CopyPaste(p=1), stack), stack, strict=True):
        assert np.array_equal(part, before)


@pytest.mark.parametrize("option", ALL, ids=lambda option: option.kind)
def test_what_is_given_stays_and_equal_chance_mixes_equally(option: Mix) -> None:
    stack = some(4)
    before = Samples(*(part.copy() for part in stack))
    one, same, other = (mixed(option, stack, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(stack, before, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.image, other.image)
    assert all(part.dtype == np.float32 for part in one)


@pytest.mark.parametrize("option", ALL, ids=lambda option: option.kind)
def test_about_p_of_the_samples_change_and_a_batch_of_one_stays(option: Mix) -> None:
    few = option.model_copy(update={"p": 0.25})
    stack, changed = some(8), 0
    for seed in range(50):
        found = mixed(few, stack, seed=seed)
        changed += sum(
            not np.array_equal(a, b) for a, b in zip(found.image, stack.image, strict=True)
        )
    assert 0.12 * 400 < changed < 0.38 * 400  # a box may have no area
    alone = some(1)
    assert mixed(option, alone) is alone


def test_an_option_survives_json() -> None:
    adapter = TypeAdapter(tuple[AnyMix, ...])
    options = (Cutmix(alpha=0.5), Mixup(p=1), CopyPaste(grow=3))
    assert adapter.validate_json(adapter.dump_json(options), strict=True) == options
