"""Curves for every number, whatever the rows hold."""

from __future__ import annotations

import re

from lamina.reporting.figures.training import single_values, training

ROWS = [
    {"stage": "a", "epoch": 0, "loss": 1.0, "dice": 0.5, "lr": 0.1, "note": "x", "best": True},
    {"stage": "b", "epoch": 0, "loss": 0.5, "lr": 0.01, "monitor": 0.3, "seconds": 3},
]


def test_every_number_has_a_plot_and_losses_are_called_losses() -> None:
    rows = [*ROWS, {**ROWS[1], "dice": 0.4}]
    plots = training({"fold0": rows, "fold1": ROWS[:1], "fold2": []}, "Dice over images")
    titles = ["loss", "Dice over images", "dice loss", "learning rate"]
    assert [plot.title for plot in plots] == titles
    assert plots[0].rows == (
        ("fold0", "loss", 1, 1.0),
        ("fold0", "loss", 2, 0.5),
        ("fold0", "loss", 3, 0.5),
        ("fold1", "loss", 1, 1.0),
    )
    assert plots[0].csv.splitlines()[:2] == ["fold,curve,epoch,value", "fold0,loss,1,1.0"]


def test_a_single_value_is_told_and_has_no_chart() -> None:
    assert training({"fold0": ROWS[:1]}, "Dice") == []
    found = single_values({"fold0": ROWS, "fold1": ROWS[:1]}, "Dice")
    assert found == [
        ("dice loss", [("fold0", 1, 0.5), ("fold1", 1, 0.5)]),
        ("Dice", [("fold0", 2, 0.3)]),
    ]
    assert single_values({}, "Dice") == []


def test_epochs_are_marked_by_whole_numbers() -> None:
    svg = training({"fold0": ROWS}, "Dice")[0].svg
    ticks = re.findall(r'<g id="xtick_\d+">.*?<!-- (\S+) -->', svg, re.DOTALL)
    assert {"1", "2"} <= set(ticks)
    assert all(tick.isdigit() for tick in ticks)


def test_the_validation_loss_is_drawn_beside_the_loss_and_has_no_plot_of_its_own() -> None:
    """WORK missing 7."""
    rows = [
        {"stage": "a", "epoch": 0, "loss": 1.0},
        {"stage": "a", "epoch": 1, "loss": 0.5, "validation_loss": 0.7},
    ]
    (plot,) = training({"fold0": rows}, "Dice")
    assert ("fold0", "validation loss", 2, 0.7) in plot.rows
    assert "dashed" in plot.told
