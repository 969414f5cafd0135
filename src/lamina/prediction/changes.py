"""Changes of a trained recipe at prediction: of how is predicted and decided, of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lamina.bundle import Bundle
from lamina.errors import RecipeError
from lamina.folders import remote_url
from lamina.options.explain import check
from lamina.options.near_words import did_you_mean
from lamina.options.nodes import Where
from lamina.recipe.load import resolved_text
from lamina.recipe.recipe import Recipe
from lamina.recipe.yaml.overrides import apply
from lamina.recipe.yaml.reader import read_text

_FREE = ("predict", "decide")

Thresholds = float | Mapping[str, float]
"""A threshold for all classes, or some by the name of their class."""


def changed(bundles: Sequence[Bundle], changes: Sequence[str]) -> list[Bundle]:
    """Return bundles that predict and decide by changed options; digests stay what they were.

    Args:
        bundles: The first one's options are changed; all predict by them.
        changes: Such as ``predict.views=flips``; of ``predict`` and ``decide`` only. The decision
            that is changed is the one as tuned.

    Raises:
        RecipeError: a change is of another option, or its value cannot be; all are told.
    """
    if not changes:
        return list(bundles)
    settled = [
        text for text in changes if text.partition("=")[0].split(".")[0].strip() not in _FREE
    ]
    if settled:
        raise RecipeError(
            f"-s {settled[0]}: predict takes changes of predict and decide only; the members were "
            "trained with the other options and know no others"
        )
    first = bundles[0].recipe.model_copy(update={"decide": bundles[0].decision})
    root, problems = read_text(resolved_text(first), lambda line: Where("bundle", line))
    root, more = apply(root, changes)
    recipe = check(Recipe, root, None, [*problems, *more])
    own_tiles = recipe.predict.tile == first.predict.tile
    return [_with(bundle, recipe, own_tiles=own_tiles) for bundle in bundles]


def _with(bundle: Bundle, recipe: Recipe, *, own_tiles: bool) -> Bundle:
    """Return a bundle that predicts and decides as ``recipe`` says; tiles may stay its own."""

    def predicting(own: Recipe) -> Recipe:
        tile = own.predict.tile if own_tiles else recipe.predict.tile
        predict = recipe.predict.model_copy(update={"tile": tile})
        return own.model_copy(update={"predict": predict})

    index = bundle.index
    sources = {
        name: source.model_copy(update={"recipe": predicting(source.recipe)})
        for name, source in index.sources.items()
    }
    update = {
        "recipe": predicting(index.recipe),
        "decision": recipe.decide,
        "sources": sources,
    }
    return Bundle(index.model_copy(update=update), bundle.store)


def with_threshold(bundles: Sequence[Bundle], threshold: Thresholds | None) -> list[Bundle]:
    """Return bundles whose decision has another threshold, for all classes or by name.

    Raises:
        RecipeError: the decision has no threshold, a class is not known, or it is no probability.
    """
    if threshold is None:
        return list(bundles)
    first = bundles[0]
    names = first.task.names or ()
    by_name = dict(threshold) if isinstance(threshold, Mapping) else None
    for name in by_name or ():
        if name not in names:
            near = did_you_mean(name, list(names)) or f"; the classes are {', '.join(names)}"
            raise RecipeError(f"--threshold {name}: there is no class '{name}'{near}")
    values = [threshold] if by_name is None else list(by_name.values())
    if not all(isinstance(value, int | float) and 0 <= value <= 1 for value in values):
        raise RecipeError(f"--threshold is {threshold}; thresholds lie between 0 and 1")
    numbers = tuple(by_name.get(name) for name in names) if by_name is not None else (threshold,)
    decision = first.decision.with_thresholds(numbers)  # type: ignore[arg-type]  # checked above
    return [
        Bundle(bundle.index.model_copy(update={"decision": decision}), bundle.store)
        for bundle in bundles
    ]


def threshold_words(threshold: Thresholds | None) -> list[str]:
    """Return a threshold as it is written on the command line."""
    if threshold is None:
        return []
    if isinstance(threshold, Mapping):
        return [f"--threshold {name}={value:g}" for name, value in threshold.items()]
    return [f"--threshold {threshold:g}"]


def check_store(store: str | None, *, uncertainty: bool) -> None:
    """Refuse what is no address in object storage, or holds credentials.

    Raises:
        RecipeError: so it is, or maps of uncertainty are asked for as well.
    """
    if store is None:
        return
    if remote_url(Path(store)) is None or "@" in store:
        raise RecipeError(
            "--store must be an address such as s3://bucket/folder, without credentials: these "
            "come from the environment"
        )
    if uncertainty:
        raise RecipeError("--store and --uncertainty do not go together yet; leave one out")
