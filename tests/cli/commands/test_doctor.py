"""The doctor as a person calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.recipe.load import load_recipe
from lamina.synthetic.seismic import write_faults


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four volumes, one of them transposed."""
    write_faults(tmp_path / "data", count=4, seed=11, shape=(48, 48, 72))
    (path,) = (tmp_path / "data" / "seismic_00002").glob("seismic*")
    np.save(path, np.ascontiguousarray(np.load(path).transpose(1, 0, 2)))
    return tmp_path / "data"


def test_wrong_data_are_exit_code_3_and_a_fix_makes_it_0(data: Path, tmp_path: Path) -> None:
    line = ["doctor", "faults-laptop", "--data", str(data)]
    done = CliRunner().invoke(app, line)
    assert done.exit_code == 3
    assert "case seismic_00002" in done.stdout
    assert "1 error" in done.stdout.splitlines()[-1]
    fixed = tmp_path / "fixed.yaml"
    done = CliRunner().invoke(app, [*line, "--json", "--fix", str(fixed)])
    assert done.exit_code == 0
    (only,) = done.stdout.splitlines()
    found = json.loads(only)
    (mended,) = [one for one in found["findings"] if one["level"] == "error"]
    assert mended["fixed"]
    assert mended["fix"] == {"transpose": {"seismic_00002": "yzx"}}
    assert load_recipe(fixed).data.model_dump()["transpose"] == {"seismic_00002": "yzx"}


def test_a_fix_without_a_recipe_is_a_mistake_of_usage(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["doctor", "--fix", str(tmp_path / "a.yaml")])
    assert done.exit_code == 2
    assert "name the one that is to be fixed" in done.stderr
