"""Names of stored axes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.data.readers.axes import name_axes
from lamina.errors import DataError


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
