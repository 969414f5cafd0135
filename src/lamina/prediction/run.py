"""From bundles and images to predictions on disk; interrupted, it resumes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from math import prod
from typing import Literal

import torch

import lamina
from lamina.bundle import Bundle, load_bundles, unfinished_lines, versions
from lamina.data.case import Case
from lamina.data.flatten import align
from lamina.data.flatten.summary import CURVES
from lamina.data.index.index import DataIndex
from lamina.errors import RecipeError
from lamina.files import delete_partial_files, locked
from lamina.folders import DATA_INDEX
from lamina.log import keep_log
from lamina.prediction.cases.opened import OpenedCases, open_cases
from lamina.prediction.changes import Thresholds, changed, threshold_words, with_threshold
from lamina.prediction.engine import Member, plan_case, predict_case, stream_case
from lamina.prediction.folder.manifest import (
    Arithmetic,
    Info,
    PredictedCase,
    check_arithmetic,
)
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.notices import tell_if_not_tuned, tell_if_unfinished, tell_result
from lamina.prediction.outputs.native.write_native import note_native
from lamina.prediction.outputs.write import DEFAULT, NativeContent, Outputs, checked
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.streaming.plan import check_room
from lamina.prediction.streaming.row_bands import bands
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import (
    choose,
    choose_device,
    device_kind,
    explain,
    name_of,
    uses_tf32,
)
from lamina.prediction.uncertainty.outlook import note_outlook
from lamina.prediction.uncertainty.predict import How, predict_uncertain
from lamina.prediction.uncertainty.stored import StoredUncertainty
from lamina.progress import Bar, say
from lamina.public import StrPath, StrPaths, as_path, as_paths, at_least
from lamina.refusals import verb
from lamina.volume import Volume


@verb
def predict(
    sources: StrPaths,
    inputs: StrPaths,
    out: StrPath,
    *,
    members: Literal["auto", "all"] = "auto",
    device: str = "auto",
    batch: int | None = None,
    memory: int | None = None,
    slices: Sequence[float] | None = None,
    changes: Sequence[str] = (),
    threshold: Thresholds | None = None,
    corrupt: bool = False,
    uncertainty: bool = False,
    save: Sequence[str] = DEFAULT,
    native: NativeContent = "labels",
    overwrite: bool = False,
    progress: bool = True,
    index: StrPath | None = None,
    verify_data: bool = False,
) -> PredictResult:
    """Predict images or volumes and write probabilities, masks and how they came about.

    Args:
        sources: A bundle (folder or zip) or run folder, or several; their members answer together.
            Of a run whose training has not finished, the best checkpoint of each fold so far.
        inputs: A file, a folder, a csv table that names images, a ``.txt`` list of paths (relative
            to its folder), ``-`` for such a list on standard input, or several of these.
        out: The folder to write. Finished cases of the same plan are verified and kept.
        members: ``auto``: an image that training saw is predicted only by the members that did
            not; ``all``: every member answers for every image.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        batch: Tiles per forward pass; None: the recipe's, or as the memory allows, up to 8.
        memory: Bytes that the process may hold on a CPU; None: half of what is free.
        slices: Only these slices of volumes, at shares of each axis' length, from 0 to below 1
            (NOISE-17), each as an image called VOLUME/AXISINDEX; None: as the recipe says.
        changes: Changes of the options ``predict`` and ``decide`` of the trained recipe, such as
            ``predict.views=flips``; the manifest and scores say so.
        threshold: In place of the decision's: for all classes, or by the names of some.
        corrupt: Put the noise that the recipe declares on the images first, the same that it
            puts on held-out ones, to measure on clean images.
        uncertainty: Also write maps of entropy and, where members or views answer, of their mutual
            information to ``uncertainty``; and what to expect of each image and class to
            ``prediction.json``: presence, expected score, agreement of members.
        save: Files to make of the answers, besides ``masks`` and ``probabilities``: ``overlays``
            (pictures of images with their masks), ``objects`` (of images: outlines, and a table),
            ``native`` (the input's own format and place, where it has one). Of a folder that is
            there they are made of the stored probabilities.
        native: ``probabilities``: also write these, in float32, beside labels in the input's own
            format, where it is NIfTI or TIFF.
        overwrite: Replace predictions of other bundles or options.
        progress: Show progress on standard error.
        index: File of what is known of the files; None: ``index.jsonl`` in ``out``.
        verify_data: Read all files again, whatever their size and time say.

    Returns:
        Counts of cases, what was left out, and how it was done.

    Raises:
        RecipeError: the folder holds something else, or an option is not valid.
        DataError: nothing can be read, or the only image is bad.
        BundleError: a bundle is missing, damaged, or does not fit the others.
        ResourceError: the memory allowed does not hold one tile.
        PartialError: some images are bad; all others are done. Its ``result`` is what is
            returned otherwise.

    Example:
        >>> result = predict("run", "new_images", "predicted")
        >>> result.cases, result.failed
        (2, ())
    """
    begun = time.monotonic()
    sources, inputs, out = (
        as_paths(sources, "sources"),
        as_paths(inputs, "inputs"),
        as_path(out, "out"),
    )
    if members not in ("auto", "all"):
        raise RecipeError(f"--members is '{members}'; it must be one of auto, all")
    at_least(1, batch=batch, memory=memory)
    kinds = checked(save, native)
    keep_memory()
    bundles = load_bundles(sources, unfinished=True)
    if uncertainty and bundles[0].recipe.task.kind == "restore":
        raise RecipeError(
            "--uncertainty is of probabilities, and task.kind is restore, whose values have none; "
            "leave it out"
        )
    bundles = with_threshold(changed(bundles, changes), threshold)
    said = (*changes, *threshold_words(threshold))
    where = choose_device(device)
    precision = choose(bundles[0].recipe.precision, where)
    loaded = LoadedMembers(bundles, where, precision)
    loaded.apart = uncertainty
    options = bundles[0].recipe.predict
    if slices is not None:
        options = options.model_copy(update={"slices": tuple(slices)})
    place = out / DATA_INDEX if index is None else as_path(index, "index")
    begun_here = place.exists() or index is not None
    known_files = DataIndex(place if begun_here else None, verify=verify_data)
    opened = open_cases(loaded, inputs, members, options.slices, known_files, corrupt=corrupt)
    info = _info(bundles, opened, members, where, precision)
    before = None if overwrite else Predictions.begun(out)
    noted = before.arithmetic if before is not None else None
    volumes = [case.image for _, case, _ in opened.cases.values()]
    wanted = batch or (noted.batch if noted else bundles[0].recipe.predict.batch)
    size = loaded.batch_size(volumes, memory, wanted)
    now = Arithmetic(batch=size, device=device_kind(where), tf32=uses_tf32(where, precision))
    update = {"predict": options, "corrupted": corrupt, "uncertainty": uncertainty}
    arithmetic = now if before is None else noted
    info = info.model_copy(update={**update, "changes": said, "arithmetic": arithmetic})
    with locked(out):
        predictions = Predictions.create(out, info, overwrite=overwrite)
        delete_partial_files(out)
        if not begun_here:
            known_files.keep_in(place)
        with keep_log(out):
            if progress:
                say(f"{explain(precision, where)}, {size} tiles per forward pass")
                tell_if_unfinished(bundles, sources)
                if said:
                    say(f"changed for this prediction: {', '.join(said)}")
                if threshold is None:
                    tell_if_not_tuned(bundles[0], sources[0])
            outputs = Outputs(predictions, kinds)
            counts = _predict_all(outputs, opened, loaded, now, progress=progress)
            left_out = outputs.finish()
            predictions = note_native(predictions.only_finished())
            if uncertainty:
                predictions = note_outlook(predictions, bundles[0].index.outlook)
            result = PredictResult(
                out=out,
                cases=len(predictions.ids),
                **counts,
                known=dict(Counter(case.known for case in predictions.info.cases)),
                failed=tuple(opened.quarantine.failed),
                left_out=left_out,
                unfinished=info.unfinished,
                members=tuple(loaded.names),
                device=where.type,
                precision=name_of(precision),
                batch=size,
                seconds=round(time.monotonic() - begun, 1),
            )
            tell_result(result, progress=progress)
    return result


def _info(
    bundles: Sequence[Bundle],
    opened: OpenedCases,
    members: Literal["auto", "all"],
    device: torch.device,
    precision: torch.dtype | None,
) -> Info:
    first = bundles[0]
    return Info(
        lamina=lamina.__version__,
        recipe=first.recipe,
        recipe_digest=first.index.recipe_digest,
        bundles=tuple(bundle.digest() for bundle in bundles),
        members=members,
        predict=first.recipe.predict,
        tile=first.recipe.tile,
        precision=name_of(precision),
        device=device.type,
        versions=versions(),
        decision=first.decision,
        unfinished=tuple(line for bundle in bundles for line in unfinished_lines(bundle)),
        cases=tuple(case for case, _, _ in opened.cases.values()),
    )


def _predict_all(
    outputs: Outputs, opened: OpenedCases, loaded: LoadedMembers, now: Arithmetic, *, progress: bool
) -> dict[str, int]:
    predictions, size = outputs.predictions, now.batch
    counts = {"predicted": 0, "kept": 0, "redecided": 0}
    steps = {
        id: _steps(predicted, case.image, loaded)
        for id, (predicted, case, _) in opened.cases.items()
    }
    with Bar("predicting", sum(steps.values())) as bar:
        for id, (_, case, chosen) in opened.cases.items():
            before = "kept" if predictions.finished(id) else "redecided"
            if _has_maps(predictions, id) and (before == "kept" or predictions.redecide(id)):
                predictions.drop_work(id)  # of a run that was killed at the last moment
                outputs.update(id, case.image)
                counts[before] += 1
                bar.advance(steps[id])
                continue
            check_arithmetic(predictions.folder, predictions.info.arithmetic, now)
            with opened.quarantine.item(case.image.name):
                align([case], predictions.folder / CURVES)
                _predict(
                    predictions, case, loaded.members(chosen), loaded, size, bar, progress=progress
                )
                counts["predicted"] += 1
                outputs.update(id, case.image)
    opened.quarantine.check_any(len(predictions.ids), "images can be predicted")
    return counts


def _has_maps(predictions: Predictions, id: str) -> bool:
    """Whether a case has the maps of uncertainty that were asked for."""
    return not predictions.info.uncertainty or StoredUncertainty(predictions).sound(id)


def _steps(case: PredictedCase, volume: Volume, loaded: LoadedMembers) -> int:
    """Return what the bar counts of a case: slices, bands, or one."""
    recipe = loaded.bundles[0].recipe
    if case.banded or len(volume.axes) == recipe.frame.axes == 3:
        return len(bands(case.shape, recipe.task.outputs))
    slices = recipe.frame.slices
    if slices is None or len(volume.axes) == 2:
        return 1
    return sum(volume.shape[volume.axes.index(a)] for a in slices.axes if a in volume.axes)


def _predict(
    predictions: Predictions,
    case: Case,
    members: Sequence[Member],
    loaded: LoadedMembers,
    size: int,
    bar: Bar,
    *,
    progress: bool,
) -> None:
    """Predict one case into the folder: an image in memory, what is large part by part."""
    recipe, device, precision = loaded.bundles[0].recipe, loaded.device, loaded.precision
    predicted, volume = predictions.case(case.id), case.image
    if predictions.info.uncertainty:
        how = How(device, precision, size)
        predict_uncertain(predictions, case, members, recipe, how)
        bar.advance(_steps(predicted, volume, loaded))
        return
    if not predicted.chunked:
        prob = predict_case(
            case, members, recipe, device=device, precision=precision, batch=size, fixed=True
        )
        bar.advance()
        predictions.add(case.id, prob)
        return
    if predicted.banded:
        kept = (4 if recipe.task.kind == "restore" else 2) * recipe.task.outputs
        check_room(
            volume.name, predictions.folder, kept * prod(volume.shape), predictions.written(case.id)
        )
    else:
        ahead = plan_case(
            volume,
            members,
            recipe,
            device=device,
            precision=precision,
            batch=size,
            place=predictions.place(case.id),
        )
        ahead.check_disk(predictions.folder, predictions.written(case.id))
        for line in ahead.lines() if progress else ():
            say(line)
    stream_case(
        case,
        members,
        recipe,
        place=predictions.place(case.id),
        device=device,
        precision=precision,
        batch=size,
        fixed=True,
        progress=bar.advance,
    )
    predictions.finish(case.id)
