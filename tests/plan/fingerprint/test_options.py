"""Options of the data on the command line of a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.errors import RecipeError
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
