"""The steel csv line by line, read back by the csv module, and its refusals."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.result.submissions import Severstal
from lamina.rle.codec import decode


def masks() -> NDArray[np.bool_]:
    two = np.zeros((2, 3, 2), np.bool_)
    two[1, 2, 0] = two[1, 0, 1] = True  # the run wraps from the first column to the second
    two[1, 2, 1] = True
    return two


def test_joined_rows_by_hand(tmp_path: Path) -> None:
    rows = Severstal().write([("a.jpg", masks())], tmp_path / "s.csv")
    assert rows == 2
    text = (tmp_path / "s.csv").read_text()
    assert text == "ImageId_ClassId,EncodedPixels\na.jpg_1,\na.jpg_2,3 2 6 1\n"


def test_separate_rows_by_hand(tmp_path: Path) -> None:
    Severstal(columns="separate").write([("a.jpg", masks())], tmp_path / "s.csv")
    text = (tmp_path / "s.csv").read_text()
    assert text == "ImageId,EncodedPixels,ClassId\na.jpg,,1\na.jpg,3 2 6 1,2\n"


def test_there_and_back_with_an_id_that_needs_quotes(tmp_path: Path) -> None:
    mask = np.random.default_rng(3).random((4, 5, 7)) < 0.4
    Severstal(columns="separate").write([('a, "b".jpg', mask)], tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["ImageId"] for row in rows} == {'a, "b".jpg'}
    back = np.stack([decode(row["EncodedPixels"], (5, 7), "severstal") for row in rows])
    np.testing.assert_array_equal(back, mask)


@pytest.mark.parametrize("name", ["=1+1.jpg", "+a", "-a", "@a", "", "\ta"])
def test_an_id_that_a_spreadsheet_would_run_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="formula"):
        Severstal().write([(name, masks())], tmp_path / "s.csv")


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ([("a", masks()), ("a", masks())], "duplicate case id"),
        ([("a", np.zeros((1, 2, 3, 3), np.bool_))], "3 axes"),
    ],
)
def test_a_refusal_leaves_the_earlier_file(cases: Any, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("before")
    with pytest.raises(DataError, match=message):
        Severstal().write(cases, tmp_path / "s.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["s.csv"]
    assert (tmp_path / "s.csv").read_text() == "before"


def test_one_case_is_asked_for_at_a_time(tmp_path: Path) -> None:
    alive: list[int] = []

    def stream() -> Iterator[tuple[str, NDArray[np.bool_]]]:
        for i in range(3):
            alive.append(i)
            yield f"{i}.png", masks()

    assert Severstal().write(stream(), tmp_path / "s.csv") == 6
    assert alive == [0, 1, 2]
