"""Pairs of files: opened together, told together. The catalogs' tests hold the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.data.catalogs.pairs import (
    EmptyTarget,
    Meaning,
    OpenedPair,
    Pair,
    open_pairs,
    read_pairs,
)
from lamina.data.readers import open_volume
from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.task import Task


def put(path: Path, value: int = 0) -> Path:
    Image.fromarray(np.full((2, 3), value, np.uint8)).save(path)
    return path


def opened(pair: Pair) -> OpenedPair:
    return OpenedPair(
        pair, open_volume(pair.image), None if pair.target is None else open_volume(pair.target)
    )


def test_a_blank_reads_as_zeros_of_its_channels() -> None:
    blank = EmptyTarget("none", "zyx", (1000, 1000, 1000), 2)
    found = blank.read(Region((0, 0, 0), (1, 2, 3)))
    assert found.tolist() == np.zeros((2, 1, 2, 3)).tolist()
    assert found.dtype == blank.dtype == np.uint8
    with pytest.raises(ValueError, match="leaves the volume"):
        blank.read(Region((0, 0, 0), (1, 1, 1001)))


def test_files_that_cannot_be_read_are_told_together(tmp_path: Path) -> None:
    image = put(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    pairs = [Pair("a", image, tmp_path / "b.png"), Pair("c", tmp_path / "c.png", image)]
    with pytest.raises(DataError) as caught:
        open_pairs(pairs, opened)
    for word in ("2 of 2 files cannot be read", "b.png", "c.png"):
        assert word in str(caught.value)


def test_labels_beyond_the_named_classes_are_refused(tmp_path: Path) -> None:
    pair = Pair("a", put(tmp_path / "a.png"), put(tmp_path / "b.png"))
    task = Task(kind="multiclass", names=("none", "x"))
    with pytest.raises(RecipeError, match="maps 9 to 2"):
        read_pairs([opened(pair)], task, Meaning({0: 0, 9: 2}))


def test_without_any_target_classes_must_be_named(tmp_path: Path) -> None:
    pair = Pair("a", put(tmp_path / "a.png"), None)
    with pytest.raises(DataError, match="there is no target"):
        read_pairs([opened(pair)], Task(kind="multilabel"), Meaning())
    (case,), names = read_pairs(
        [opened(pair)], Task(kind="multilabel", names=("x", "y")), Meaning()
    )
    assert names == ("x", "y")
    assert case.target is not None
    assert case.target.channels == 2
