"""Which checkpoints stay, against a sorted list; files go only when no state names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.files import digest
from lamina.model.metrics import DiceScore, MseScore
from lamina.recipe.stage import Stage
from lamina.training.saving.checkpoints import Checkpoints, best_of
from lamina.training.saving.finished import out_of_patience
from lamina.training.saving.state import KeptCheckpoint, Position


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.integers(1, 3), st.booleans())
def test_the_best_few_stay_and_earlier_ones_win_ties(
    tmp_path_factory: object, scores: list[int], keep: int, higher: bool
) -> None:
    folder: Path = tmp_path_factory.mktemp("kept")  # type: ignore[attr-defined]
    checkpoints = Checkpoints(folder, keep, DiceScore() if higher else MseScore())
    position = Position()
    best: float | None = None
    for epoch, score in enumerate(scores):
        position.epoch = epoch
        better = best is None or (score > best if higher else score < best)
        assert checkpoints.offer(position, float(score), {"w": torch.tensor([epoch])}) is better
        best = float(score) if better else best
        checkpoints.drop_evicted(position)
    sign = -1 if higher else 1
    wanted = sorted(range(len(scores)), key=lambda epoch: (sign * scores[epoch], epoch))[:keep]
    assert [one.epoch for one in position.kept] == wanted
    assert {path.name for path in folder.iterdir()} == {one.file for one in position.kept}
    assert all(digest(folder / one.file) == one.sha256 for one in position.kept)


def test_what_the_newest_save_names_stays_until_the_next(tmp_path: Path) -> None:
    """Between two saves only files that nobody names go."""
    checkpoints, position = Checkpoints(tmp_path / "main", 1, DiceScore()), Position()
    saved: set[tuple[str, str]] = set()
    for epoch, (score, left) in enumerate([(0.1, [0]), (0.2, [0, 1]), (0.3, [0, 2])]):
        position.epoch = epoch
        checkpoints.offer(position, score, {"w": torch.zeros(1)})
        saved = saved or position.named
        checkpoints.drop_evicted(position, saved)
        names = sorted(path.name for path in (tmp_path / "main").iterdir())
        assert names == [f"epoch-{number:04d}.safetensors" for number in left]
    checkpoints.drop_evicted(position, position.named)
    assert [path.name for path in (tmp_path / "main").iterdir()] == ["epoch-0002.safetensors"]


def test_validations_without_a_better_score_are_counted(tmp_path: Path) -> None:
    checkpoints, position = Checkpoints(tmp_path, 1, DiceScore()), Position()
    seen = []
    for score in (0.2, 0.2, 0.1, 0.3, 0.3):  # SIIM-19: only strictly better counts
        checkpoints.offer(position, score, {"w": torch.zeros(1)})
        seen.append(position.stale)
    assert seen == [0, 1, 2, 0, 1]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=60, max_size=60), st.integers(1, 12))
def test_a_stage_ends_where_the_original_does_with_a_patience_of_one_more(
    tmp_path_factory: object, scores: list[int], early_stopping: int
) -> None:
    """SIIM-15, SIIM-19: the originals end a stage where epoch - best_epoch > early_stopping."""
    ends, best_score, best_epoch = len(scores), 0, -1
    for epoch, score in enumerate(scores):
        if score > best_score:
            best_score, best_epoch = score, epoch
        if epoch - best_epoch > early_stopping:
            ends = epoch + 1
            break
    folder: Path = tmp_path_factory.mktemp("stage")  # type: ignore[attr-defined]
    stage = Stage(epochs=len(scores), patience=early_stopping + 1)
    checkpoints = Checkpoints(folder, 1, DiceScore())
    position = Position(
        kept=[KeptCheckpoint(0.0, 0, "", "", "first")]
    )  # the original begins with 0
    while position.epoch < stage.epochs and not out_of_patience(stage, position):
        checkpoints.offer(position, float(scores[position.epoch]), {"w": torch.zeros(1)})
        position.epoch += 1
    assert position.epoch == ends


@pytest.mark.parametrize(
    ("top_of", "wanted"),
    [
        ("stage", [("second", 2), ("second", 3), ("second", 1)]),
        ("all", [("first", 7), ("second", 2), ("second", 3)]),
    ],
)
def test_the_best_of_a_stage_are_its_own_unless_told_otherwise(
    tmp_path: Path, top_of: Any, wanted: list[tuple[str, int]]
) -> None:
    """SIIM-20, SIIM-27: the top 3 is that of one stage; the score to beat is that of all."""
    checkpoints = Checkpoints(tmp_path / "second", 3, DiceScore(), top_of=top_of)
    position = Position(kept=[KeptCheckpoint(0.8, 7, "epoch-0007.safetensors", "ab" * 32, "first")])
    for epoch, score in enumerate([0.1, 0.4, 0.7, 0.5]):
        position.epoch = epoch
        assert not checkpoints.offer(position, score, {"w": torch.zeros(1)})
    assert position.kept[0].stage == "first"  # what the stage has to beat, and its best member
    assert [(one.stage, one.epoch) for one in checkpoints.top(position.kept)] == wanted
    checkpoints.drop_evicted(position)
    own = {one.file for one in position.kept if one.stage == "second"}
    assert {path.name for path in (tmp_path / "second").iterdir()} == own


def test_a_best_carried_in_is_replaced_only_by_a_strictly_better_epoch(tmp_path: Path) -> None:
    """SIIM-19: a stage that never improves ends after its patience, and the earlier best stays."""
    carried = KeptCheckpoint(0.5, 7, "epoch-0007.safetensors", "ab" * 32, "first")
    checkpoints = Checkpoints(tmp_path / "second", 2, DiceScore())
    position = Position(kept=[carried])
    for epoch, (score, stale) in enumerate([(0.4, 1), (0.5, 2), (0.3, 3)]):
        position.epoch = epoch
        assert not checkpoints.offer(position, score, {"w": torch.zeros(1)})
        assert position.stale == stale
    assert position.kept[0] == carried
    assert (position.kept[1].stage, position.kept[1].epoch) == ("second", 1)
    position.epoch = 3
    assert checkpoints.offer(position, 0.6, {"w": torch.zeros(1)})
    assert [one.stage for one in position.kept] == ["second", "first", "second"]


def test_files_of_the_same_name_from_another_stage_or_run_never_count(tmp_path: Path) -> None:
    """SIIM-20: which files count stands in the position, with the stage that made them."""
    folder = tmp_path / "second"
    checkpoints = Checkpoints(folder, 2, DiceScore())
    position = Position(
        members={"first": [KeptCheckpoint(0.9, 5, "epoch-0005.safetensors", "", "first")]}
    )
    folder.mkdir()
    for stale in ("epoch-0005.safetensors", "epoch-0009.safetensors"):
        (folder / stale).write_bytes(b"of an earlier run")
    checkpoints.offer(position, 0.1, {"w": torch.zeros(1)})
    checkpoints.drop_evicted(position)
    assert [path.name for path in folder.iterdir()] == ["epoch-0000.safetensors"]
    assert [one.file for one in position.kept] == ["epoch-0000.safetensors"]


def test_the_best_of_all_stages_is_by_score_and_the_earlier_of_equals() -> None:
    left = {
        name: [KeptCheckpoint(score, 0, "", "", name)]
        for name, score in {"a": 0.2, "b": 0.7, "c": 0.7, "d": 0.1}.items()
    }
    assert best_of(Position(members=left), DiceScore()).stage == "b"
    assert best_of(Position(members=left), MseScore()).stage == "d"
