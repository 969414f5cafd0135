"""Places of classes are looked for once in a run, and only where a sampler asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.samplers import RandomCrop
from lamina.files import write_json
from lamina.recipe.recipe import Recipe
from lamina.training.saving import class_places
from lamina.training.saving.class_places import CLASS_PLACES, with_places
from lamina.volume import ArrayVolume


def cases(count: int = 3) -> list[Case]:
    made = []
    for number in range(count):
        target = np.zeros((1, 6, 7), np.uint8)
        target[0, number, number] = number
        image = ArrayVolume(np.zeros((1, 6, 7), np.uint8))
        made.append(Case(f"c/{number}", "g", image, ArrayVolume(target)))
    return made


@pytest.fixture
def even(make: Any) -> Recipe:
    recipe: Recipe = make.recipe()
    stages = tuple(
        stage.model_copy(update={"sampler": RandomCrop(focus=0.5, classes="even")})
        for stage in recipe.stages
    )
    return recipe.model_copy(update={"stages": stages})


def test_nothing_is_looked_for_where_no_sampler_asks(make: Any, tmp_path: Path) -> None:
    assert [case.places for case in with_places(make.recipe(), cases(), tmp_path)] == [None] * 3
    assert not (tmp_path / CLASS_PLACES).exists()


def test_targets_are_read_once_in_a_run(
    even: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = with_places(even, cases(2), tmp_path)
    looked: list[object] = []
    find = class_places.find_places
    monkeypatch.setattr(
        class_places,
        "find_places",
        lambda target, **how: (looked.append(1), find(target, **how))[1],
    )
    again = with_places(even, cases(3), tmp_path)  # another fold, with a case more
    assert len(looked) == 1
    for one, other in zip(first, again, strict=False):
        assert one.places is not None
        assert other.places is not None
        assert one.places.shape == other.places.shape == (6, 7)
        assert {k: at.tolist() for k, at in one.places.flat.items()} == {
            k: at.tolist() for k, at in other.places.flat.items()
        }
    assert again[2].places is not None
    assert again[2].places.flat[2].tolist() == [2 * 7 + 2]
    with_places(even, cases(3), tmp_path)
    assert len(looked) == 1


@pytest.mark.parametrize("damage", ["cut", "bits", "other data"])
def test_what_is_damaged_or_of_other_data_is_looked_for_again(
    even: Recipe, tmp_path: Path, damage: str
) -> None:
    with_places(even, cases(), tmp_path)
    path = tmp_path / CLASS_PLACES
    stored = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(stored[:200])
    elif damage == "bits":
        stored[len(stored) // 2] ^= 0xFF
        path.write_bytes(stored)
    else:
        write_json(tmp_path / "data.json", {"cases": [{"id": "x", "sha256": "other"}]})
    again = with_places(even, cases(), tmp_path)
    assert again[2].places is not None
    assert again[2].places.flat[2].tolist() == [2 * 7 + 2]


def test_whatever_byte_is_wrong_nothing_wrong_is_read(even: Recipe, tmp_path: Path) -> None:
    with_places(even, cases(), tmp_path)
    path = tmp_path / CLASS_PLACES
    stored = path.read_bytes()
    whole = _read(tmp_path)
    assert len(whole) == 3
    for at in range(0, len(stored), 5):
        path.write_bytes(stored[:at] + bytes([stored[at] ^ 0xFF]) + stored[at + 1 :])
        assert _read(tmp_path) in ({}, whole), at


def _read(out: Path) -> dict[str, dict[int, list[int]]]:
    found = class_places._kept(out)
    return {name: {k: at.tolist() for k, at in one.flat.items()} for name, one in found.items()}
