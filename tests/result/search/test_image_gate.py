"""Whether a case shows anything: against the loop over all levels and areas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.evaluation.tallies import MaskTallies
from lamina.model.metrics import DiceScore
from lamina.result.decisions import Threshold
from lamina.result.search.histogram import count
from lamina.result.search.image_gate import LEVELS, Gates
from lamina.result.search.threshold import Tables
from lamina.task import Task

Maps = list[tuple[NDArray[np.float16], NDArray[np.bool_]]]


def _maps(seed: int, cases: int) -> Maps:
    rng = np.random.default_rng(seed)
    found: Maps = []
    for _ in range(cases):
        truth = rng.random((4, 5)) < rng.choice([0.0, 0.0, 0.4])
        prob = np.clip(0.3 * truth + rng.choice([0.2, 0.6]) * rng.random((4, 5)), 0, 1)
        found.append((prob.astype(np.float16), truth))
    return found


def _dice(maps: Maps, threshold: float, least: int) -> float:
    predicted = hits = truth = 0
    for prob, target in maps:
        mask = prob > np.float32(threshold)
        if mask.sum() < least:
            mask[:] = False
        predicted, hits = predicted + int(mask.sum()), hits + int((mask & target).sum())
        truth += int(target.sum())
    return 2 * hits / (predicted + truth) if predicted + truth else 1.0


def _best_dice(maps: Maps) -> float:
    """Return the best of ``_dice`` over all levels and all areas of images of 20 pixels."""
    prob, truth = (np.stack(arrays).reshape(len(maps), -1) for arrays in zip(*maps, strict=True))
    masks = prob > np.asarray(LEVELS, np.float32)[:, None, None]  # (levels, cases, pixels)
    sizes, hits = masks.sum(2), (masks & truth).sum(2)
    best = 0.0
    for least in range(22):
        kept = sizes >= least
        total = (sizes * kept).sum(1) + truth.sum()
        dice = np.where(total > 0, 2 * (hits * kept).sum(1) / np.maximum(total, 1), 1.0)
        best = max(best, float(dice.max()))
    return best


def _gates(maps: Maps) -> Gates:
    counts = [count(prob, truth) for prob, truth in maps]
    return Gates(counts, false_positive=0.5, false_negative=0.5)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 7))
def test_no_pair_of_level_and_area_scores_higher(seed: int, cases: int) -> None:
    maps = _maps(seed, cases)
    found = _gates(maps).best(np.zeros(cases, np.int64))
    assert found.score == pytest.approx(_best_dice(maps))
    assert _dice(maps, found.threshold, found.min_area) == pytest.approx(found.score)
    assert found.cross is None


def test_each_fold_is_judged_by_the_numbers_of_the_others() -> None:
    maps, folds = _maps(7, 8), np.arange(8) % 2
    predicted = hits = truth = 0
    for fold in (0, 1):
        rest = [one for one, at in zip(maps, folds, strict=True) if at != fold]
        chosen = _gates(rest).best(np.zeros(len(rest), np.int64))
        for (prob, target), at in zip(maps, folds, strict=True):
            if at == fold:
                mask = prob > np.float32(chosen.threshold)
                mask &= bool(mask.sum() >= chosen.min_area)
                predicted, hits = predicted + mask.sum(), hits + (mask & target).sum()
                truth += target.sum()
    found = _gates(maps).best(folds)
    assert found.cross == pytest.approx(2 * hits / (predicted + truth))


def test_no_area_is_asked_for_where_none_helps() -> None:
    truth = np.zeros((4, 5), np.bool_)
    truth[1:3] = True
    prob = truth.astype(np.float16)
    assert _gates([(prob, truth)]).best(np.zeros(1, np.int64)).min_area == 0


def test_the_tuned_decision_and_the_score_agree() -> None:
    """What ``tune`` promises for any class is what ``score`` finds with its decision."""
    rng, task = np.random.default_rng(3), Task(kind="multilabel", names=("a", "b"))
    tables, cases = Tables(2), []
    for number in range(9):
        target = np.zeros((2, 12, 12), np.bool_)
        if number % 3 == 0:
            target[number % 2, 2:8, 3:9] = True
        noise = rng.random((2, 12, 12)) * (0.75 if number % 3 == 1 else 0.4)
        prob = np.clip(0.5 * target + noise, 0, 1).astype(np.float16)
        cases.append((prob, target))
        tables.add(prob, target, fold=number % 2)
    found = tables.best()
    decision = found.decision(Threshold())
    assert found.gate is not None
    assert found.gate.score >= found.foreground.score
    assert decision.foreground_area == found.gate.min_area > 0
    tallies = MaskTallies(
        DiceScore(), task, foreground=decision.foreground, foreground_area=decision.foreground_area
    )
    for prob, target in cases:
        tallies.add(prob, decision(prob), target, None)
    summary: dict[str, Any] = tallies.summary()
    assert summary["foreground_dice"] == pytest.approx(found.gate.score)
