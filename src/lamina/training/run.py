"""From a recipe and data to a bundle: fold after fold, stage after stage."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from pydantic import TypeAdapter
from safetensors.torch import load_file

from lamina import files
from lamina.bundle import Bundle, KnownCase, MemberWeights, write_prepared
from lamina.data.image_types.image_kind import ImageKind, kind_of
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.prepare.pair_quality import write_quality
from lamina.data.prepare.unpack import UNPACKED
from lamina.errors import BundleError, RecipeError
from lamina.folders import BUNDLE, QUALITY, TUNED, fold_name
from lamina.log import keep_log
from lamina.model.weights import downloads
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device
from lamina.progress import say
from lamina.public import StrPath, as_path, at_least
from lamina.recipe.load import resolved_text
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.training.dataset import OpenedData, index_of, open_data
from lamina.training.fold import train_fold
from lamina.training.out_of_fold import predict_held_out
from lamina.training.process_state import (
    deterministic_algorithms,
    own_accelerator,
    own_random_state,
    refuse_launcher,
)
from lamina.training.run_folder import environment, locked, members_of, record_data, record_recipe
from lamina.training.saving.class_pixels import weighed
from lamina.training.sources.initial_weights import Start, open_start, record_start
from lamina.training.sources.pseudo_labels import Labels, open_labels, record_labels
from lamina.training.sources.weights_file import check_weights, record_weights, trained_files
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loader import default_workers, too_many_workers
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from lamina.training.stage.trackers import tracker
from lamina.training.train_result import FoldResult, TrainedMember, TrainResult


@verb
def train(
    recipe: Recipe,
    *,
    data: StrPath,
    out: StrPath,
    folds: Sequence[int] | None = None,
    device: str = "auto",
    workers: int | None = None,
    save_minutes: float = 10.0,
    max_minutes: float | None = None,
    track: Sequence[str] = (),
    accept_changes: bool = False,
    pseudo: StrPath | None = None,
    start: StrPath | None = None,
    online: bool = False,
    index: StrPath | None = None,
    verify_data: bool = False,
) -> TrainResult:
    """Train the recipe's folds on the data and write the run folder with its bundle.

    A run folder that an interrupted run left goes on where it stopped. The bundle holds the
    members of all folds finished so far.

    Args:
        recipe: What to do.
        data: The folder that holds the data; only read.
        out: The run folder.
        folds: Only these folds; None: all of the split.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        workers: Loader processes; None: as suits the machine.
        save_minutes: The state is saved every epoch and at least this often, in minutes.
        max_minutes: End the training of all folds after about so many minutes, those before an
            interruption included, with the best weights so far; None: train every epoch.
        track: Trackers of accelerate besides ``metrics.jsonl``: tensorboard, wandb, mlflow.
        accept_changes: Go on although stages or decisions of the recipe changed.
        pseudo: A folder of ``lamina pseudo`` for the stages that mix its labels in.
        start: A bundle or run folder for the stages whose start is ``bundle``.
        online: Download published weights that the recipe names and this machine lacks.
        index: File of what is known of the files of the data; None: ``index.jsonl`` in ``out``.
        verify_data: Read all files of the data again, whatever their size and time say.

    Returns:
        Run folder, bundle, and per fold the epoch, score and number of held-out cases.

    Raises:
        RecipeError, DataError, LeakError, BundleError: as their messages say.
        StoppedError: a signal asked to stop; everything is saved.
    """
    begun = time.monotonic()
    data, out = as_path(data, "data"), as_path(out, "out")
    pseudo = None if pseudo is None else as_path(pseudo, "pseudo")
    start = None if start is None else as_path(start, "start")
    at_least(0, workers=workers, save_minutes=save_minutes, max_minutes=max_minutes)
    if recipe.members:
        raise RecipeError(
            f"recipe {recipe.name} is for several members; train it by lamina.train, or one of "
            "them by its recipe.member(name)"
        )
    refuse_launcher()
    where = choose_device(device)
    precision = choose(recipe.precision, where)
    with (
        locked(out),
        keep_log(out),
        own_random_state(where),
        deterministic_algorithms(recipe.deterministic),
        own_accelerator(where, precision) as accelerator,
        downloads(allowed=online),
    ):
        clock = Clock(out, minutes=max_minutes, begun=begun)
        known_files = index_of(
            recipe, out, None if index is None else as_path(index, "index"), verify=verify_data
        )
        opened = open_data(recipe, data, known_files)
        wanted = _wanted(opened, folds)
        record_recipe(out, opened.recipe, resolved_text(recipe), accept_changes=accept_changes)
        files.write_json(out / "env.json", environment(where, precision))
        for line in opened.lines():
            say(line)
        images = kind_of([case.image for case in opened.cases])
        known = record_data(
            out, data, opened.task.names or (), opened.cases, opened.folds, images, known_files
        )
        if opened.quality:
            write_quality(out / QUALITY, opened.quality, {case.id for case in opened.cases})
        labels = open_labels(opened.recipe, pseudo, opened, known, wanted)
        record_labels(out, labels)
        begin = open_start(opened.recipe, start, opened, known, wanted)
        record_start(out, begin)
        weights = trained_files(opened.recipe)
        check_weights(weights, opened, known, wanted)
        earlier = record_weights(out, opened.recipe, weights, known) | begin.known(known)
        opened = opened.prepared(out)
        behind = {**labels.known(known), **earlier}
        write_prepared(out, opened.recipe, behind)
        keep_memory()
        say(f"device {where}, {str(precision or torch.float32).removeprefix('torch.')}")
        if line := too_many_workers(workers):
            say(line)
        stop = Stop()
        with stop.listening(), tracker(accelerator, track, out, recipe) as report:
            make = _job_maker(
                opened, labels, begin, out, accelerator, precision, workers, stop, report, clock
            )
            if clock.limit is not None:
                say(clock.said(len(wanted)))
            rows = [
                _one_fold(make(fold, len(wanted) - at), fold, save_minutes)
                for at, fold in enumerate(wanted)
            ]
            clock.note()
        shutil.rmtree(out / UNPACKED, ignore_errors=True)
        bundle = _bundle(opened, out, {**known, **behind}, images)
        _keep_tuned(out, bundle).save(out / BUNDLE)
        return TrainResult(
            run=out,
            bundle=out / BUNDLE,
            recipe_digest=opened.recipe.digest(),
            folds=tuple(rows),
            seconds=round(time.monotonic() - begun, 1),
        )


def _wanted(opened: OpenedData, folds: Sequence[int] | None) -> list[int]:
    if folds is None:
        return opened.numbers
    strange = sorted(set(folds) - set(opened.numbers))
    if strange and not opened.holds_out:
        raise RecipeError(
            f"--folds names {strange}, and the split holds nothing out; leave --folds out, or set "
            "split.count to 2 or more"
        )
    if strange:
        raise RecipeError(f"--folds names {strange}; the split has folds {opened.numbers}")
    return sorted(set(folds))


def _job_maker(
    opened: OpenedData,
    labels: Labels,
    start: Start,
    out: Path,
    accelerator: Accelerator,
    precision: torch.dtype | None,
    workers: int | None,
    stop: Stop,
    track: Callable[[dict[str, float], int], None],
    clock: Clock,
) -> Callable[[int, int], FoldContext]:
    recipe = opened.recipe

    def make(fold: int, folds_left: int) -> FoldContext:
        training = recipe.frame.planes(opened.training(fold))
        return FoldContext(
            recipe=recipe,
            task=opened.task,
            folder=out / fold_name(fold),
            title=_title(fold),
            cases=training,
            held_out=opened.held_out(fold),
            normalise=_normalise(opened, out / fold_name(fold), fold),
            accelerator=accelerator,
            precision=precision,
            workers=default_workers(accelerator.device) if workers is None else workers,
            stop=stop,
            track=track,
            made=labels.of(fold),
            origin=start.of(fold),
            losses=weighed(recipe, opened.task, opened.training(fold), out, _title(fold)),
            clock=clock,
            folds_left=folds_left,
        )

    return make


def _title(fold: int) -> str:
    return f"fold {fold}" if fold >= 0 else "all cases"


def _normalise(opened: OpenedData, folder: Path, fold: int) -> AnyNormalise:
    """Fit the normalisation to the training cases of the fold and write it down."""
    fitted = opened.recipe.frame.fit(opened.training(fold))
    files.write_json(folder / "normalise.json", fitted.model_dump(mode="json"))
    return fitted


def _one_fold(job: FoldContext, fold: int, save_minutes: float) -> FoldResult:
    done = job.folder / "member.json"
    trained = train_fold(job, save_seconds=save_minutes * 60)
    score = predict_held_out(job, trained) if job.held_out else None
    if score is None:
        say(f"{job.title}: trained; no case is held out, so there is no held-out score")
    members = tuple(
        TrainedMember(
            name=name,
            member=f"{kept.stage}/{kept.file}",
            sha256=kept.sha256,
            stage=kept.stage,
            epoch=kept.epoch,
            score=kept.score,
        )
        for name, kept in trained.members
    )
    result = FoldResult(
        fold=fold,
        members=members,
        out_of_fold=score,
        cases=len(job.held_out),
        skipped=trained.skipped,
        normalise=job.normalise,
        limited=trained.limited,
    )
    files.write_json(done, result.to_dict())
    return result


def _keep_tuned(out: Path, bundle: Bundle) -> Bundle:
    """Return the bundle with what ``lamina tune`` found for these very members, or forget it."""
    try:
        earlier = Bundle.load(out / BUNDLE, verify=False)
    except BundleError:  # none yet, or damaged and about to be written anew
        earlier = None
    if earlier is not None and earlier.weights_digest() == bundle.digest():
        return replace(bundle, index=earlier.index)
    if (out / TUNED).is_file():
        (out / TUNED).unlink()
        say(
            f"decision not tuned: {out} has other members now, and the decision tuned for the "
            f"earlier ones was dropped; run `lamina tune {out}` again"
        )
    return bundle


def _bundle(
    opened: OpenedData, out: Path, known: dict[str, dict[str, Any]], images: ImageKind | None
) -> Bundle:
    """Gather the members of every finished fold."""
    members, scores = [], {}
    for fold in opened.numbers:
        folder = out / fold_name(fold)
        record = folder / "member.json"
        if not record.is_file():
            continue
        fold_row = files.read_object(record, "normalise")
        normalise: AnyNormalise = TypeAdapter(AnyNormalise).validate_python(fold_row["normalise"])
        for row in members_of(folder):
            members.append(
                MemberWeights(
                    name=row["name"],
                    weights=load_file(folder / row["member"]),
                    fold=fold,
                    stage=row["stage"],
                    score=row["score"],
                    normalise=normalise,
                )
            )
            scores[row["name"]] = row["score"]
    cases = {name: KnownCase.model_validate(row) for name, row in known.items()}
    return Bundle.make(
        opened.recipe, members, cases=cases, scores={"monitor": scores}, images=images
    )
