"""The ink csv by hand, read back, and band by band."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.result.submissions import Vesuvius
from lamina.rle.codec import decode


def test_rows_without_a_last_line_break(tmp_path: Path) -> None:
    """INK-27: ``Id,Predicted``, 1-based pairs along the rows, no final newline, empty cells."""
    mask = np.zeros((1, 2, 4), np.bool_)
    mask[0, 0, 0] = mask[0, 0, 3] = mask[0, 1, 0] = mask[0, 1, 3] = True
    rows = Vesuvius().write([("a", mask), ("b", np.zeros_like(mask))], tmp_path / "s.csv")
    assert rows == 2
    assert (tmp_path / "s.csv").read_bytes() == b"Id,Predicted\na,1 1 4 2 8 1\nb,"


def test_bands_give_the_same_bytes(tmp_path: Path) -> None:
    """INK-27: a fragment that is too large for the memory is written in bands."""
    masks = np.random.default_rng(3).random((2, 1, 37, 11)) < 0.6
    masks[0, 0, 0, 0] = masks[0, 0, -1, -1] = True
    cases = dict(zip(("a", "b"), masks, strict=True))
    Vesuvius().write(cases.items(), tmp_path / "whole.csv")
    parts = {
        name: [
            (Region((top, 0), (min(top + 8, 37), 11)), mask[:, top : top + 8])
            for top in range(0, 37, 8)
        ]
        for name, mask in cases.items()
    }
    Vesuvius().write_parts(parts.items(), tmp_path / "parts.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    with (tmp_path / "parts.csv").open(newline="") as stream:
        rows = {row["Id"]: row["Predicted"] for row in csv.DictReader(stream)}
    for name, mask in cases.items():
        np.testing.assert_array_equal(decode(rows[name], (37, 11), "vesuvius"), mask[0])


def test_an_output_of_several_is_named(tmp_path: Path) -> None:
    masks = np.zeros((2, 2, 3), np.bool_)
    masks[1, 0, 1] = True
    Vesuvius(output=1).write([("a", masks)], tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes() == b"Id,Predicted\na,2 1"


def test_what_the_csv_cannot_hold_is_refused(tmp_path: Path) -> None:
    one = np.zeros((1, 2, 2), np.bool_)
    for form, cases, words in (
        (Vesuvius(), [("a", np.zeros((2, 2, 2), np.bool_))], "2 outputs"),
        (Vesuvius(output=1), [("a", one)], "1 outputs"),
        (Vesuvius(), [("a", one), ("a", one)], "duplicate case id"),
        (Vesuvius(), [("b", one), ("a", one)], "sorted"),
        (Vesuvius(), [("=a", one)], "formula"),
        (Vesuvius(), [("a", np.zeros((1, 2, 2, 2), np.bool_))], "3 axes"),
    ):
        with pytest.raises(DataError, match=words):
            form.write(cases, tmp_path / "s.csv")
        assert not (tmp_path / "s.csv").exists()
