"""Names of cases, and files by their path without suffix."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.data.names import by_stem, matches, nfc
from lamina.errors import DataError


def test_two_spellings_become_one() -> None:
    assert nfc("e\u0301.png") == nfc("\u00e9.png") == "\u00e9.png"


@pytest.mark.parametrize(
    ("id", "pattern", "fits"),
    [
        ("2023-10-05_37fd5dd2", "2023-10-05_37fd5dd2", True),
        ("2023-10-05_37fd5dd2", "2023-10-05_*", True),
        ("2023-10-05_37fd5dd2", "37fd5dd2", False),
        ("a[1]", "a[1]", True),
        ("a1", "a[1]", True),
        ("caf\u00e9", "cafe\u0301", True),
        ("A", "a", False),
    ],
)
def test_patterns_name_ids(id: str, pattern: str, fits: bool) -> None:
    assert matches(id, pattern) == fits


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((2, 2), np.uint8))


def test_files_in_folders_are_found_in_order_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.png", "a/c.png", ".hidden.png", ".git/d.png"):
        put(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    assert list(by_stem(tmp_path, "data.images")) == ["a/c", "b"]


def test_missing_and_empty_folders_and_double_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such folder; .* holds no folders; set data\.masks"):
        by_stem(tmp_path / "none", "data.masks")
    with pytest.raises(DataError, match="no image in it"):
        by_stem(tmp_path, "data.images")
    put(tmp_path / "a.png")
    put(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="1 names are ambiguous"):
        by_stem(tmp_path, "data.images")


@pytest.mark.slow
def test_two_doubles_among_100_000_names_are_named(tmp_path: Path) -> None:
    for number in range(100_000):
        (tmp_path / f"{number}.png").touch()
    for number in (0, 77_777):
        (tmp_path / f"{number}.jpg").touch()
    with pytest.raises(DataError, match="2 names are ambiguous") as caught:
        by_stem(tmp_path, "data.images")
    assert all(f"{number}.jpg" in str(caught.value) for number in (0, 77_777))
