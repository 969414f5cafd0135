"""Options of the data on the command line of a plan."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lamina.errors import LayoutError, RecipeError
from lamina.plan.fingerprint.facts import Facts
from lamina.plan.fingerprint.measure import Wishes, fingerprint
from lamina.plan.fingerprint.options import data_options
from lamina.plan.layouts import chosen
from lamina.plan.tree import Tree
from tests.factories.data_folders import images_only


def facts_of(root: Path, *changes: str) -> Facts:
    tree = Tree.of(root)
    return fingerprint(tree, chosen(tree, None), Wishes(data=data_options(changes)))


def test_they_are_laid_over_those_of_the_layout(tmp_path: Path) -> None:
    images_only(tmp_path)
    facts = facts_of(tmp_path, "data.pattern='0[0-3]*'", "data.dicom.frame=2")
    assert facts.data == {"kind": "corrupt", "pattern": "0[0-3]*", "dicom": {"frame": 2}}
    assert facts.options_set == ("dicom", "pattern")
    assert facts.cases == 4


def test_what_the_catalog_does_not_take_is_refused(tmp_path: Path) -> None:
    images_only(tmp_path)
    with pytest.raises(RecipeError, match=r"-s data\.masks: .*data\.kind: corrupt"):
        facts_of(tmp_path, "data.masks=here")


def test_images_of_several_kinds_are_a_question_whose_answers_work(tmp_path: Path) -> None:
    images_only(tmp_path)
    for k in range(2):
        pixels = np.full((40, 40, 3), (90, 20, k), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"colour{k}.png")
    Image.fromarray(np.full((40, 40), 7, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(
        LayoutError, match=r"there are no labels.* hold 3 kinds of values"
    ) as caught:
        facts_of(tmp_path)
    commands = [line for line in str(caught.value).splitlines() if " -s " in line]
    found = {}
    for command in commands:
        change = shlex.split(command)[-1]
        facts = facts_of(tmp_path, change)
        found[change] = (facts.cases, facts.channels, facts.names)
    assert found == {
        "data.values=uint8": (6, 1, ("clean",)),
        "data.values=uint8x3": (2, 3, ("red", "green", "blue")),
        "data.values=uint16": (1, 1, ("clean",)),
    }
