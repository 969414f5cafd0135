"""Curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lamina.reporting.figures.plot import FAINT, PAINT, SMALL, Plot, axes, finished

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of each fold, the rows of metrics.jsonl in the order written; stages follow one another."""

_NO_CURVE = ("epoch", "step", "best", "skipped", "seconds", "train_seconds", "share")
_VALIDATION = "validation_loss"
_NAMES = {"loss": "loss", "monitor": "monitor", "lr": "learning rate", "grad_norm": "gradient norm"}


def training(rows: Rows, monitor: str) -> list[Plot]:
    """Plot every number of metrics.jsonl over epochs, a line per fold.

    Args:
        rows: What was written.
        monitor: What the monitor measures, such as ``Dice, mean over images``.

    Returns:
        Loss of training and of held-out cases on the same axes, the monitor, parts of the loss,
        the learning rate; nothing of what no fold has of two epochs.
    """
    keys = [key for key in _keys(rows) if _most(rows, key) > 1]
    first = [key for key in ("loss", "monitor") if key in keys]
    last = [key for key in ("lr",) if key in keys]
    parts = [key for key in keys if key not in (*first, *last)]
    return [_curve(key, rows, monitor) for key in (*first, *parts, *last)]


def single_values(rows: Rows, monitor: str) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """Return numbers that no fold has of two epochs: each with fold, epoch (from 1) and value."""
    found = []
    for key in (*_keys(rows), _VALIDATION):
        if _most(rows, key) == 1:
            points = [
                (name, at + 1, float(row[key]))
                for name, fold in rows.items()
                for at, row in enumerate(fold)
                if _is_number(row.get(key))
            ]
            found.append((title(key, monitor), points))
    return found


def _keys(rows: Rows) -> list[str]:
    keys: dict[str, None] = {}  # a set that keeps its order
    for fold in rows.values():
        for row in fold:
            keys |= {key: None for key in row if key not in _NO_CURVE and _is_number(row[key])}
    keys.pop(_VALIDATION, None)  # drawn with the loss
    return list(keys)


def _most(rows: Rows, key: str) -> int:
    return max((sum(_is_number(row.get(key)) for row in fold) for fold in rows.values()), default=0)


def title(key: str, monitor: str) -> str:
    """Return what a number of metrics.jsonl is called; parts of the loss are named as losses."""
    if key == "monitor":
        return monitor
    if key == _VALIDATION:
        return "validation loss"
    return _NAMES.get(key, key if key.endswith("loss") else f"{key.replace('_', ' ')} loss")


def _curve(key: str, rows: Rows, monitor: str) -> Plot:
    figure, drawn = axes(SMALL if key == "lr" else (4.6, 2.9))
    numbers: list[tuple[Any, ...]] = []
    dashed = False
    for number, (name, fold) in enumerate(rows.items()):
        points = [(at + 1, row[key]) for at, row in enumerate(fold) if _is_number(row.get(key))]
        _line(drawn, points, PAINT[number % len(PAINT)], "-", name)
        numbers += [(name, title(key, monitor), *point) for point in points]
        if key == "loss":
            held = [(at + 1, row[_VALIDATION]) for at, row in enumerate(fold) if _VALIDATION in row]
            _line(drawn, held, PAINT[number % len(PAINT)], "--", None, mark="x")
            numbers += [(name, "validation loss", *point) for point in held]
            dashed = dashed or bool(held)
    _stages(drawn, rows)
    drawn.set_xlabel("epoch", fontsize=8)
    drawn.xaxis.set_major_locator(MaxNLocator(integer=True))
    if key == "lr":
        drawn.set_yscale("log")
    if len(rows) > 1:
        drawn.legend(frameon=False, fontsize=8, ncols=2)
    told = "solid: training; dashed, crosses: held-out cases, whole and without augmentation"
    return finished(
        figure,
        f"training-{key}",
        title(key, monitor),
        ("fold", "curve", "epoch", "value"),
        numbers,
        told if dashed else "",
    )


def _line(
    drawn: Axes,
    points: Sequence[tuple[int, float]],
    paint: str,
    style: str,
    name: str | None,
    *,
    mark: str = ".",
) -> None:
    if not points:
        return
    x, y = zip(*points, strict=True)
    drawn.plot(x, y, style, color=paint, lw=1.5, marker=mark if len(x) < 40 else "", label=name)


def _stages(drawn: Axes, rows: Rows) -> None:
    """Mark where a stage follows another."""
    longest = max(rows.values(), key=len)
    for at in range(1, len(longest)):
        if longest[at].get("stage") != longest[at - 1].get("stage"):
            drawn.axvline(at + 0.5, color=FAINT, lw=1, ls="--")
            words = f" {longest[at].get('stage')}"
            where = drawn.get_xaxis_transform()
            drawn.text(at + 0.5, 1.0, words, fontsize=7, va="top", transform=where)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
