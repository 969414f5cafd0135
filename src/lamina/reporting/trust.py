"""Whether probabilities and expected scores can be trusted, for the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from lamina.reporting.figures import trust
from lamina.reporting.judged_cases import ScoredCases
from lamina.reporting.run_contents import Run
from lamina.result.reliability import risk_and_coverage

_SHOWN = 10


def reliability_of(run: Run) -> list[dict[str, Any]]:
    """Return errors and a diagram for each class; none: not tuned, or by an earlier version."""
    return [
        {
            "name": name,
            "before": one["before"]["error"],
            "after": one["after"]["error"],
            "plot": trust.reliability(name, one["before"], one["after"]),
        }
        for name, one in (run.tune or {}).get("reliability", {}).items()
    ]


def certainty_of(run: Run, judgement: ScoredCases) -> dict[str, Any] | None:
    """Return the risk-coverage curve and the least certain cases; None: not known."""
    known = [(case, case.expected) for case in judgement.cases if case.expected is not None]
    if len(known) < 2 or not run.recipe.metric.higher_is_better:
        return None
    confidence = np.asarray([expected for _, expected in known])
    score = np.asarray([one.value for one, _ in known])
    coverage, missed, area = risk_and_coverage(confidence, score)
    least = sorted(known, key=lambda pair: (pair[1], pair[0].case.id))[:_SHOWN]
    return {
        "plot": trust.risk(coverage, missed),
        "area": area,
        "risk": float(missed[-1]),
        "rows": [
            {"id": one.case.id, "expected": expected, "value": one.value, "fold": one.fold}
            for one, expected in least
        ],
    }
