"""From bundles and images to predictions on disk; interrupted, it resumes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Literal

import torch

import lamina
from lamina.bundle import Bundle, kind_learnt, load_bundles, unfinished_lines, versions
from lamina.data.case import Case
from lamina.data.catalogs.inputs import Input
from lamina.data.flatten import align
from lamina.data.flatten.summary import CURVES
from lamina.data.image_types.image_kind import as_learnt
from lamina.data.index.index import DataIndex
from lamina.data.readers.file_types import not_read
from lamina.errors import DataError, RecipeError, listed
from lamina.files import delete_partial_files, locked
from lamina.folders import DATA_INDEX
from lamina.log import keep_log
from lamina.prediction.changes import Thresholds, changed, threshold_words, with_threshold
from lamina.prediction.engine import Member, plan_case, predict_case, stream_case
from lamina.prediction.folder.manifest import Info, PredictedCase, place_of
from lamina.prediction.folder.predictions import Predictions, one_digest
from lamina.prediction.inputs import gather, open_listed, passed_over
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers, Policy
from lamina.prediction.notices import tell_if_not_tuned, tell_if_unfinished, tell_result
from lamina.prediction.outputs.native.write_native import note_native
from lamina.prediction.outputs.write import DEFAULT, NativeContent, Outputs, checked
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.streaming.plan import check_room
from lamina.prediction.streaming.row_bands import bands
from lamina.prediction.streaming.slabs import check_axes
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, explain, name_of
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
    opened = _open(loaded, inputs, members, options.slices, known_files, corrupt=corrupt)
    info = _info(bundles, opened, members, where, precision)
    update = {"predict": options, "corrupted": corrupt, "uncertainty": uncertainty}
    info = info.model_copy(update={**update, "changes": said})
    volumes = [case.image for _, case, _ in opened.cases.values()]
    size = loaded.batch_size(volumes, memory, batch or bundles[0].recipe.predict.batch)
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
            counts = _predict_all(outputs, opened, loaded, size, progress=progress)
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


@dataclass
class _Opened:
    """The cases that can be read, who answers for each, and the files that are bad."""

    cases: dict[str, tuple[PredictedCase, Case, ChosenMembers]] = field(default_factory=dict)
    quarantine: Quarantine = field(default_factory=lambda: Quarantine(1))


def _open(
    loaded: LoadedMembers,
    inputs: Sequence[Path],
    members: Literal["auto", "all"],
    slices: Sequence[float],
    index: DataIndex,
    *,
    corrupt: bool,
) -> _Opened:
    recipe = loaded.bundles[0].recipe
    policy = Policy(loaded.bundles, members)
    named = gather(inputs, recipe)
    opened = _Opened(quarantine=Quarantine(len(named)))
    for line in not_read(passed_over(inputs, recipe)):
        say(line)
    index.fill({"image": [one.path for one in named]})
    for input_file in named:
        with opened.quarantine.item(str(input_file.path)), index.used():
            found = _cases(input_file, loaded, policy, slices, index, corrupt=corrupt)
            for one, _, _ in found:
                if one.id in opened.cases:
                    raise DataError(_double(input_file, opened.cases[one.id][0].source))
            opened.cases |= {one[0].id: one for one in found}
    opened.quarantine.check_any(len(opened.cases), "images can be read")
    changed = [f"{id}: {one.converted}" for id, (one, *_) in opened.cases.items() if one.converted]
    if changed:
        say(listed(f"{len(changed)} images are converted to what the members learnt from", changed))
    return opened


def _cases(
    input_file: Input,
    loaded: LoadedMembers,
    policy: Policy,
    slices: Sequence[float],
    index: DataIndex,
    *,
    corrupt: bool,
) -> list[tuple[PredictedCase, Case, ChosenMembers]]:
    """Return the cases of one file: itself, or the slices of it that are asked for."""
    recipe = loaded.bundles[0].recipe
    volume = open_listed(input_file, recipe, corrupt=corrupt)
    if len(volume.axes) != 2:
        check_axes(volume, recipe.frame.slices)
    kind = kind_learnt(loaded.bundles)
    volume, converted = (volume, None) if kind is None else as_learnt(volume, kind)
    valid = recipe.data.open_valid(input_file.path)
    offset, span = recipe.data.stored(volume, recipe.task)
    files = [str(path) for path in recipe.data.files_of(input_file.path)]
    digests = [index.digest(Path(name)) for name in files]
    chosen = policy.choose(input_file.id, digests[0])
    whole = Case(input_file.id, input_file.id, volume, valid=valid)
    found = []
    for case in recipe.frame.chosen([whole], slices):
        predicted = PredictedCase(
            id=case.id,
            source=str(input_file.path),
            sha256=one_digest(digests),
            axes=case.image.axes,
            shape=case.image.shape,
            **place_of(case.image),
            members=tuple(loaded.name(*pair) for pair in chosen.members),
            banded=loaded.streams(case.image),
            offset=offset,
            span=span,
            converted=converted,
            known=chosen.known,
        )
        found.append((predicted, case, chosen))
    return found


def _double(input_file: Input, other: str) -> str:
    both = f"{input_file.path} and {other}"
    return f"{both}: duplicate case id '{input_file.id}'; run predict separately"


def _info(
    bundles: Sequence[Bundle],
    opened: _Opened,
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
    outputs: Outputs, opened: _Opened, loaded: LoadedMembers, size: int, *, progress: bool
) -> dict[str, int]:
    predictions = outputs.predictions
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
    if case.banded:
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
        prob = predict_case(case, members, recipe, device=device, precision=precision, batch=size)
        bar.advance()
        predictions.add(case.id, prob)
        return
    if predicted.banded:
        kept = (4 if recipe.task.kind == "restore" else 2) * recipe.task.outputs
        check_room(
            volume.name, predictions.folder, kept * prod(volume.shape), predictions.written(case.id)
        )
    else:
        ahead = plan_case(volume, members, recipe, device=device, precision=precision, batch=size)
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
        progress=bar.advance,
    )
    predictions.finish(case.id)
