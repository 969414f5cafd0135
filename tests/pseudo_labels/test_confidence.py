"""What is kept of made labels, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.pseudo_labels.confidence import Filters, figures

SURE = np.array([[0.95, 0.97, 0.02, 0.01], [0.99, 0.92, 0.05, 0.03]], np.float16)[None]


def test_figures_are_counted_by_hand() -> None:
    prob = np.array([[0.95, 0.7, 0.2, 0.05, 0.1, 0.9]])[None]
    rows, why = figures(prob, prob > 0.5, Filters(sure=0.9, unsure=0.7))
    assert (rows[0].area, rows[0].unsure) == (3, 2)  # 0.1 and 0.9 are just sure
    assert rows[0].mean == pytest.approx(0.85)
    assert (rows[0].why, why) == ("", "")
    rows, why = figures(prob, prob > 0.5, Filters(sure=0.9, unsure=0.6))
    assert rows[0].why == "2 uncertain pixels for 3 predicted"
    assert why == f"class 1: {rows[0].why}"


def test_a_small_class_is_not_kept() -> None:
    assert figures(SURE, SURE > 0.5, Filters(min_area=4))[1] == ""
    assert "only 4 pixels" in figures(SURE, SURE > 0.5, Filters(min_area=5))[1]


def test_a_class_that_is_not_predicted_must_be_surely_absent() -> None:
    prob = np.full((1, 10, 10), 0.01, np.float16)
    prob[0, 0, :3] = 0.4
    nothing = np.zeros(prob.shape, bool)
    assert figures(prob, nothing, Filters(unsure_empty=0.03))[1] == ""
    rows, why = figures(prob, nothing, Filters(unsure_empty=0.02))
    assert rows[0].mean is None
    assert "not predicted, but 3 pixels are uncertain" in why


def test_one_unsure_class_leaves_the_whole_image_out() -> None:
    prob = np.concatenate([SURE, np.full_like(SURE, 0.5)])
    masks = prob > 0.6
    rows, why = figures(prob, masks, Filters())
    assert rows[0].why == ""
    assert why.startswith("class 2: ")


def test_images_without_any_class_are_kept_or_not() -> None:
    prob = np.zeros((2, 4, 4), np.float16)
    nothing = np.zeros(prob.shape, bool)
    assert figures(prob, nothing, Filters())[1] == ""
    assert figures(prob, nothing, Filters(empty=False))[1] == "no class"
