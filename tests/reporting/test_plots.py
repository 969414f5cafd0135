"""Curves for every number, whatever the rows hold."""

from __future__ import annotations

import base64

from lamina.reporting.plots import threshold, training


def test_every_number_has_a_plot_and_the_monitor_comes_first() -> None:
    rows = [
        {"stage": "a", "epoch": 0, "loss": 1.0, "bce": 0.5, "lr": 0.1, "note": "x", "best": True},
        {"stage": "b", "epoch": 0, "loss": 0.5, "lr": 0.01, "monitor": 0.3, "seconds": 3},
    ]
    plots = training({"fold0": rows, "fold1": rows[:1], "fold2": []})
    assert [plot.title for plot in plots] == ["monitor", "loss", "bce", "lr"]


def test_pictures_are_svg_and_the_same_each_time() -> None:
    curve = {"threshold": [0.0, 0.5, 1.0], "best": [0.5, 0.9, 0.5], "plain": [0.1, 0.8, 0.5]}
    first = threshold(curve, 0.5, 0.5)
    head, _, data = first.partition(",")
    assert head == "data:image/svg+xml;base64"
    assert b"<svg" in base64.b64decode(data)
    assert threshold(curve, 0.5, 0.5) == first


def test_a_class_that_nothing_improves_is_drawn_too() -> None:
    curve = {"threshold": [0.0, 1.0], "best": [1.0, 1.0], "plain": [0.0, 1.0]}
    assert threshold(curve, 1.0, 1.0).startswith("data:image/svg+xml")


def test_the_validation_loss_is_drawn_beside_the_loss_and_has_no_plot_of_its_own() -> None:
    """WORK missing 7: the same rows with other validation losses give another picture."""
    rows = [
        {"stage": "a", "epoch": 0, "loss": 1.0},
        {"stage": "a", "epoch": 1, "loss": 0.5, "validation_loss": 0.7},
    ]
    plots = training({"fold0": rows})
    assert [plot.title for plot in plots] == ["loss"]
    other = training({"fold0": [rows[0], {**rows[1], "validation_loss": 0.6}]})
    assert (
        plots[0].uri != other[0].uri != training({"fold0": [{"loss": 1.0}, {"loss": 0.5}]})[0].uri
    )
