"""Which predicted case belongs to which true one, by hand."""

from __future__ import annotations

import numpy as np

from lamina.data.case import Case
from lamina.evaluation.matching import match
from lamina.volume import ArrayVolume


def cases(*ids: str) -> dict[str, Case]:
    return {id: Case(id, id, ArrayVolume(np.zeros((1, 2, 2), np.uint8))) for id in ids}


def test_equal_ids_belong_together_in_the_order_of_the_prediction() -> None:
    found = match(["b.png", "a.png", "x.png"], cases("a.png", "b.png", "c.png"))
    assert [(id, case.id) for id, case in found.pairs] == [("b.png", "b.png"), ("a.png", "a.png")]
    assert (found.truth_only, found.prediction_only) == (["c.png"], ["x.png"])


def test_stems_serve_only_where_no_id_is_equal() -> None:
    assert [c.id for _, c in match(["a.jpg"], cases("a.png")).pairs] == ["a.png"]
    mixed = match(["a.jpg", "b.png"], cases("a.png", "b.png"))
    assert mixed.prediction_only == ["a.jpg"]


def test_a_stem_that_stands_for_two_matches_none() -> None:
    assert match(["a.jpg"], cases("a.png", "a.tif")).pairs == []
    assert match(["a.jpg", "d/a.bmp"], cases("a.png")).pairs == []
