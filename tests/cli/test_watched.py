"""``train --view``: the address is printed and not logged, and one network is shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.cli.watched import watched
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe
from tests.factories.discs import discs, quick


def test_the_address_is_printed_and_stays_out_of_the_log(tmp_path: Path) -> None:
    quick(tmp_path)
    discs(tmp_path / "data", 4)
    words = f"train {tmp_path}/quick.yaml --data {tmp_path}/data --out {tmp_path}/run --folds 0"
    done = CliRunner().invoke(app, [*words.split(), "--view", "--workers", "0"])
    assert done.exit_code == 0, done.stderr
    address = re.search(r"http://127\.0\.0\.1:\d+/\?token=([\w-]{43})", done.stderr)
    assert address is not None
    assert address[1] not in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_without_it_nothing_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with watched(load_recipe("folder-laptop"), tmp_path, tmp_path, None, view=False):
        pass
    assert capsys.readouterr() == ("", "")


def test_of_several_networks_one_is_to_be_named(tmp_path: Path) -> None:
    recipe = load_recipe("faults")
    assert recipe.members
    with (
        pytest.raises(RecipeError, match="train one by --member"),
        watched(recipe, tmp_path, tmp_path, None, view=True),
    ):
        pass
