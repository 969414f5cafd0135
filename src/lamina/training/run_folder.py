"""The run folder: who works in it, what it was made from, and whether that is still so."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from lamina import files
from lamina.data.case import Case
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.index.index import DataIndex
from lamina.data.orientation import is_turned
from lamina.data.splits import write_folds
from lamina.errors import DataError, RecipeError
from lamina.folders import fold_folders, full_name
from lamina.machine.cores import processor_name
from lamina.recipe.load import resolved_text
from lamina.recipe.recipe import Recipe
from lamina.training.saving.finished import refuse_longer_folds

_FREE_TO_CHANGE = ("stages", "predict", "decide", "submit", "metric", "name")


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the run folder for this process (C11); a dead process's lock is taken over.

    Raises:
        RecipeError: another live process works in the folder, or it cannot be written.
    """
    with files.locked(out):
        files.delete_partial_files(out)
        yield


def members_of(fold: Path) -> list[dict[str, Any]]:
    """Return the rows of member.json, one for each member of the fold, best first.

    Raises:
        DataError: it is missing or damaged.
    """
    path = fold / "member.json"
    row = files.read_object(path)
    members = row.get("members", [{**row, "name": fold.name}])  # once there was only one
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise DataError(f"{path}: its members are damaged; run the same `lamina train` again")
    return members


def has_begun(out: Path) -> bool:
    """Whether any fold has saved a state: from then on recipe and data are settled."""
    return any(any(fold.glob("state/*/index.json")) for fold in fold_folders(out))


def record_recipe(out: Path, recipe: Recipe, given: str, *, accept_changes: bool) -> None:
    """Write the recipe as given and as used; refuse to go on with another one (C09).

    Until a fold has saved something, another recipe simply takes the place of the first.

    Raises:
        RecipeError: the folder holds a run of another recipe; the message lists what differs. Or
            a finished stage asks for more epochs and its state was dropped.
    """
    used = out / "recipe.resolved.yaml"
    values = recipe.model_dump(mode="json")
    known = out / "recipe.json"
    if known.is_file() and has_begun(out):
        before = _completed(files.read_object(known))
        changes = differences(before, values)
        fixed = [
            line for line in changes if line.split(".")[0].split(":")[0] not in _FREE_TO_CHANGE
        ]
        fixed += _other_sizes(before, values)
        if changes and (fixed or not accept_changes):
            cure = (
                f"choose another --out, or resume it with its own: lamina train {out}/recipe.yaml"
                if fixed
                else "choose another --out, or resume with the new values by --accept-changes"
            )
            raise RecipeError(
                f"{out}: holds a run of another recipe; {cure}\n  " + "\n  ".join(changes)
            )
        if changes:
            refuse_longer_folds(out, recipe.stages)
    files.write_text(out / "recipe.yaml", given)
    files.write_text(used, resolved_text(recipe))
    files.write_json(known, values)


def _completed(values: dict[str, Any]) -> dict[str, Any]:
    """Return a stored recipe with the options that lamina has learnt since, at their defaults."""
    try:
        return Recipe.model_validate(values).model_dump(mode="json")
    except ValidationError:  # options that are no longer there; the differences will say so
        return values


def _other_sizes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """List stages whose members would see images at another size than they learnt from."""
    now = {stage["name"]: stage for stage in after["stages"]}
    return [
        f"stages.{stage['name']}.{key}"
        for stage in before["stages"]
        for key in ("resize", "size")
        if stage["name"] in now and stage.get(key) != now[stage["name"]][key]
    ]


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """List what differs between two JSON values, one line each: ``path: before -> after``."""
    if isinstance(before, dict) and isinstance(after, dict):
        lines: list[str] = []
        for key in sorted({*before, *after}):
            step = f"{path}.{key}" if path else key
            lines += differences(before.get(key), after.get(key), step)
        return lines
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        rows = zip(_labels(before), before, after, strict=True)
        return [line for label, a, b in rows for line in differences(a, b, f"{path}.{label}")]
    return [] if before == after else [f"{path}: {json.dumps(before)} -> {json.dumps(after)}"]


def _labels(items: list[Any]) -> list[str]:
    """Return what messages call the items of a list: name, else kind, else number."""
    keys = [item if isinstance(item, dict) else {} for item in items]
    labels = [str(key.get("name") or key.get("kind") or "") for key in keys]
    return [
        label if label and labels.count(label) == 1 else str(number)
        for number, label in enumerate(labels)
    ]


def record_data(
    out: Path,
    root: Path,
    names: Sequence[str],
    cases: Sequence[Case],
    folds: Sequence[int],
    images: ImageKind | None = None,
    index: DataIndex | None = None,
) -> dict[str, dict[str, Any]]:
    """Write data.json and folds.csv; return {case id: {"sha256", "fold"}}.

    Raises:
        DataError: a file cannot be read.
        RecipeError: the run began with other images, labels or folds, so that what a fold holds
            out now may have trained it before, or its folds would have learnt different things.
    """
    known: dict[str, dict[str, Any]] = {}
    rows = []
    index = index or DataIndex()
    digests = index.digests(name for case in cases for name in (*case.files, *case.label_files))
    for case, fold in zip(cases, folds, strict=True):
        whole = [digests[name] for name in case.files]
        sampled = [index.identity(Path(name)) for name in case.files if index.is_store(Path(name))]
        known[case.id] = {"sha256": [*whole, *sampled], "fold": fold}
        rows.append(
            {
                "id": case.id,
                "fold": fold,
                "group": case.group,
                "axes": case.image.axes,
                "shape": list(case.image.shape),
                "channels": case.image.channels,
                "dtype": str(case.image.dtype),
                "turned": is_turned(case.image),
                "classes": case.facts.get("classes"),
                "sha256": whole,
                "sampled": sampled,
                "labels_sha256": [
                    *(digests[name] for name in case.label_files),
                    *([case.label_digest] if case.label_digest else []),
                ],
            }
        )
    if has_begun(out):
        _must_be_same(out, {str(row["id"]): row for row in rows})
    about: dict[str, Any] = {"root": full_name(root), "names": list(names), "cases": rows}
    if images is not None:
        about["images"] = images.model_dump(mode="json")
    files.write_json(out / "data.json", about)
    write_folds(out / "folds.csv", cases, folds)
    return known


def _must_be_same(out: Path, now: Mapping[str, Mapping[str, Any]]) -> None:
    before = {row["id"]: row for row in files.read_object(out / "data.json", "cases")["cases"]}
    both = before.keys() & now.keys()

    def other(key: str) -> list[str]:  # runs that kept no digests of labels say nothing of them
        known = (id for id in both if key in before[id])
        return sorted(id for id in known if before[id][key] != now[id][key])

    apart = {
        "new": sorted(now.keys() - before.keys()),
        "gone": sorted(before.keys() - now.keys()),
        "with another image": other("sha256"),
        "with other labels": other("labels_sha256"),
        "in another fold": other("fold"),
        "in another orientation (data.orientation)": sorted(
            id for id in both if before[id].get("turned", False) != now[id]["turned"]
        ),
    }
    lines = [f"{len(ids)} {what}, such as {ids[0]}" for what, ids in apart.items() if ids]
    if lines:
        raise RecipeError(
            f"{out}: holds a run on other data; choose another --out, or give the data it began "
            "with\n  " + "\n  ".join(lines)
        )


def environment(device: str, precision: str) -> dict[str, Any]:
    """Return what the run ran on, for env.json and the report.

    Args:
        device: Its name, or the names of several.
        precision: Such as ``bfloat16``.
    """
    libraries = (
        "lamina",
        "torch",
        "torchvision",
        "timm",
        "segmentation-models-pytorch",
        "accelerate",
        "numpy",
        "opencv-python-headless",
    )
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": device,
        "precision": precision,
        "versions": {name: version(name) for name in libraries},
    }
