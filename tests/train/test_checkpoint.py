"""Which checkpoints stay, against a sorted list; files go only when no state names them."""

from __future__ import annotations

from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.files import digest
from lamina.model.metrics import DiceScore, MseScore
from lamina.train.checkpoint import Checkpoints
from lamina.train.state import Position


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


def test_validations_without_a_better_score_are_counted(tmp_path: Path) -> None:
    checkpoints, position = Checkpoints(tmp_path, 1, DiceScore()), Position()
    seen = []
    for score in (0.2, 0.2, 0.1, 0.3, 0.3):  # SIIM-19: only strictly better counts
        checkpoints.offer(position, score, {"w": torch.zeros(1)})
        seen.append(position.stale)
    assert seen == [0, 1, 2, 0, 1]
