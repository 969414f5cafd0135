"""A planned recipe as YAML: each value with its reason behind it."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.plan.rules import Setting, values_of
from lamina.recipe.yaml.writer import commented_text


def recipe_text(settings: Sequence[Setting], header: Sequence[str]) -> str:
    """Return the recipe's YAML.

    Args:
        settings: Values with their reasons.
        header: Lines that go before it, without ``#``.
    """
    reasons: dict[tuple[str | int, ...], str] = {}
    counts: dict[str, int] = {}
    for one in settings:
        path: tuple[str | int, ...] = tuple(one.key.split("."))
        if one.key.endswith("[]"):
            name = one.key[:-2]
            number = counts.get(name, 0)
            counts[name] = number + 1
            path = (*name.split("."), number)
        reasons[path] = one.why
    return commented_text(values_of(settings), reasons, header)
