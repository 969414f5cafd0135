"""Rules of a plan, in order: each is a function of facts and of what the rules before it set.

To add one: write its file here, import it below and name it in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lamina.plan.fingerprint.facts import Facts, Machine
from lamina.plan.rules.augmentation import augmentation
from lamina.plan.rules.base import Dims as Dims
from lamina.plan.rules.base import Rule as Rule
from lamina.plan.rules.base import Setting as Setting
from lamina.plan.rules.base import Situation as Situation
from lamina.plan.rules.base import Wanted as Wanted
from lamina.plan.rules.data import data
from lamina.plan.rules.decision import decision
from lamina.plan.rules.frame import frame
from lamina.plan.rules.loss import loss
from lamina.plan.rules.network import network
from lamina.plan.rules.prediction import prediction
from lamina.plan.rules.sampling import sampling
from lamina.plan.rules.split import split
from lamina.plan.rules.training import training

RULES: tuple[Rule, ...] = (
    data,
    split,
    frame,
    augmentation,
    network,
    loss,
    sampling,
    training,
    prediction,
    decision,
)
"""All rules, in order."""


def settings_of(facts: Facts, machine: Machine, wanted: Wanted) -> list[Setting]:
    """Return every value that the rules set, in order.

    Raises:
        RecipeError: what is wanted does not suit the data.
    """
    found: list[Setting] = []
    settled: dict[str, Any] = {}
    for rule in RULES:
        new = rule(Situation(facts, machine, wanted, settled))
        found += new
        settled |= {one.key: one.value for one in new if not one.key.endswith("[]")}
    return found


def values_of(settings: Sequence[Setting]) -> dict[str, Any]:
    """Return a recipe's values, nested, from settings with dotted keys.

    Example:
        >>> values_of([Setting("a.b", 1, ""), Setting("c[]", 2, ""), Setting("c[]", 3, "")])
        {'a': {'b': 1}, 'c': [2, 3]}
    """
    found: dict[str, Any] = {}
    for one in settings:
        *path, last = one.key.split(".")
        place = found
        for name in path:
            place = place.setdefault(name, {})
        if last.endswith("[]"):
            place.setdefault(last[:-2], []).append(one.value)
        else:
            place[last] = one.value
    return found
