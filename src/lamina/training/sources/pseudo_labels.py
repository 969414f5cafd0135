"""Pseudo-labels for a run: checked against its folds, then mixed into its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina import files
from lamina.bundle import KnownCase, SeenCases, leak_lines
from lamina.data.case import Case
from lamina.data.readers import open_volume
from lamina.data.samplers.mixed import rounded
from lamina.data.targets.pseudo_labels import INDEX, ImageOpener, PseudoLabelFolder
from lamina.errors import DataError, LeakError, RecipeError, listed
from lamina.folders import fold_name
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.training.dataset import OpenedData
from lamina.training.run_folder import has_begun

USED = "pseudo.json"
"""What a run folder keeps of the labels it learns from."""


@dataclass(frozen=True)
class PseudoLabelCases:
    """Cases with made labels for one fold: by kind of label, soft or hard."""

    cases: Mapping[str, Sequence[Case]] = field(default_factory=dict)

    def mixed(self, stage: Stage, own: Sequence[Case]) -> tuple[Stage, Sequence[Case]]:
        """Return the stage with its sampler and the cases it learns from.

        Raises:
            RecipeError: no batch would hold any of the cases with made labels.
        """
        if stage.pseudo is None:
            return stage, own
        made = self.cases[stage.pseudo.labels]
        sampler = stage.pseudo.mixer(stage.sampler)
        parts = sampler.parts(["train"] * len(own) + ["pseudo"] * len(made))
        if sampler.how == "fixed" and not rounded(parts, stage.batch)["pseudo"]:
            raise RecipeError(
                f"stage {stage.name}: a share of {parts['pseudo']:.3f} is no image in a batch of "
                f"{stage.batch}; set a larger pseudo.share or pseudo.alpha, or a larger batch"
            )
        return stage.model_copy(update={"sampler": sampler}), [*own, *made]


@dataclass(frozen=True)
class Labels:
    """The labels that a run may use, opened; None: the run uses none."""

    made: PseudoLabelFolder | None
    wanted: frozenset[str]
    """Kinds of labels that stages ask for."""
    open_image: ImageOpener = open_volume
    """How the catalog of the run opens an image."""

    def of(self, fold: int) -> PseudoLabelCases:
        """Return the cases for a fold, made by members that never saw what it holds out.

        Raises:
            DataError: an image or a label changed, or none was kept.
        """
        if self.made is None:
            return PseudoLabelCases()
        name = fold_name(fold)
        if not self.made.index.sets[name].soft:
            raise DataError(
                f"{self.made.folder}: no image was predicted with enough confidence for fold "
                f"{fold} (see labels/{name}/figures.csv); make labels with a lower --sure"
            )
        return PseudoLabelCases(
            {
                kind: self.made.cases(name, soft=kind == "soft", open_image=self.open_image)
                for kind in sorted(self.wanted)
            }
        )

    def known(self, own: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Return what a bundle says of the images mixed in, and of cases behind their labels.

        Args:
            own: The cases of the run by id; they are left out.
        """
        if self.made is None:
            return {}
        index = self.made.index
        kept = {id for made in index.sets.values() for id in made.soft}
        rows: dict[str, dict[str, Any]] = {
            f"pseudo/{image.id}": {"sha256": [image.sha256], "fold": -1, "labels": "pseudo"}
            for image in index.images
            if image.id in kept
        }
        for case in index.seen:
            if case.id not in own and case.id not in rows:
                row = {"sha256": list(case.sha256), "fold": -1, "labels": "behind"}
                rows[case.id] = row
        return rows


def open_labels(
    recipe: Recipe,
    folder: Path | None,
    opened: OpenedData,
    known: Mapping[str, Mapping[str, Any]],
    folds: Sequence[int],
) -> Labels:
    """Open pseudo-labels; refuse those that would make the run's scores optimistic.

    Args:
        recipe: Its stages say whether labels are used.
        folder: What ``lamina pseudo`` wrote, or None.
        opened: The run's cases and folds.
        known: Digests and fold of each case by id, as ``record_data`` returns.
        folds: Those that will be trained.

    Raises:
        RecipeError: a stage asks for labels and there is no folder, or the other way round.
        DataError: the labels are not whole, are of other classes, or lack a fold.
        LeakError: members behind the labels of a fold had trained on what the fold holds out, or
            a labelled image is a case of the run.
    """
    wanted = frozenset(stage.pseudo.labels for stage in recipe.stages if stage.pseudo is not None)
    if folder is None and not wanted:
        return Labels(None, wanted)
    if folder is None:
        names = ", ".join(stage.name for stage in recipe.stages if stage.pseudo is not None)
        raise RecipeError(
            f"stage {names} learns from pseudo-labels; pass --pseudo with the folder that `lamina "
            "pseudo` wrote, or set its pseudo to null"
        )
    if not wanted:
        raise RecipeError(
            "--pseudo is given, but no stage uses it; say in which, such as -s "
            f"stages.{recipe.stages[-1].name}.pseudo.share=0.12"
        )
    made = PseudoLabelFolder.open(folder)
    if made.index.names != opened.task.names:
        raise DataError(
            f"{folder}: labels of {list(made.index.names)}, but this run learns "
            f"{list(opened.task.names or ())}"
        )
    made.refuse_own({stage: id for id, case in known.items() for stage in case["sha256"]})
    for fold in folds:
        refuse_leaks(
            made, fold, {stage.id: known[stage.id]["sha256"] for stage in opened.held_out(fold)}
        )
    return Labels(made, wanted, recipe.data.open_image)


def refuse_leaks(made: PseudoLabelFolder, fold: int, held_out: Mapping[str, Sequence[str]]) -> None:
    """Refuse labels that the held-out cases of a fold helped to make.

    Args:
        made: The labels.
        fold: Its number.
        held_out: Digests of the files of each case that validates the fold, by id.

    Raises:
        DataError: there are no labels for the fold.
        LeakError: makers of its set had trained on a held-out case, known by its id or by the
            content of its files; such cases are listed.
    """
    seen = {id: KnownCase(sha256=sha256, fold=-1) for id, sha256 in made.seen(fold).items()}
    leaks = SeenCases(seen).leaks(fold, held_out, or_id=True)
    if leaks:
        headline = (
            f"{made.folder}: the labels for fold {fold} were made by members that had trained on "
            f"{len(leaks)} of the cases the fold holds out; make labels with a run of the same "
            "folds, or train with the folds of that run (split.path: folds.csv)"
        )
        raise LeakError(listed(headline, leak_lines(leaks)))


def record_labels(out: Path, labels: Labels) -> None:
    """Write which labels a run learns from; refuse to go on with others (C09).

    Raises:
        RecipeError: folds of the run have begun with other labels, or with none.
    """
    made = labels.made
    now = None if made is None else {"sha256": files.digest(made.folder / INDEX)}
    path = out / USED
    before = files.read_object(path, "sha256") if path.is_file() else None
    if has_begun(out) and (before and before["sha256"]) != (now and now["sha256"]):
        raise RecipeError(
            f"{out}: began with {'other' if before else 'no'} pseudo-labels; choose another --out, "
            "or give by --pseudo what it began with"
        )
    if made is not None and now is not None:
        files.write_json(path, {"path": str(made.folder.resolve()), **now})
