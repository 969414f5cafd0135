"""The bundle of a run whose training has not finished: the best weights of each fold so far.

Nothing of the run folder is changed, so that its training goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lamina import files
from lamina.bundle.bundle import Bundle, MemberWeights
from lamina.bundle.index import KnownCase, read_as_stored
from lamina.bundle.tensors import read_tensors
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.network_input.normalise import AnyNormalise
from lamina.errors import BundleError, DataError
from lamina.folders import fold_name
from lamina.recipe.recipe import Recipe

PREPARED = "prepared.json"
"""What a run folder keeps of its bundle until there is one: the recipe with the data prepared, and
the cases behind its starting weights and pseudo-labels."""

_TENSORS = "tensors.safetensors"

UNFINISHED = "unfinished"
"""Of the scores of a bundle: what is said of each fold of a training that has not finished."""


def write_prepared(out: Path, recipe: Recipe, behind: Mapping[str, Mapping[str, Any]]) -> None:
    """Write what a bundle of the run will hold besides its members and cases.

    Args:
        out: The run folder.
        recipe: With the names found and the data prepared.
        behind: Values of ``KnownCase`` by id, of cases that are none of the run's own.
    """
    values = {"recipe": recipe.model_dump(mode="json"), "behind": dict(behind)}
    files.write_json(out / PREPARED, values)


def unfinished_lines(bundle: Bundle) -> tuple[str, ...]:
    """Return what is said of each fold where training has not finished; none where it has."""
    return tuple(bundle.scores.get(UNFINISHED, ()))


def bundle_so_far(run: Path) -> Bundle:
    """Return a bundle in memory of the best checkpoint of each fold that has one.

    Of a fold that has finished it holds all members. Of another, the checkpoint of the best
    monitored score of all stages so far, or the newest weights where no epoch is validated yet.
    ``scores["unfinished"]`` says what each fold has.

    Args:
        run: A run folder of ``lamina train``.

    Raises:
        BundleError: no fold has saved anything yet, or files of the run are damaged.
    """
    try:
        recipe, cases, folds = _settled(run)
        members: list[MemberWeights] = []
        lines: list[str] = []
        for fold in folds:
            found, line = _of_fold(run / fold_name(fold), fold, recipe)
            members += found
            lines.append(line)
        known = {id: KnownCase.model_validate(row) for id, row in cases.items()}
    except (DataError, ValidationError, KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"{run}: its training has not finished, and what it left cannot be read ({error}); run "
            "the same `lamina train` again"
        ) from error
    if not members:
        raise BundleError(
            f"{run}: its training has saved nothing yet; run the same `lamina train` again"
        )
    scores = {"monitor": {member.name: member.score for member in members}, UNFINISHED: lines}
    data = files.read_json(run / "data.json")
    images = data.get("images")
    kind = None if images is None else ImageKind.model_validate(images)
    sampled = all("sampled" in row for row in data["cases"])
    return Bundle.make(
        recipe, members, cases=known, scores=scores, images=kind, sampled_stores=sampled
    )


def _settled(run: Path) -> tuple[Recipe, dict[str, dict[str, Any]], list[int]]:
    """Return recipe, known cases and folds of a run."""
    data = files.read_object(run / "data.json", "cases")
    cases = {
        row["id"]: {"sha256": [*row["sha256"], *row.get("sampled", ())], "fold": row["fold"]}
        for row in data["cases"]
    }
    before = any("turned" not in row for row in data["cases"])  # by versions that turned nothing
    folds = sorted({row["fold"] for row in data["cases"] if row["fold"] >= 0}) or [-1]
    if (run / PREPARED).is_file():
        stored = files.read_json(run / PREPARED)
        if before:
            read_as_stored(stored)
        return Recipe.model_validate(stored["recipe"]), {**cases, **stored["behind"]}, folds
    values = {"recipe": files.read_json(run / "recipe.json")}
    if before:
        read_as_stored(values)
    recipe = Recipe.model_validate(values["recipe"])
    if getattr(recipe.data, "prepare", None) is not None:
        raise DataError("this run was begun by a lamina that did not keep what data.prepare found")
    return recipe, cases, folds


def _of_fold(folder: Path, fold: int, recipe: Recipe) -> tuple[list[MemberWeights], str]:
    """Return the members of a fold as far as it is trained, and a line that says how far."""
    if (folder / "member.json").is_file():
        row = files.read_object(folder / "member.json")
        rows = row.get("members", [{**row, "name": folder.name}])
        found = [
            (one["name"], one, _checked(folder / one["member"], one["sha256"])) for one in rows
        ]
        line = f"{folder.name}: finished"
    else:
        best, line = _so_far(folder, recipe)
        found = [(folder.name, *best)] if best is not None else []
    members = []
    for name, row, path in found:
        weights = read_tensors(path.read_bytes(), str(path))
        if path.name == _TENSORS:
            weights = _below(weights, "network/") | _below(weights, "average/")
        normalise: AnyNormalise = TypeAdapter(AnyNormalise).validate_python(
            files.read_json(folder / "normalise.json")
        )
        members.append(MemberWeights(name, weights, fold, row["stage"], row["score"], normalise))
    return members, line


def _so_far(folder: Path, recipe: Recipe) -> tuple[tuple[dict[str, Any], Path] | None, str]:
    """Return what is best of an unfinished fold with its file, and a line about it.

    Where no epoch is validated yet, these are the newest weights of all.
    """
    state = _newest(folder / "state")
    if state is None:
        return None, f"{folder.name}: not begun"
    position = files.read_json(state / "position.json")
    now = recipe.stages[position["stage"]]
    many = f"stage {now.name} ({position['stage'] + 1} of {len(recipe.stages)})"
    line = f"{folder.name}: {position['epoch']} of {now.epochs} epochs of {many} are trained"
    scored = [one for one in _kept(position, now.name) if one["score"] is not None]
    if not scored and position["stage_done"]:  # the end of a stage is saved without tensors
        left = _kept({**position, "kept": []}, now.name)[-1]
        path = _checked(folder / left["stage"] / left["file"], left["sha256"])
        return (left, path), f"{line}, none is validated; the weights of {left['stage']} are taken"
    if not scored:
        row = {"stage": now.name, "score": None}
        return (row, state / _TENSORS), f"{line}, none is validated; the newest weights are taken"
    sign = 1.0 if recipe.monitor.higher_is_better else -1.0
    best = max(scored, key=lambda one: sign * one["score"])  # the first of equals
    path = _checked(folder / best["stage"] / best["file"], best["sha256"])
    said = f"the best is epoch {best['epoch'] + 1} of {best['stage']}"
    return (best, path), f"{line}, {said} ({recipe.monitor.kind} {best['score']:.4f})"


def _kept(position: Mapping[str, Any], stage: str) -> list[dict[str, Any]]:
    """Return the checkpoints of finished stages, then those of the present one."""
    kept: list[dict[str, Any]] = []
    for name, left in position["members"].items():
        each = left if isinstance(left, list) else [left]  # once a stage left one only
        kept += [{"stage": name, **one} for one in each]
    return [*kept, *({**one, "stage": one.get("stage") or stage} for one in position["kept"])]


def _newest(saves: Path) -> Path | None:
    """Return the newest sound save of a fold (``lamina.training.saving`` writes them)."""
    indices = sorted(saves.glob("*/index.json"), reverse=True)
    for index in indices:
        try:
            wanted = json.loads(index.read_text(encoding="utf-8"))
            if all(files.digest(index.with_name(name)) == wanted[name] for name in wanted):
                return index.parent
        except (OSError, ValueError, TypeError):
            continue  # an older save may be sound
    if indices:
        raise DataError(f"{saves}: every checkpoint is damaged")
    return None


def _checked(path: Path, sha256: str) -> Path:
    if not path.is_file() or files.digest(path) != sha256:
        raise DataError(f"{path} is missing or does not match its digest")
    return path


def _below(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
