"""What of a folder is looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lamina.errors import LayoutError
from lamina.plan.layouts import chosen
from lamina.plan.tree import Tree


def pairs(folder: Path) -> Path:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for number in range(4):
            cv2.imwrite(str(folder / part / f"{number}.png"), np.zeros((8, 8), np.uint8))
    return folder


@pytest.mark.parametrize("of", ["files", "folders"])
def test_links_out_of_the_folder_are_named_with_what_to_do(tmp_path: Path, of: str) -> None:
    outside, data = pairs(tmp_path / "outside"), tmp_path / "data"
    data.mkdir()
    for part in ("images", "masks"):
        if of == "folders":
            (data / part).symlink_to(outside / part)
            continue
        (data / part).mkdir()
        for path in (outside / part).iterdir():
            (data / part / path.name).symlink_to(path)
    tree = Tree.of(data)
    assert tree.files == ()
    with pytest.raises(LayoutError, match=r"links lead out of it, such as images.*copy what"):
        chosen(tree, None)


def test_links_within_the_folder_are_files(tmp_path: Path) -> None:
    data = pairs(tmp_path / "data")
    (data / "images" / "5.png").symlink_to(data / "images" / "0.png")
    tree = Tree.of(data)
    assert len(tree.files) == 9
    assert "images/5.png" in tree.files
    assert tree.links == ()
