"""What is said of a prediction before it begins and when it is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lamina.bundle import Bundle, unfinished_lines
from lamina.errors import PartialError
from lamina.prediction.predict_result import PredictResult
from lamina.progress import say


def tell_if_unfinished(bundles: Sequence[Bundle], sources: Sequence[Path]) -> None:
    """Say what each fold has trained, of runs whose training has not finished."""
    for bundle, source in zip(bundles, sources, strict=True):
        if lines := unfinished_lines(bundle):
            headline = f"{source}: training has not finished; the best checkpoints so far predict"
            say("\n  ".join([headline, *lines]))


def tell_if_not_tuned(bundle: Bundle, source: Path) -> None:
    """Say that masks follow the recipe's own decision, where a search could set its numbers."""
    decision = bundle.decision
    if "tune" in bundle.scores or decision.without_numbers is not None:
        return
    if bundle.recipe.task.kind != "restore" and not unfinished_lines(bundle):
        say(f"decision not tuned: {decision.summary}; `lamina tune {source}` sets it by the data")


def tell_result(result: PredictResult, *, progress: bool) -> None:
    """Say which cases training saw, and end with an error where some cases failed.

    Raises:
        PartialError: some images are bad; its ``result`` is the one given.
    """
    known = result.known
    if progress and known.get("held_out"):
        say(f"{known['held_out']} cases of the training data were predicted out of fold")
    for word in ("seen", "partly_seen"):
        if known.get(word):
            say(
                f"{known[word]} cases were {word.replace('_', ' ')} in training: their scores are "
                "optimistic"
            )
    if result.failed:
        raise PartialError(
            f"{result.out}: {result.cases} cases are predicted, {len(result.failed)} could not "
            "be read; correct or remove them, then run the same command again\n  "
            + "\n  ".join(one.why.splitlines()[0] for one in result.failed[:10]),
            result,
        )
