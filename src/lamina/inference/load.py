"""From a run or bundle to a model that answers in this program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lamina.bundle import load_bundles
from lamina.errors import RecipeError
from lamina.inference.model import Model, decision_of
from lamina.options.near_words import did_you_mean
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device
from lamina.public import StrPaths, as_paths, at_least
from lamina.result.decisions import AnyDecision

Precision = Literal["auto", "float32", "bfloat16", "float16"]


def load(
    source: StrPaths,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    members: Literal["all"] | Sequence[str] = "all",
    decision: AnyDecision | float | None = None,
    concurrency: int = 1,
) -> Model:
    """Load trained members and keep them ready.

    Args:
        source: A run or a bundle (folder or zip), or several that answer together.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: Type of the forward pass; ``auto``: the recipe's.
        members: ``all``, or names of some.
        decision: Another decision, or a threshold for all classes; None: the tuned one.
        concurrency: How many threads may run networks at once; others wait for their turn.

    Raises:
        BundleError: it is missing or damaged, or its training has not begun.
        RecipeError: device, precision or member do not exist, or a number is not valid.
        ResourceError: not even one tile fits the memory.

    Example:
        >>> load("run", device="cpu").expects
        '1 channel, axes yx'
    """
    sources = as_paths(source, "source")
    at_least(1, concurrency=concurrency)
    if precision not in ("auto", "float32", "bfloat16", "float16"):
        raise RecipeError(
            f"precision is '{precision}'; it must be auto, float32, bfloat16 or float16"
        )
    keep_memory()
    bundles = load_bundles(sources, unfinished=True)
    where = choose_device(device)
    wanted = bundles[0].recipe.precision if precision == "auto" else precision
    loaded = LoadedMembers(bundles, where, choose(wanted, where))
    chosen = loaded.names if members == "all" else list(members)
    for name in chosen:
        if name not in loaded.names:
            hint = did_you_mean(name, loaded.names) or f"; there are {', '.join(loaded.names)}"
            raise RecipeError(f"members: no member is called '{name}'{hint}")
    if not chosen:
        raise RecipeError("members is empty; name at least one, or pass 'all'")
    return Model(
        sources,
        loaded,
        members=chosen,
        decision=decision_of(decision, bundles[0].decision),
        concurrency=concurrency,
    )


def reload(
    source: Sequence[Path],
    device: str,
    precision: Precision,
    members: Sequence[str],
    decision: AnyDecision,
) -> Model:
    """Load a model in another process, as it was."""
    return load(source, device=device, precision=precision, members=members, decision=decision)
