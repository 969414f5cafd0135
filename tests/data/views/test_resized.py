"""Resized images against averages by hand and torch, masks against centres by fractions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lamina.data.case import Case
from lamina.data.readers import open_volume
from lamina.data.views.resized import Resized, resample, resized
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.volume import ArrayVolume, read_all


def volume(*shape: int, dtype: type = np.uint8) -> ArrayVolume:
    return ArrayVolume(rng(0, "resized", *shape).integers(0, 256, shape).astype(dtype))


def test_half_the_size_is_the_mean_of_four_pixels() -> None:
    stored = volume(2, 6, 8, dtype=np.float32)
    wanted = stored.array.reshape(2, 3, 2, 4, 2).mean((2, 4))
    assert np.allclose(read_all(Resized(stored, (3, 4), smooth=True)), wanted, atol=1e-4)


@pytest.mark.parametrize("shape", [(12, 16), (7, 20), (13, 5)])
def test_a_larger_size_is_bilinear_between_pixel_centres(shape: tuple[int, int]) -> None:
    stored = volume(1, 6, 8, dtype=np.float32)
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(stored.array)[None], shape, mode="bilinear", align_corners=False
    )[0].numpy()
    assert np.allclose(resample(stored.array, shape), wanted, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 20), st.integers(1, 20))
def test_a_mask_takes_the_pixel_under_each_centre(a: int, b: int, rows: int, columns: int) -> None:
    """SIIM-7: nearest, never a class between two others."""
    stored = volume(1, a, b)
    found = read_all(Resized(stored, (rows, columns), smooth=False))
    for row in range(rows):
        for column in range(columns):
            y = Fraction(2 * row + 1, 2 * rows) * a
            x = Fraction(2 * column + 1, 2 * columns) * b
            assert found[0, row, column] == stored.array[0, int(y), int(x)]


def test_a_region_is_a_part_of_the_resized_whole_and_types_stay() -> None:
    stored = volume(3, 10, 12)
    small = Resized(stored, (5, 9), smooth=True)
    assert (small.dtype, small.shape, small.channels) == (np.uint8, (5, 9), 3)
    part = small.read(Region((1, 2), (4, 8)))
    assert np.array_equal(part, read_all(small)[:, 1:4, 2:8])
    truth = ArrayVolume(stored.array[:1] > 100)
    assert read_all(Resized(truth, (5, 9), smooth=False)).dtype == np.bool_
    assert Resized(ArrayVolume(stored.array.astype(np.int32)), (5, 9), smooth=True).dtype == "f4"


def test_a_case_is_resized_as_a_whole_and_stays_itself_at_its_own_size() -> None:
    image, target = volume(1, 8, 8), ArrayVolume(volume(1, 8, 8).array > 128)
    case = Case("one", "one", image, target, target)
    assert resized(case, None) is case
    assert resized(case, (8, 8)) is case
    small = resized(case, (4, 4))
    assert small.target is not None
    assert small.valid is not None
    assert small.image.shape == small.target.shape == small.valid.shape == (4, 4)
    assert set(np.unique(read_all(small.target))) <= {0, 1}
    values = resized(Case("v", "v", image, image), (4, 4), restore=True)
    assert values.target is not None
    assert np.array_equal(read_all(values.target), read_all(values.image))


def test_a_resized_file_is_kept_and_what_is_read_of_it_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = rng(5, "kept").integers(0, 256, (40, 50), np.uint8)
    Image.fromarray(stored).save(tmp_path / "a.png")
    view = Resized(open_volume(tmp_path / "a.png"), (20, 25), smooth=True)
    wanted = resample(stored[None], (20, 25))
    first = read_all(view)
    np.testing.assert_array_equal(first, wanted)
    first[...] = 0  # a transform may write into what it was given
    monkeypatch.setattr(Resized, "_whole", lambda self: pytest.fail("was resized again"))
    np.testing.assert_array_equal(read_all(view), wanted)
    part = Region((3, 4), (9, 25))
    np.testing.assert_array_equal(view.read(part), wanted[(slice(None), *part.slices)])
    Image.fromarray(stored[::-1]).save(tmp_path / "a.png")
    monkeypatch.undo()
    changed = Resized(open_volume(tmp_path / "a.png"), (20, 25), smooth=True)
    np.testing.assert_array_equal(read_all(changed), resample(stored[None, ::-1], (20, 25)))
