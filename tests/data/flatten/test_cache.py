"""Curves kept in a folder: used again for the same files and options, and for no others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.data.flatten import Curves, Stack
from lamina.data.flatten.cache import kept
from lamina.data.flatten.depth_profiles import measure
from lamina.data.readers import open_volume
from lamina.data.targets.bitmask import bits_of
from lamina.volume import ArrayVolume

OPTIONS = {"tile": 8, "step": 4, "shrink": 2}


class Maker:
    """Measures, and counts how often."""

    def __init__(self, stack: Stack, options: dict[str, int]) -> None:
        self.stack, self.options, self.count = stack, options, 0

    def __call__(self) -> Curves:
        self.count += 1
        return measure(self.stack, **self.options)


def made(folder: Path, seed: int = 1) -> Stack:
    layers = np.random.default_rng(seed).integers(0, 999, (6, 40, 50)).astype(np.uint16)
    np.save(folder / "a.npy", layers)
    mask = bits_of(ArrayVolume((layers[:1] > 100 * seed).astype(np.uint8)))
    return Stack("a/b", open_volume(folder / "a.npy", "zyx"), mask)


def ask(stack: Stack, folder: Path | None, **changes: Any) -> tuple[Curves, int]:
    options = {**OPTIONS, **changes}
    maker = Maker(stack, options)
    return kept(stack, folder, options, maker), maker.count


def test_the_same_is_measured_once(tmp_path: Path) -> None:
    stack, folder = made(tmp_path), tmp_path / "kept"
    first, once = ask(stack, folder)
    second, never = ask(stack, folder)
    assert (once, never) == (1, 0)
    for name in ("count", "total", "ink_count", "ink_total"):
        assert (getattr(first, name) == getattr(second, name)).all()
    assert first.grid == second.grid
    assert [path.suffix for path in folder.iterdir()] == [".npz"]
    assert ask(stack, None)[1] == 1


def test_other_files_masks_and_options_are_measured_anew(tmp_path: Path) -> None:
    stack, folder = made(tmp_path), tmp_path / "kept"
    ask(stack, folder)
    assert ask(stack, folder, tile=10)[1] == 1
    assert ask(stack, folder, shrink=1)[1] == 1
    assert ask(Stack("a/b", stack.volume, None), folder)[1] == 1
    os.utime(tmp_path / "a.npy", (1, 1))
    assert ask(Stack("a/b", open_volume(tmp_path / "a.npy", "zyx"), stack.mask), folder)[1] == 1


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", None])
def test_a_damaged_file_is_measured_anew(tmp_path: Path, content: bytes | None) -> None:
    stack, folder = made(tmp_path), tmp_path / "kept"
    wanted, _ = ask(stack, folder)
    path = next(folder.iterdir())
    if content is None:
        np.savez(path, count=np.zeros((2, 2)), total=np.zeros(3), ink_count=1, ink_total=2)
    else:
        path.write_bytes(content)
    found, again = ask(stack, folder)
    assert again == 1
    assert (found.total == wanted.total).all()
    assert ask(stack, folder)[1] == 0


def test_arrays_in_memory_are_not_kept(tmp_path: Path) -> None:
    stack = Stack("a", ArrayVolume(np.ones((1, 6, 40, 50), np.uint16), "zyx"))
    assert ask(stack, tmp_path)[1] == 1
    assert not list(tmp_path.iterdir())
