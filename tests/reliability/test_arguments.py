"""Arguments that no machine can take are one message and an exit code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.factories.commands import run_command

LONG = "x" * 300


@pytest.fixture(scope="module")
def saved(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    make.bundle().save(path / "bundle")
    return path


@pytest.mark.parametrize("memory", ["inf", "-inf", "nan", "1e400G", "1e309", "lots", ""])
def test_trust_4_an_amount_of_memory_that_is_none(saved: Path, tmp_path: Path, memory: str) -> None:
    """TRUST-4: exit 2 with an example, and nothing written."""
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    words = ["predict", saved, tmp_path / "a.png", "--out", tmp_path / "pred"]
    said = run_command(*words, "--memory", memory, code=2).stderr
    assert f"--memory is '{memory}'; write a number with M or G, such as 4G" in said
    assert not (tmp_path / "pred").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["check", f"{LONG}.yaml"],
        ["check", "folder-laptop", "--data", LONG],
        ["train", "folder-laptop", "--data", ".", "--out", LONG],
        ["train", "folder-laptop", "--data", LONG, "--out", "run"],
        ["tune", LONG],
        ["predict", LONG, "a.png", "--out", "pred"],
        ["predict", "RUN", LONG, "--out", "pred"],
        ["predict", "RUN", "a.png", "--out", LONG],
        ["score", LONG, "."],
        ["submit", LONG, "--out", "a.csv"],
        ["objects", LONG, "--out", "a"],
        ["report", LONG],
        ["pseudo", "RUN", "--data", LONG, "--out", "labels"],
        ["ensemble", LONG, "--out", "both"],
        ["doctor", "--data", LONG],
        ["new", LONG],
    ],
    ids=lambda words: " ".join(words).replace(LONG, "LONG"),
)
def test_trust_4_a_name_of_300_letters_is_no_traceback(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """TRUST-4, I24: the system's limit is said, whichever argument is too long."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("a.png")
    done = [str(saved) if word == "RUN" else word for word in words]
    said = run_command(*done, code=2).stderr
    assert "Traceback" not in said
    assert LONG in said


def test_i24_paths_longer_than_260_letters_work(saved: Path, tmp_path: Path) -> None:
    """I24: many folders within one another, as long as each name is one."""
    deep = tmp_path.joinpath(*["a folder with a rather long name"] * 12)
    deep.mkdir(parents=True)
    assert len(os.fspath(deep)) > 400
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(deep / "a.png")
    out = deep / "predicted"
    run_command("predict", saved, deep / "a.png", "--out", out, "--memory", "60G")
    run_command("submit", out, "--format", "severstal", "--out", deep / "sub.csv")
    assert (deep / "sub.csv").is_file()
