"""Synthetic strips: seeded, mostly clean, with defects that stand out only locally."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from lamina.rle.codec import decode
from lamina.synthetic.steel import CLASSES, strip, write_severstal

SMALL = (64, 160)


def test_equal_arguments_give_equal_strips_and_others_do_not() -> None:
    image, masks = strip(3, seed=1, shape=SMALL)
    again, masks_again = strip(3, seed=1, shape=SMALL)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(masks, masks_again)
    assert (image != strip(4, seed=1, shape=SMALL)[0]).any()
    assert (image != strip(3, seed=2, shape=SMALL)[0]).any()


def test_shapes_and_types_are_those_promised() -> None:
    image, masks = strip(0)
    assert (image.shape, image.dtype) == ((128, 800), np.dtype(np.uint8))
    assert (masks.shape, masks.dtype) == ((CLASSES, 128, 800), np.dtype(np.bool_))
    assert strip(0, shape=(32, 33))[0].shape == (32, 33)
    with pytest.raises(ValueError, match="at least 32 x 32"):
        strip(0, shape=(16, 800))


def test_two_thirds_are_clean_and_classes_are_as_frequent_as_in_the_competition() -> None:
    """STEEL-3: 897, 247, 5150 and 801; three times in ten a second class, drawn evenly."""
    present = np.array([strip(i, shape=SMALL)[1].any((1, 2)) for i in range(400)])
    clean = (~present.any(1)).mean()
    assert 0.59 < clean < 0.74
    counts = present.sum(0)
    assert counts.argmax() == 2
    assert counts[2] > 2 * np.delete(counts, 2).max()
    assert counts.min() == counts[1] > 0
    assert (present.sum(1) > 1).any()
    main = np.array([897, 247, 5150, 801]) / 7095
    expected = main + 0.3 * (1 - main) / 3
    found = present[present.any(1)].mean(0)
    np.testing.assert_allclose(found, expected, atol=0.1)  # 130 strips: 2.3 deviations or more


def test_defects_may_overlap() -> None:
    assert any(strip(i, shape=SMALL)[1].sum(0).max() > 1 for i in range(150))


def test_some_strips_end_in_the_dark_and_no_defect_lies_there() -> None:
    ended = 0
    for index in range(60):
        image, masks = strip(index, shape=SMALL)
        dark = ndimage.uniform_filter(image.astype(float), 9) < 12
        ended += bool(dark.any())
        assert not (masks & dark).any()
    assert 5 < ended < 30


def test_a_global_threshold_finds_next_to_nothing() -> None:
    strips = [strip(i) for i in range(30)]
    grey = np.stack([image for image, _ in strips])
    truth = np.stack([masks.any(0) for _, masks in strips])
    hits, all_ = (np.bincount(part, minlength=256).cumsum() for part in (grey[truth], grey.ravel()))
    below = 2 * hits / (all_ + hits[-1])
    above = 2 * (hits[-1] - hits) / (all_[-1] - all_ + hits[-1])
    assert max(below.max(), above.max()) < 0.2


def test_every_class_stands_out_from_what_is_around_it() -> None:
    contrast: list[list[float]] = [[] for _ in range(CLASSES)]
    for index in range(120):
        image, masks = strip(index, shape=SMALL)
        if not masks.any():
            continue
        grey = image.astype(float)
        local = abs(grey - ndimage.uniform_filter(grey, 13))
        metal = ndimage.uniform_filter(grey, 9) > 30
        clean = local[metal & ~masks.any(0)].mean()
        for found, mask in zip(contrast, masks, strict=True):
            if mask.any():
                found.append(float(local[mask].mean() / clean))
    assert all(found and np.median(found) > 2 for found in contrast)


def test_files_hold_what_strips_say(tmp_path: Path) -> None:
    folder = write_severstal(tmp_path / "steel", count=9, seed=5, shape=SMALL, first=2)
    images = sorted((folder / "train_images").iterdir())
    assert [path.name for path in images] == [f"steel_{i:05d}.png" for i in range(2, 11)]
    with (folder / "train.csv").open(newline="") as stream:
        rows = {(row["ImageId"], int(row["ClassId"])): row["EncodedPixels"]
                for row in csv.DictReader(stream)}  # fmt: skip
    for index, path in enumerate(images, start=2):
        image, masks = strip(index, seed=5, shape=SMALL)
        np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
        for number, mask in enumerate(masks, start=1):
            text = rows.pop((path.name, number), "")
            assert bool(text) == bool(mask.any())  # clean strips have no row
            np.testing.assert_array_equal(decode(text, SMALL, "severstal"), mask)
    assert not rows


def test_contrast_scales_what_defects_change_and_leaves_their_masks() -> None:
    index = next(i for i in range(100) if strip(i, seed=1)[1].any())
    clean, plain, strong = (strip(index, seed=1, contrast=contrast) for contrast in (0.0, 1.0, 2.0))
    np.testing.assert_array_equal(plain[1], strong[1])
    inside = plain[1].any(axis=0) & (strong[0] > 0) & (strong[0] < 255)  # not cut to the range
    once = plain[0][inside].astype(int) - clean[0][inside]
    twice = strong[0][inside].astype(int) - clean[0][inside]
    assert abs(once).max() > 10
    np.testing.assert_allclose(twice, 2 * once, atol=3)
