"""From members and unlabelled images to labels that a training may learn from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import lamina
from lamina import files
from lamina.bundle import Bundle, kind_learnt, load_bundles, versions
from lamina.data.image_types.image_kind import ImageKind, as_learnt
from lamina.data.targets.pseudo_labels import (
    ALL,
    INDEX,
    PseudoLabelIndex,
    PseudoLabelSet,
    UnlabelledImage,
)
from lamina.errors import DataError, LeakError, PartialError, RecipeError, listed
from lamina.log import keep_log
from lamina.prediction.cases.inputs import gather, open_listed
from lamina.prediction.engine import predict_case
from lamina.prediction.folder.file_names import check_ids
from lamina.prediction.folder.manifest import Info, PredictedCase
from lamina.prediction.folder.predictions import Predictions, source_digest
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.predict_result import FailedInput
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.tiling.averaging import combine
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, explain, name_of
from lamina.progress import Bar, say
from lamina.pseudo_labels.confidence import FigureTable, Filters, figures
from lamina.pseudo_labels.eligible_members import Pair, labelled, makers, seen_by
from lamina.public import StrPath, StrPaths, VerbResult, as_path, as_paths, at_least
from lamina.refusals import verb
from lamina.result.submissions import Severstal
from lamina.volume import Volume

_LISTED = 10


@dataclass(frozen=True)
class LabelSet(VerbResult):
    """Labels made by some of the members."""

    members: tuple[str, ...]
    """Names of the members."""
    kept: int
    """Number of images that are sure enough."""
    classes: Mapping[str, int]
    """Number of kept images that show each class, by its name."""


@dataclass(frozen=True)
class PseudoResult(VerbResult):
    """What ``pseudo`` wrote."""

    out: Path
    """The folder of labels."""
    images: int
    """Number of images that were labelled."""
    sets: Mapping[str, LabelSet]
    """The sets of labels: one for each fold of the first training, and ``all``."""
    seconds: float
    """Time that the call took."""
    failed: tuple[FailedInput, ...] = ()
    """Images that were left out, with the reason of each."""


@verb
def pseudo(
    sources: StrPaths,
    inputs: StrPaths,
    out: StrPath,
    *,
    filters: Filters | None = None,
    device: str = "auto",
    batch: int | None = None,
    memory: int | None = None,
    overwrite: bool = False,
) -> PseudoResult:
    """Predict unlabelled images and write soft and hard labels of those that are sure enough.

    For each fold of the first training there is a set of labels made only by members that never
    saw what the fold holds out; the set ``all`` is by every member (see
    ``lamina.data.targets.pseudo_labels``). Masks of ``all`` follow the decision of the first bundle
    as tuned; those of a fold the decision of its recipe, since held-out cases helped to tune.

    Args:
        sources: Run folders, ensembles or bundles, at least one.
        inputs: Files, folders, csv tables or lists that name images, as for ``predict``.
        out: The folder to write. Nothing in it counts until all of it does; the same command
            again goes on where it stopped.
        filters: What is kept; None: the defaults.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        batch: Tiles per forward pass; None: the recipe's, or as the memory allows.
        memory: Bytes that the process may hold on a CPU; None: half of what is free.
        overwrite: Replace labels by other members.

    Returns:
        The folder, the number of images, and per set its members, images and classes.

    Raises:
        RecipeError: the task has no masks that may overlap, or the folder holds something else.
        DataError: no image can be read.
        PartialError: some images are bad; all others are labelled. Its ``result`` is what is
            returned otherwise.
        LeakError: an image has a label of its own in a training of the members.
        BundleError: a bundle is missing, damaged, or does not fit the others.
        ResourceError: the memory allowed does not hold one tile.

    Example:
        >>> result = pseudo("run", "new_images", "labels")
        >>> result.images, sorted(result.sets)
        (2, ['all', 'fold0', 'fold1'])
    """
    begun, chosen_filters = time.monotonic(), filters or Filters()
    sources, inputs = as_paths(sources, "sources"), as_paths(inputs, "inputs")
    out = as_path(out, "out")
    at_least(1, batch=batch, memory=memory)
    keep_memory()
    bundles = load_bundles(sources)
    _check_task(bundles[0])
    where = choose_device(device)
    precision = choose(bundles[0].recipe.precision, where)
    loaded = LoadedMembers(bundles, where, precision)
    images, quarantine = _open(bundles, inputs)
    sets = makers(bundles)
    size = loaded.batch_size(
        [image.volume for image in images], memory, batch or bundles[0].recipe.predict.batch
    )
    infos = {
        name: _info(loaded, pairs, images, name=name, device=where, precision=precision)
        for name, pairs in sets.items()
    }
    with files.locked(out):
        labels = {
            name: Predictions.create(out / "labels" / name, info, overwrite=overwrite)
            for name, info in infos.items()
        }
        (out / INDEX).unlink(missing_ok=True)  # until all is written again there are no labels
        files.delete_partial_files(out)
        say(f"{explain(precision, where)}, {size} tiles per forward pass")
        with keep_log(out):
            _predict(loaded, sets, labels, images, size, quarantine)
        done = set.intersection(*(set(answers.ids) for answers in labels.values()))
        quarantine.check_any(len(done), "images can be labelled")
        images = [image for image in images if image.made.id in done]
        made = {name: _write_set(answers, chosen_filters, done) for name, answers in labels.items()}
        _write_index(out, bundles, images, made, sets, chosen_filters)
    result = PseudoResult(
        out=out,
        images=len(images),
        sets={
            name: LabelSet(written.made.members, len(written.made.soft), written.classes)
            for name, written in made.items()
        },
        seconds=round(time.monotonic() - begun, 1),
        failed=tuple(quarantine.failed),
    )
    if result.failed:
        why = [one.why.splitlines()[0] for one in result.failed]
        raise PartialError(
            listed(
                f"{out}: {result.images} images are labelled, {len(why)} could not be; correct or "
                "remove them, then run the same command again",
                why,
            ),
            result,
        )
    return result


@dataclass(frozen=True)
class _Image:
    made: UnlabelledImage
    volume: Volume


@dataclass(frozen=True)
class _Written:
    made: PseudoLabelSet
    classes: dict[str, int]


def _check_task(bundle: Bundle) -> None:
    task = bundle.task
    if task.kind not in ("binary", "multilabel"):
        raise RecipeError(
            f"{bundle.store.where}: its task is {task.kind}; pseudo-labels are for binary and "
            "multilabel tasks"
        )


def _open(bundles: Sequence[Bundle], inputs: Sequence[Path]) -> tuple[list[_Image], Quarantine]:
    recipe, own, kind = bundles[0].recipe, labelled(bundles), kind_learnt(bundles)
    images, leaks = [], []
    named = gather(inputs, recipe)
    quarantine = Quarantine(len(named))
    for input_file in named:
        with quarantine.item(str(input_file.path)):
            volume = open_listed(input_file, recipe)
            if kind is not None:
                _must_be_alike(volume, kind)
            if len(volume.axes) != 2:
                raise DataError(
                    f"{input_file.path}: has axes '{volume.axes}'; pseudo-labels are for images"
                )
            sha256 = source_digest([str(input_file.path)])
            if sha256 in own:
                leaks.append(f"  {input_file.path} is {own[sha256]}")
            made = UnlabelledImage(
                id=input_file.id, path=str(input_file.path.resolve()), sha256=sha256
            )
            images.append(_Image(made, volume))
    if leaks:
        more = [f"  and {len(leaks) - _LISTED} more"] if len(leaks) > _LISTED else []
        raise LeakError(
            f"{len(leaks)} of {len(images)} images have labels in a training of the members; name "
            "only images without\n" + "\n".join(leaks[:_LISTED] + more)
        )
    quarantine.check_any(len(images), "images can be read")
    check_ids(image.made.id for image in images)
    return images, quarantine


def _must_be_alike(image: Volume, kind: ImageKind) -> None:
    """Refuse an image of another type or range: a training would read it unconverted."""
    said = as_learnt(image, kind)[1]
    if said is not None:
        raise DataError(
            f"{image.name}: would have to be converted ({said}), and the training that learns from "
            "its labels reads it as it is; save it in the type of the training images"
        )


def _info(
    loaded: LoadedMembers,
    pairs: Sequence[Pair],
    images: Sequence[_Image],
    *,
    name: str,
    device: torch.device,
    precision: torch.dtype | None,
) -> Info:
    first = loaded.bundles[0]
    return Info(
        lamina=lamina.__version__,
        recipe=first.recipe,
        recipe_digest=first.index.recipe_digest,
        bundles=tuple(bundle.digest() for bundle in loaded.bundles),
        members="auto",
        predict=first.recipe.predict,
        tile=first.recipe.tile,
        precision=name_of(precision),
        device=device.type,
        versions=versions(),
        decision=first.decision if name == ALL else first.recipe.decide,
        cases=tuple(
            PredictedCase(
                id=image.made.id,
                source=image.made.path,
                sha256=image.made.sha256,
                axes=image.volume.axes,
                shape=image.volume.shape,
                members=tuple(loaded.name(*pair) for pair in pairs),
                known="new",
            )
            for image in images
        ),
    )


def _predict(
    loaded: LoadedMembers,
    sets: dict[str, tuple[Pair, ...]],
    labels: dict[str, Predictions],
    images: Sequence[_Image],
    size: int,
    quarantine: Quarantine,
) -> None:
    """Ask every member once for each image; a set's answer is the mean over its members."""
    with Bar("labelling", len(images)) as bar:
        for image in images:
            with quarantine.item(image.made.path):
                _label(loaded, sets, labels, image, size)
            bar.advance()


def _label(
    loaded: LoadedMembers,
    sets: dict[str, tuple[Pair, ...]],
    labels: dict[str, Predictions],
    image: _Image,
    size: int,
) -> None:
    recipe, id = loaded.bundles[0].recipe, image.made.id
    open_sets = [name for name in sets if not labels[name].redecide(id)]
    answers: dict[Pair, NDArray[np.float32]] = {}
    for pair in sorted({pair for name in open_sets for pair in sets[name]}):
        member = loaded.members(ChosenMembers((pair,), "new"))
        answers[pair] = predict_case(
            image.volume,
            member,
            recipe,
            device=loaded.device,
            precision=loaded.precision,
            batch=size,
        )
    for name in open_sets:
        pairs = sets[name]
        weights = loaded.weights(ChosenMembers(pairs, "new"))
        each = [answers[pair] for pair in pairs]
        pool = recipe.predict.mean_of.members
        labels[name].add(id, combine(each, weights, recipe.task.kind, pool))


def _write_set(predictions: Predictions, filters: Filters, done: set[str]) -> _Written:
    names = predictions.task.names or ()
    kept: list[str] = []
    soft: dict[str, tuple[str, str]] = {}
    shown = dict.fromkeys(names, 0)
    table = FigureTable(("ImageId", "class", "area", "unsure", "mean", "kept", "why"))
    for id in (id for id in predictions.ids if id in done):
        masks = predictions.mask(id)
        rows, why = figures(predictions.prob(id), masks, filters)
        table.add_image(id, names, rows, why)
        if why:
            continue
        kept.append(id)
        path = predictions.prob_path(id)
        soft[id] = (str(path.relative_to(predictions.folder)), files.digest(path))
        for name, row in zip(names, rows, strict=True):
            shown[name] += row.area > 0
    files.write_text(predictions.folder / "figures.csv", table.text())
    Severstal().write(_masks(predictions, kept), predictions.folder / "train.csv")
    members = predictions.info.cases[0].members
    made = PseudoLabelSet(
        members=members,
        decision=predictions.decision.model_dump(mode="json"),
        table=files.digest(predictions.folder / "train.csv"),
        soft=soft,
    )
    return _Written(made, shown)


def _masks(predictions: Predictions, ids: Sequence[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    return ((id, predictions.mask(id)) for id in ids)


def _write_index(
    out: Path,
    bundles: Sequence[Bundle],
    images: Sequence[_Image],
    made: dict[str, _Written],
    sets: dict[str, tuple[Pair, ...]],
    filters: Filters,
) -> None:
    table = FigureTable(("ImageId", "path", "sha256"))
    for image in images:
        table.add(image.made.id, image.made.path, image.made.sha256)
    files.write_text(out / "images.csv", table.text())
    index = PseudoLabelIndex(
        format=1,
        lamina=lamina.__version__,
        names=bundles[0].task.names or (),
        bundles=tuple(bundle.digest() for bundle in bundles),
        filters=filters.model_dump(mode="json"),
        images=tuple(image.made for image in images),
        sets={name: written.made for name, written in made.items()},
        seen=seen_by(bundles, sets),
    )
    files.write_json(out / INDEX, files.sealed(index.model_dump(mode="json")))
