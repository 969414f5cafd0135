"""From bundles and images to predictions on disk; interrupted, it resumes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

import lamina
from lamina.bundle import Bundle, load_bundles, unfinished_lines, versions
from lamina.data.index.index import DataIndex
from lamina.errors import RecipeError
from lamina.files import delete_partial_files, locked
from lamina.folders import DATA_INDEX
from lamina.log import keep_log
from lamina.prediction.cases.opened import OpenedCases, open_cases
from lamina.prediction.cases.together import gathered_batch
from lamina.prediction.changes import (
    Thresholds,
    changed,
    check_store,
    threshold_words,
    with_threshold,
)
from lamina.prediction.folder.manifest import Arithmetic, Info
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.notices import tell_if_not_tuned, tell_if_unfinished, tell_result
from lamina.prediction.outputs.native.write_native import note_native
from lamina.prediction.outputs.write import DEFAULT, NativeContent, Outputs, checked
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import PRECISIONS, explain
from lamina.prediction.uncertainty.outlook import note_outlook
from lamina.prediction.workers.pool_of import Asked, Computing, processes_for
from lamina.prediction.workers.pools import work_off
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.sizes import sizes
from lamina.prediction.workers.tasks import Setup
from lamina.progress import say
from lamina.public import StrPath, StrPaths, as_path, as_paths, at_least
from lamina.refusals import verb

if TYPE_CHECKING:
    from distributed import Client


@verb
def predict(
    sources: StrPaths,
    inputs: StrPaths,
    out: StrPath,
    *,
    members: Literal["auto", "all"] = "auto",
    device: str = "auto",
    batch: int | None = None,
    gather: bool | None = None,
    memory: int | None = None,
    workers: int | Literal["auto"] | None = None,
    devices: str | Sequence[str] | None = None,
    cluster: str | Path | Client | None = None,
    insecure_cluster: bool = False,
    slices: Sequence[float] | None = None,
    changes: Sequence[str] = (),
    threshold: Thresholds | None = None,
    corrupt: bool = False,
    uncertainty: bool = False,
    save: Sequence[str] = DEFAULT,
    native: NativeContent = "labels",
    store: str | None = None,
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
        gather: Whether tiles of several small images fill forward passes together, which a GPU
            needs to be busy; probabilities then differ by rounding from those of images by
            themselves. None: on GPUs, but not where predictions were begun otherwise.
        memory: Bytes that each process may hold on a CPU; None: all of them half of what is free.
        workers: Processes of one thread each that predict, with the same bytes as one would;
            ``auto``: as many as cores and memory allow; None: this process, with all its threads.
            Processes are spawned: a script calls this below ``if __name__ == "__main__":``.
        devices: Several, with a process each: ``"0,1"`` or ``("cuda:0", "cuda:1")``, ``"all"`` for
            every GPU, or ``"cpu:4"``, which is ``workers=4``.
        cluster: Dask workers in place of these: the address of a scheduler, a YAML file that says
            how to ask Slurm for jobs, or a ``distributed.Client``. All of them see ``out`` and the
            inputs under the same paths.
        insecure_cluster: Take a scheduler without encryption, at ``tcp://``.
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
        store: Address in object storage, such as ``s3://bucket/out``, for the chunks of the
            probabilities of volumes and large images; all else lies in ``out``. None: they do too.
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
    check_store(store, uncertainty=uncertainty)
    keep_memory()
    bundles = load_bundles(sources, unfinished=True)
    if uncertainty and bundles[0].recipe.task.kind == "restore":
        raise RecipeError(
            "--uncertainty is of probabilities, and task.kind is restore, whose values have none; "
            "leave it out"
        )
    bundles = with_threshold(changed(bundles, changes), threshold)
    said = (*changes, *threshold_words(threshold))
    asked = Asked(workers, devices, cluster, insecure_cluster, device, memory)
    with processes_for(asked, bundles[0].recipe.precision, out) as processes:
        where, computing = processes.device, processes.computing
        precision = PRECISIONS[computing.precision]
        loaded = LoadedMembers(bundles, where, precision)
        loaded.apart = uncertainty
        options = bundles[0].recipe.predict
        if slices is not None:
            options = options.model_copy(update={"slices": tuple(slices)})
        place = out / DATA_INDEX if index is None else as_path(index, "index")
        begun_here = place.exists() or index is not None
        known_files = DataIndex(place if begun_here else None, verify=verify_data)
        opened = open_cases(loaded, inputs, members, options.slices, known_files, corrupt=corrupt)
        info = _info(bundles, opened, members, computing)
        before = None if overwrite else Predictions.begun(out)
        noted = before.arithmetic if before is not None else None
        volumes = [case.image for _, case, _ in opened.cases.values()]
        wanted = batch or (noted.batch if noted else bundles[0].recipe.predict.batch)
        size, slabs = sizes(loaded, volumes, processes, memory, wanted)
        gather = _is_gathered(gather, before, computing) and not uncertainty
        if gather and wanted is None:
            size = gathered_batch(info.cases, info.recipe, size)
        now = Arithmetic(batch=size, device=computing.kind, tf32=computing.tf32, gathered=gather)
        update = {"predict": options, "corrupted": corrupt, "uncertainty": uncertainty}
        update |= {"store": store and store.rstrip("/")}
        arithmetic = now if before is None else noted
        info = info.model_copy(update={**update, "changes": said, "arithmetic": arithmetic})
        with locked(out):
            predictions = Predictions.create(out, info, overwrite=overwrite)
            delete_partial_files(out)
            if not begun_here:
                known_files.keep_in(place)
            with keep_log(out):
                if progress:
                    where_said = explain(
                        precision, torch.device(computing.device), tf32=computing.tf32
                    )
                    several = " of several images" if gather else ""
                    say(f"{where_said}, {size} tiles per forward pass{several}{processes.said}")
                    tell_if_unfinished(bundles, sources)
                    if said:
                        say(f"changed for this prediction: {', '.join(said)}")
                    if threshold is None:
                        tell_if_not_tuned(bundles[0], sources[0])
                outputs = Outputs(predictions, kinds)
                setup = Setup(
                    plan=predictions.info.bytes_plan(),
                    sources=tuple(str(source.absolute()) for source in sources),
                    out=str(out.absolute()),
                    folder=str(Path.cwd()),
                    changes=tuple(changes),
                    threshold=threshold,
                    device=processes.device_asked,
                    precision=computing.precision,
                    batch=size,
                    memory=slabs,
                    kinds=kinds,
                    threads=processes.threads,
                )
                schedule = Schedule(
                    outputs,
                    opened,
                    loaded,
                    now,
                    memory=slabs,
                    workers=processes.count,
                    lines=progress,
                )
                work_off(schedule, processes.pool(schedule, setup))
                opened.quarantine.check_any(len(predictions.ids), "images can be predicted")
                left_out = outputs.finish()
                predictions = note_native(predictions.only_finished())
                if uncertainty:
                    predictions = note_outlook(predictions, bundles[0].index.outlook)
                result = PredictResult(
                    out=out,
                    cases=len(predictions.ids),
                    **schedule.counts,
                    worker_seconds=schedule.worker_seconds,
                    known=dict(Counter(case.known for case in predictions.info.cases)),
                    failed=tuple(opened.quarantine.failed),
                    left_out=left_out,
                    unfinished=info.unfinished,
                    members=tuple(loaded.names),
                    device=torch.device(computing.device).type,
                    precision=computing.precision,
                    batch=size,
                    seconds=round(time.monotonic() - begun, 1),
                )
                tell_result(result, progress=progress)
    return result


def _is_gathered(gather: bool | None, before: Info | None, computing: Computing) -> bool:
    """Return whether images share forward passes: as asked for, as begun, or on a GPU."""
    if gather is not None:
        return gather
    if before is None:
        return torch.device(computing.device).type == "cuda"
    return before.arithmetic is not None and before.arithmetic.gathered


def _info(
    bundles: Sequence[Bundle],
    opened: OpenedCases,
    members: Literal["auto", "all"],
    computing: Computing,
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
        precision=computing.precision,
        device=torch.device(computing.device).type,
        versions=versions(),
        decision=first.decision,
        unfinished=tuple(line for bundle in bundles for line in unfinished_lines(bundle)),
        cases=tuple(case for case, _, _ in opened.cases.values()),
    )
