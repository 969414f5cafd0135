"""Folders told apart before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lamina import folders
from lamina.errors import BundleError, DataError, RecipeError


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    run = tmp_path / "run"
    (run / folders.BUNDLE).mkdir(parents=True)
    (run / folders.RUN_RECIPE).touch()
    return run


def test_what_is_right_passes(finished: Path) -> None:
    folders.check_data(finished)
    folders.check_finished(finished)
    folders.check_bundles([finished])
    folders.check_output(finished)
    folders.check_output(finished / "new" / "er")
    (finished / folders.PREDICTION).touch()
    folders.check_predictions(finished)


def test_what_is_wrong_is_told_apart(finished: Path, tmp_path: Path) -> None:
    gone, file = tmp_path / "gone", tmp_path / "a.txt"
    file.touch()
    with pytest.raises(DataError, match="gone: no such folder; give the data folder"):
        folders.check_data(gone)
    with pytest.raises(DataError, match="gone: no such folder; name a run folder"):
        folders.check_finished(gone)
    with pytest.raises(DataError, match=r"no recipe\.json in it; name a run folder"):
        folders.check_finished(tmp_path)
    with pytest.raises(DataError, match=r"no prediction\.json in it; name a folder"):
        folders.check_predictions(tmp_path)
    with pytest.raises(BundleError, match="gone: no such bundle or run folder"):
        folders.check_bundles([finished, gone])
    with pytest.raises(RecipeError, match=r"a\.txt: cannot be written, since .*a\.txt is a file"):
        folders.check_output(file)
    with pytest.raises(RecipeError, match=r"a\.txt is a file"):
        folders.check_output(file / "b")
    (finished / folders.BUNDLE).rmdir()
    with pytest.raises(DataError, match="has not finished; run the same `lamina train` again"):
        folders.check_finished(finished)


@pytest.mark.parametrize(
    "words",
    [
        "tune gone",
        "report gone",
        "score gone .",
        "submit gone --out s.csv",
        "export gone --out o",
        "train steel --data gone --out run",
        "train steel --data . --out run --folds x",
        "train steel --data . --out run --device gpu",
        "predict gone images --out pred",
        "pseudo gone --data . --out made --memory lots",
        "probe steel --data gone",
        "evaluate gone",
    ],
)
def test_a_wrong_path_or_word_is_refused_before_anything_heavy_is_imported(words: str) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from lamina.cli.main import app
done = CliRunner().invoke(app, {words.split()!r})
print(done.exit_code, sorted({{"torch", "numpy", "cv2", "timm"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("2 []", "3 []", "4 []")
