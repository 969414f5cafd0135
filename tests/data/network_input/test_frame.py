"""What the network sees: channels, slices, borders, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame, Slices
from lamina.data.network_input.normalise import AnyNormalise, DatasetStats, Fixed, PerCase
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Volume

PLAIN = Fixed(scale=1.0)


def looked(
    frame: Frame, volume: Volume, region: Region, normalise: AnyNormalise = PLAIN
) -> NDArray[np.float32]:
    return frame.look(volume, region, frame.factors(volume, normalise))


def image(*shape: int, dtype: type[np.generic] = np.uint8) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype)


def test_inside_the_image_the_stored_pixels_are_returned_in_their_type() -> None:
    stored = image(1, 9, 9, dtype=np.uint16)
    found = Frame().read(ArrayVolume(stored), Region((2, 3), (5, 9)))
    np.testing.assert_array_equal(found, stored[:, 2:5, 3:9])
    assert found.dtype == np.uint16


def test_colour_that_is_really_grey_is_read_as_one_channel() -> None:
    grey = image(1, 5, 6)
    found = Frame(channels=1).read(ArrayVolume(grey.repeat(3, 0)), Region.whole((5, 6)))
    np.testing.assert_array_equal(found, grey)


def test_real_colour_is_not_read_as_one_channel() -> None:
    volume = ArrayVolume(image(3, 5, 6), name="tile.png")
    with pytest.raises(DataError, match=r"tile\.png: its 3 channels differ.*channels=3"):
        Frame(channels=1).read(volume, Region.whole((5, 6)))


def test_WORK_17_colours_in_a_grey_recipe_are_named_before_training() -> None:
    grey, colour = image(1, 5, 6), image(3, 5, 6)
    cases = [
        Case(name, name, ArrayVolume(pixels, name=f"{name}.png"))
        for name, pixels in (("a", grey), ("b", grey.repeat(3, 0)), ("c", colour))
    ]
    assert Frame().fit(cases[:2]) == Frame().fit(cases[:1])
    with pytest.raises(DataError, match=r"c\.png: its 3 channels differ"):
        Frame().fit(cases)
    assert Frame(channels=3).fit(cases).kind == "fixed"


def test_grey_is_repeated_for_a_network_that_sees_colour() -> None:
    grey = image(1, 5, 6)
    found = Frame(channels=3).read(ArrayVolume(grey), Region.whole((5, 6)))
    np.testing.assert_array_equal(found, grey.repeat(3, 0))


def test_other_channels_are_refused_when_the_cases_are_opened() -> None:
    case = Case("a", "a", ArrayVolume(image(4, 5, 6), name="tile.png"))
    with pytest.raises(DataError, match=r"tile\.png: has 4 channels.*-s frame\.channels=4"):
        Frame(channels=3).cases([case])


def test_slices_become_images_with_neighbours_as_channels() -> None:
    volume = image(1, 4, 5, 6)
    frame = Frame(slices=Slices(axes="zy", context=1))
    planes = frame.cases([Case("v", "v", ArrayVolume(volume, "zyx"))])
    assert frame.inputs == 3
    assert len(planes) == 4 + 5
    first = looked(frame, planes[0].image, Region.whole((5, 6)))
    np.testing.assert_array_equal(first, volume[0, [0, 0, 1]])
    across = looked(frame, planes[4 + 2].image, Region.whole((4, 6)))
    np.testing.assert_array_equal(across, volume[0].swapaxes(0, 1)[[1, 2, 3]])


def test_slices_keep_their_order_when_grey_colour_is_reduced_or_grey_is_repeated() -> None:
    grey = image(1, 4, 5, 6)
    slices = Slices(context=1)
    colour = next(Case("v", "v", ArrayVolume(grey.repeat(3, 0), "zyx")).planes("z", 1))
    found = Frame(slices=slices).read(colour.image, Region.whole((5, 6)))
    np.testing.assert_array_equal(found, grey[0, [0, 0, 1]])
    plane = next(Case("v", "v", ArrayVolume(grey, "zyx")).planes("z", 1))
    repeated = Frame(slices=slices, channels=2).read(plane.image, Region.whole((5, 6)))
    np.testing.assert_array_equal(repeated, grey[0, [0, 0, 0, 0, 1, 1]])


def test_a_volume_needs_slices_and_neighbours_need_a_volume() -> None:
    with pytest.raises(RecipeError, match=r"axes 'zyx'.*set frame\.slices, such as {axes: z}"):
        Frame().cases([Case("v", "v", ArrayVolume(image(1, 4, 5, 6), "zyx"))])
    with pytest.raises(DataError, match="is not a volume"):
        Frame(slices=Slices(context=1)).cases([Case("i", "i", ArrayVolume(image(1, 4, 5)))])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_every_type_is_normalised_by_the_same_formula(dtype: type[np.generic]) -> None:
    stored = image(2, 8, 9, dtype=dtype)
    frame, normalise = Frame(channels=2), Fixed(mean=(10, 20), std=(3, 5), scale=1)
    found = looked(frame, ArrayVolume(stored), Region((-2, 0), (8, 9)), normalise)
    mirrored = np.pad(stored, ((0, 0), (2, 0), (0, 0)), mode="reflect").astype(np.float64)
    expected = (mirrored - np.array([10, 20])[:, None, None]) / np.array([3, 5])[:, None, None]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert found.dtype == np.float32


def test_numbers_are_given_per_channel_and_repeat_over_neighbours() -> None:
    frame = Frame(channels=2, slices=Slices(context=1))
    plane = next(Case("v", "v", ArrayVolume(image(2, 3, 4, 5), "zyx")).planes("z", 1))
    shift, factor = frame.factors(plane.image, Fixed(mean=(1, 2), std=(1, 4), scale=1))
    assert shift.tolist() == [1, 2, 1, 2, 1, 2]
    assert factor.tolist() == [1, 0.25, 1, 0.25, 1, 0.25]
    with pytest.raises(RecipeError, match="has 5 numbers"):
        frame.factors(plane.image, Fixed(mean=(0,) * 5))


def test_nan_is_found_when_it_is_read() -> None:
    stored = np.zeros((1, 4, 4), np.float32)
    stored[0, 1, 1] = np.nan
    volume = ArrayVolume(stored, name="scan.tif")
    assert Frame().read(volume, Region((2, 2), (4, 4))).shape == (1, 2, 2)
    with pytest.raises(DataError, match=r"scan\.tif: 1 of 16"):
        looked(Frame(), volume, Region.whole((4, 4)))


@pytest.mark.parametrize("how", ["minmax", "standard", "percentile"])
def test_constant_images_stay_finite(how: Any) -> None:
    """I10."""
    stored = np.full((1, 4, 4), 9, np.uint8)
    found = looked(Frame(), ArrayVolume(stored), Region.whole((4, 4)), PerCase(how=how))
    assert (found == 0).all()


def test_the_defaults_and_what_is_refused() -> None:
    assert Frame().normalise == DatasetStats()
    assert Frame(channels=3, slices=Slices(context=2)).inputs == 15
    for options in ({"size": (0, 4)}, {"channels": 0}, {"slices": {"axes": "zz"}}):
        with pytest.raises(ValidationError):
            Frame.model_validate(options)


def test_training_may_see_every_nth_slice_and_judging_a_few() -> None:
    """NOISE-4, NOISE-5: every 5th slice is learnt from; a few are judged, each by its own axis."""
    case = Case("v", "v", ArrayVolume(np.zeros((1, 12, 8, 4), np.uint8), "zyx"))
    frame = Frame(slices=Slices(axes="zy", every=5))
    assert [plane.id for plane in frame.cases([case])] == [
        "v/z0000",
        "v/z0005",
        "v/z0010",
        "v/y0000",
        "v/y0005",
    ]
    assert frame.chosen([case], ()) == [case]
    chosen = frame.chosen([case], (0.25, 0.75))
    assert [one.id for one in chosen] == ["v/z0003", "v/z0009", "v/y0002", "v/y0006"]
    assert Frame().chosen([case], (0.5,)) == [case]
