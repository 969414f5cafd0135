"""Shift and factor by hand, against numpy, and where an image has no spread or no numbers."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lamina.data.case import Case
from lamina.data.network_input import normalise as module
from lamina.data.network_input.normalise import (
    AnyNormalise,
    ChannelMoments,
    DatasetStats,
    Fixed,
    PerCase,
)
from lamina.errors import DataError, OptionError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume


def case(array: NDArray[Any], name: str = "a") -> Case:
    return Case(name, name, ArrayVolume(array, "zyx"[4 - array.ndim :], f"{name}.png"))


def apply(normalise: AnyNormalise, array: NDArray[Any]) -> NDArray[np.float32]:
    shift, factor = normalise.factors(case(array).image)
    space = (...,) + (None,) * (array.ndim - 1)
    out: NDArray[np.float32] = (array.astype(np.float32) - shift[space]) * factor[space]
    return out


def test_fixed_is_scale_then_mean_then_deviation() -> None:
    image = np.array([[[0, 51, 255]]], np.uint8)
    out = apply(Fixed(mean=0.2, std=0.5), image)
    np.testing.assert_allclose(out, [[[-0.4, 0.0, 1.6]]], atol=1e-6)


def test_fixed_takes_one_number_per_channel() -> None:
    image = np.full((2, 1, 1), 255, np.uint8)
    out = apply(Fixed(mean=(0.5, 1.0), std=(0.25, 1.0)), image)
    np.testing.assert_allclose(out.ravel(), [2.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"mean": (0, 0), "std": (1, 1, 1)}, {"std": -1}, {"scale": 0}, {"mean": ()}]
)
def test_fixed_refuses_numbers_that_do_not_belong_together(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Fixed(**options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.int32, np.float32])
def test_dataset_statistics_equal_those_of_all_pixels_together(
    dtype: type[np.generic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE", 50)  # cut images of 2 channels into many pieces
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 200, (2, h, w)).astype(dtype) for h, w in ((7, 9), (20, 3), (1, 30))]
    fixed = DatasetStats().fit([case(image, str(i)) for i, image in enumerate(images)])
    together = np.concatenate([image.reshape(2, -1) for image in images], 1).astype(np.float64)
    assert isinstance(fixed, Fixed)
    np.testing.assert_allclose(np.array(fixed.mean), together.mean(1), rtol=1e-9)
    np.testing.assert_allclose(np.array(fixed.std), together.std(1), rtol=1e-9)
    assert fixed.scale == 1.0
    assert fixed.fit([]) is fixed


def test_dataset_statistics_of_a_volume_and_of_its_slices_with_neighbours_are_equal() -> None:
    volume = case(np.random.default_rng(0).integers(0, 255, (1, 5, 6, 7)).astype(np.uint8))
    whole = DatasetStats().fit([volume])
    planes = DatasetStats().fit(list(volume.planes("z", context=1)))
    assert isinstance(whole, Fixed)
    assert isinstance(planes, Fixed)
    assert whole.mean == pytest.approx(planes.mean)
    assert whole.std == pytest.approx(planes.std)


def test_colour_that_is_really_grey_gives_one_number() -> None:
    grey = np.random.default_rng(0).integers(0, 255, (1, 8, 8)).astype(np.uint8)
    fixed = DatasetStats().fit([case(grey.repeat(3, 0))])
    assert isinstance(fixed, Fixed)
    assert fixed.mean == pytest.approx(grey.mean())


def test_every_pixel_is_read_once_in_pieces_of_bounded_size() -> None:
    seen = np.zeros((3, 40, 50), int)
    for region in module._cut(Region.whole(seen.shape), 64):
        assert seen[region.slices].size <= 64
        seen[region.slices] += 1
    assert (seen == 1).all()


def test_dataset_statistics_need_fit_cases_and_equal_channels() -> None:
    with pytest.raises(ValueError, match="fit"):
        DatasetStats().factors(case(np.zeros((1, 2, 2), np.uint8)).image)
    with pytest.raises(DataError, match="no training case"):
        DatasetStats().fit([])
    with pytest.raises(DataError, match=r"case b: has 3 channels.*before it 2"):
        DatasetStats().fit(
            [
                case(np.arange(4 * n, dtype=np.uint8).reshape(n, 2, 2), name)
                for n, name in ((2, "a"), (3, "b"))
            ]
        )


references: list[tuple[PerCase, Callable[[NDArray[Any]], tuple[float, float]]]] = [
    (PerCase(how="minmax"), lambda x: (x.min(), 1 / (x.max() - x.min()))),
    (PerCase(how="standard"), lambda x: (x.mean(), 1 / x.std())),
    (
        PerCase(how="percentile", low=2, high=90),
        lambda x: (np.percentile(x, 2), 1 / (np.percentile(x, 90) - np.percentile(x, 2))),
    ),
]


@pytest.mark.parametrize(("normalise", "expected"), references)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_each_image_by_its_own_numbers(
    normalise: PerCase,
    expected: Callable[[NDArray[Any]], tuple[float, float]],
    dtype: type[np.generic],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PIECE", 100)
    image = np.random.default_rng(1).integers(3, 250, (2, 30, 40)).astype(dtype)
    shift, factor = normalise.fit([]).factors(case(image).image)
    want = expected(image.astype(np.float64))
    np.testing.assert_allclose([shift[0], factor[0]], want, rtol=1e-6)


def test_the_image_is_measured_once_and_forgotten_with_it() -> None:
    reads = []

    class Counted(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            reads.append(region)
            return super().read(region)

    volume = Counted(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    before = len(module._MEASURED)
    for _ in range(3):
        PerCase(how="minmax").factors(volume)
    assert len(reads) == 1
    assert len(module._MEASURED) == before + 1
    del volume
    gc.collect()
    assert len(module._MEASURED) == before


@pytest.mark.parametrize("how", ["minmax", "standard", "percentile"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_constant_image_becomes_zero(how: Any, dtype: type[np.generic]) -> None:
    """I10."""
    image = np.full((1, 4, 4), 7, dtype)
    assert apply(PerCase(how=how), image).tolist() == np.zeros((1, 4, 4)).tolist()
    assert apply(DatasetStats().fit([case(image)]), image).tolist() == np.zeros((1, 4, 4)).tolist()


@pytest.mark.parametrize("normalise", [DatasetStats(), PerCase()])
def test_nan_and_infinity_are_counted_and_the_file_is_named(
    normalise: DatasetStats | PerCase,
) -> None:
    """I09."""
    image = np.zeros((1, 4, 5), np.float32)
    image[0, 0, :2], image[0, 1, 0] = np.nan, np.inf
    with pytest.raises(DataError, match=r"scan\.png: 3 of 20 .*\(2 NaN, 1 infinite\)"):
        normalise.fit([case(image, "scan")]).factors(case(image, "scan").image)


def test_low_percentiles_must_be_below_high_ones() -> None:
    with pytest.raises(OptionError, match="not below"):
        PerCase(how="percentile", low=60, high=40)


@pytest.mark.parametrize("value", [Fixed(mean=(0.1, 0.2)), DatasetStats(), PerCase(how="minmax")])
def test_there_and_back_through_plain_values(value: AnyNormalise) -> None:
    adapter: TypeAdapter[AnyNormalise] = TypeAdapter(AnyNormalise)
    assert adapter.validate_python(value.model_dump(mode="json")) == value


def test_moments_of_one_channel_join_as_arrays_do_bit_by_bit() -> None:
    """Statistics that a run began with are compared with nothing less when it goes on."""
    rng = np.random.default_rng(3)

    def drawn() -> ChannelMoments:
        mean, squares = rng.normal(100, 50, (1, 1)), rng.random((1, 1)) * 1e7
        return ChannelMoments(int(rng.integers(1, 10**7)), mean[0], squares[0])

    found = wanted = drawn()
    for _ in range(200):
        other = drawn()
        found = found.join(other)
        count, apart = wanted.count + other.count, other.mean - wanted.mean
        wanted = ChannelMoments(
            count,
            wanted.mean + apart * (other.count / count),
            wanted.squares + other.squares + apart**2 * (wanted.count * other.count / count),
        )
        assert (found.count, found.mean, found.squares) == (
            wanted.count,
            wanted.mean,
            wanted.squares,
        )
