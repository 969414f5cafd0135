"""From several runs to one that answers with all of them.

The folder is laid out like a run's: a bundle, the data it was made from, and out-of-fold answers
per fold, so that ``tune``, ``predict`` and ``report`` take it. Those answers are the weighted mean
of what the runs stored; no network is asked again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lamina
from lamina import files
from lamina.bundle import Bundle, Part, join, load_bundles
from lamina.errors import BundleError, RecipeError
from lamina.folders import BUNDLE, DATA_INDEX, TUNED
from lamina.log import LOG, keep_log
from lamina.progress import say
from lamina.public import StrPath, StrPaths, as_path, as_paths
from lamina.recipe.load import resolved_text
from lamina.recipe.recipe import MeanOf, Pool
from lamina.refusals import verb
from lamina.training.ensembles.ensemble_result import EnsembleResult
from lamina.training.ensembles.merge_out_of_fold import MergedCases, merge
from lamina.training.run_folder import locked
from lamina.training.stage.time_limit import CLOCK
from lamina.training.stage.trackers import LOGS

PLAN = "ensemble.json"

MEANS: dict[str, Pool] = {
    "arithmetic": "probability",
    "root_mean_square": "root_mean_square",
    "cubic": "cubic",
    "logit": "logit",
}
"""What the command line calls the means over members (STEEL-24)."""

_COPIED = ("data.json", "folds.csv")

MEMBERS = "members"
"""Folder for the runs of a recipe with members, within the run that joins them."""

_OWN = ("run.lock", LOG, MEMBERS, CLOCK, LOGS, DATA_INDEX)


@verb
def ensemble(
    runs: StrPaths,
    out: StrPath,
    *,
    weights: Sequence[float] | None = None,
    mean: str = "arithmetic",
    renew: bool = False,
) -> EnsembleResult:
    """Join the bundles of several runs and merge their out-of-fold answers.

    Task, prediction, decision and metric are those of the first run; each member keeps its own
    network, frame, normalisation and tile. Folds of the runs may differ: an image that runs know
    is answered only by members that held it out, and the weight of a run is shared evenly by
    those of its members that answer.

    Args:
        runs: Run folders of ``lamina train``, at least one; one that is only a bundle has no
            out-of-fold answers to merge.
        out: The folder to write; the same command again goes on where it stopped.
        weights: One for each run, above 0; only their ratios count. None: all alike.
        mean: ``arithmetic``, ``root_mean_square`` or ``cubic`` mean of probabilities, or the mean
            of ``logit``.
        renew: Another ensemble in ``out`` gives way to this one; else it is refused.

    Returns:
        The folder, its members, and how many cases have merged out-of-fold predictions.

    Raises:
        RecipeError: weights or mean are not usable, or the folder holds something else.
        BundleError: a run has no sound bundle, or they do not see or answer alike.

    Example:
        >>> result = ensemble(["run", "other_run"], "both", weights=[2, 1])
        >>> len(result.members), result.out_of_fold
        (4, 8)
    """
    runs, out = as_paths(runs, "runs"), as_path(out, "out")
    parts = _parts(runs, weights, mean)
    mean_of = _mean_of(parts[0].bundle, MEANS[mean])
    bundle = join(parts, mean_of)
    plan = {
        "lamina": lamina.__version__,
        "runs": {
            part.name: {"path": str(path), "bundle": part.bundle.digest(), "weight": part.weight}
            for part, path in zip(parts, runs, strict=True)
        },
        "mean": mean,
        "digest": bundle.digest(),
    }
    stale = _is_another(out, plan, renew=renew)
    notes = _notes(parts)
    with locked(out), keep_log(out):
        if stale:
            _clear(out)
        files.write_json(out / PLAN, plan)
        files.write_json(out / "recipe.json", bundle.recipe.model_dump(mode="json"))
        files.write_text(out / "recipe.resolved.yaml", resolved_text(bundle.recipe))
        merged = MergedCases()
        if all((run / "data.json").is_file() for run in runs):
            for name in _COPIED:
                files.write_bytes(out / name, (runs[0] / name).read_bytes())
            merged = merge(runs, parts, bundle, out)
        else:
            notes.append("a run is only a bundle: there are no out-of-fold predictions to tune on")
        notes += merged.notes
        for line in notes:
            say(line)
        _keep_decision(bundle, out).save(out / BUNDLE)
    return EnsembleResult(
        out=out,
        members=tuple(member.name for member in bundle.members),
        weights=tuple(part.weight for part in parts),
        mean=mean,
        out_of_fold=sum(merged.answers.values()),
        answers={str(count): merged.answers[count] for count in sorted(merged.answers)},
        notes=tuple(notes),
    )


def _parts(runs: Sequence[Path], weights: Sequence[float] | None, mean: str) -> list[Part]:
    if mean not in MEANS:
        raise RecipeError(f"--mean is '{mean}'; it must be one of {', '.join(MEANS)}")
    numbers = [1.0] * len(runs) if weights is None else [float(weight) for weight in weights]
    if len(numbers) != len(runs) or not all(0 < number < float("inf") for number in numbers):
        raise RecipeError(
            f"--weights is {','.join(f'{one:g}' for one in numbers)}; write a number above 0 for "
            f"each of the {len(runs)} runs"
        )
    names: list[str] = []
    for run in runs:
        base = re.sub(r"[^A-Za-z0-9_.]+", "_", run.resolve().stem).strip("._") or "run"
        same = sum(name == base or name.startswith(f"{base}~") for name in names)
        names.append(f"{base}~{same + 1}" if same else base)
    bundles = load_bundles(runs)
    return [Part(*one) for one in zip(names, bundles, numbers, strict=True)]


def _mean_of(first: Bundle, pool: Pool) -> MeanOf:
    mean_of = first.recipe.predict.mean_of
    if pool == "logit":  # logits reach the members only if nothing within them was activated
        return MeanOf(views="logit", tiles="logit", members="logit", axes=mean_of.axes)
    return MeanOf(views=mean_of.views, tiles=mean_of.tiles, members=pool)


def _is_another(out: Path, plan: dict[str, Any], *, renew: bool) -> bool:
    """Whether ``out`` holds another ensemble that may go; refuse what may not."""
    if (out / PLAN).is_file():
        if files.read_object(out / PLAN, "digest")["digest"] == plan["digest"]:
            return False
        if renew:
            return True
        raise RecipeError(f"{out}: holds another ensemble; choose another --out")
    if out.is_dir() and any(path.name not in _OWN for path in out.glob("[!.]*")):
        raise RecipeError(f"{out}: is not empty and holds no ensemble; choose another --out")
    return False


def _clear(out: Path) -> None:
    """Take away what was made of other members; the plan goes first, so a part is never whole."""
    say(f"{out}: its members have changed; merging their predictions again")
    (out / PLAN).unlink()
    for path in (*out.glob("fold[0-9]*"), out / BUNDLE):
        shutil.rmtree(path, ignore_errors=True)
    (out / TUNED).unlink(missing_ok=True)


def _keep_decision(bundle: Bundle, out: Path) -> Bundle:
    """Return the bundle with the decision that an earlier ``tune`` of the same one found."""
    try:
        before = Bundle.load(out / BUNDLE, verify=False)
    except BundleError:
        return bundle
    if before.digest() != bundle.digest():
        return bundle
    return bundle.with_decision(before.decision, before.scores, before.index.outlook)


def _notes(parts: Sequence[Part]) -> list[str]:
    """Say where the runs differ in what one of them decides for all."""
    first, lines = parts[0], []
    for part in parts[1:]:
        ours, theirs = first.bundle.recipe, part.bundle.recipe
        pairs = {
            "metric": (ours.metric, theirs.metric),
            "decide.kind": (ours.decide.kind, theirs.decide.kind),
            "predict.views": (ours.predict.views, theirs.predict.views),
            "predict.overlap": (ours.predict.overlap, theirs.predict.overlap),
            "predict.window": (ours.predict.window, theirs.predict.window),
        }
        apart = [name for name, (one, other) in pairs.items() if one != other]
        if apart:
            lines.append(
                f"{', '.join(apart)} of {part.name} differ; the ensemble goes by {first.name}"
            )
    return lines
