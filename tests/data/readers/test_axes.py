"""Names of stored axes, and what becomes of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lamina.data.readers.axes import Layout, lay_out, name_axes
from lamina.errors import DataError
from lamina.geometry.region import Region


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        ("yx", ("yx", None)),
        ("zyx", ("zyx", None)),
        ("cyx", ("yx", 0)),
        ("yxc", ("yx", 2)),
        ("zcyx", ("zyx", 1)),
    ],
)
def test_the_channel_axis_is_taken_out(stored: str, found: tuple[str, int | None]) -> None:
    assert name_axes(Path("a.npy"), stored) == found


@pytest.mark.parametrize("stored", ["", "x", "cx", "xx", "tzyx", "YX", "y1", "ccyx"])
def test_other_names_are_refused(stored: str) -> None:
    with pytest.raises(DataError, match=r"a.npy: axes '.*' must be .* set data.axes"):
        name_axes(Path("a.npy"), stored)


@pytest.mark.parametrize(
    ("lengths", "given", "own", "names"),
    [
        ((4, 5), None, None, "yx"),
        ((3, 4, 5), None, None, "zyx"),
        ((3, 4, 5), None, "xyz", "xyz"),
        ((3, 4, 5), "xyz", "xyz", "xyz"),
        ((1, 2, 3, 4, 5), None, "tczyx", "_czyx"),
        ((1, 2, 3, 4, 5), "zyx", "tczyx", "_czyx"),
        ((1, 3, 4, 5), "tzyx", None, "_zyx"),
        ((7, 4, 5), "tyx", None, "tyx"),  # any letter may name an axis
    ],
)
def test_each_stored_axis_has_a_part(
    lengths: tuple[int, ...], given: str | None, own: str | None, names: str
) -> None:
    assert lay_out(Path("a.zarr"), lengths, given, own) == Layout(names, lengths)


@pytest.mark.parametrize(
    ("lengths", "given", "own", "names"),
    [
        ((3, 4, 5), "zyx", "xyz", "zyx"),
        ((3, 4, 5), "yxc", "xyz", "yxc"),
        ((1, 2, 3, 4, 5), "yxz", "tczyx", "_cyxz"),
    ],
)
def test_read_3_names_other_than_the_files_are_refused_unless_asked_for(
    lengths: tuple[int, ...], given: str, own: str, names: str
) -> None:
    """READ-3: the message names the file's axes and the recipe's."""
    with pytest.raises(DataError, match=rf"own axes are '{own}', and data.axes says '[a-z]+'"):
        lay_out(Path("a.zarr"), lengths, given, own)
    assert lay_out(Path("a.zarr"), lengths, given, own, as_stored=True) == Layout(names, lengths)


def test_read_3_an_axis_that_the_file_does_not_name_is_named_freely() -> None:
    """READ-3: the fourth axis of NIfTI is what the recipe calls it, the first three are not."""
    path, lengths = Path("a.nii"), (4, 5, 6, 1)
    assert lay_out(path, lengths, "xyzt", "xyzc", declared="xyz?").axes == "xyz"
    with pytest.raises(DataError, match=r"own axes are 'xyz\?', and data.axes says 'zyxc'"):
        lay_out(path, lengths, "zyxc", "xyzc", declared="xyz?")


@pytest.mark.parametrize(
    ("lengths", "given", "own", "words"),
    [
        ((3, 4, 5), "yx", None, r"'yx' names 2; set data.axes"),
        ((3, 4, 5), "yx", "xyz", r"which it calls 'xyz', but 'yx' names 2"),
        ((2, 3, 4, 5), None, None, "only 2 or 3 are named by default"),
        ((2, 3, 4, 5), None, "tzyx", "holds 2 points in time"),
        ((3, 0, 5), None, None, "holds no pixels"),
        ((3, 4, 5), None, "zzz", "must be two or three different small letters"),
    ],
)
def test_names_that_do_not_fit_are_refused(
    lengths: tuple[int, ...], given: str | None, own: str | None, words: str
) -> None:
    with pytest.raises(DataError, match=f"a.zarr: .*{words}"):
        lay_out(Path("a.zarr"), lengths, given, own)


def test_a_region_is_found_in_the_stored_array_and_turned_round() -> None:
    stored = np.arange(1 * 4 * 2 * 5 * 6, dtype=">u2").reshape(1, 4, 2, 5, 6)
    layout = lay_out(Path("a.zarr"), stored.shape, "tzcyx")
    assert (layout.axes, layout.shape, layout.channels) == ("zyx", (4, 5, 6), 2)
    assert layout.spatial((1, 7, 8, 9, 10)) == (7, 9, 10)
    region = Region((1, 2, 0), (3, 3, 4))
    found = layout.seen(stored[layout.stored(region)])
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, stored[0].swapaxes(0, 1)[(slice(None), *region.slices)])
