"""A metric that is named on the command line."""

from __future__ import annotations

from lamina.model.metrics import AnyMetric
from lamina.options.explain import check
from lamina.options.nodes import Node, Where
from lamina.recipe.yaml.reader import read_text
from lamina.spec import Spec


class MetricOption(Spec):
    """What ``--metric`` says."""

    metric: AnyMetric
    """The score in place of the recipe's."""


def metric_of(text: str) -> AnyMetric:
    """Return a metric from its kind, or from YAML as in a recipe.

    Args:
        text: Such as ``dice``, or ``{kind: tolerant_dice, tolerance: 3, over: image}``. What is
            not said has the default of the kind, whatever the recipe says.

    Raises:
        RecipeError: it is no metric.
    """
    where = Where(f"--metric {text}")
    node, problems = read_text(text, lambda _: where)
    if isinstance(node.value, str):
        node = Node({"kind": node}, where)
    return check(MetricOption, Node({"metric": node}, where), None, problems).metric
