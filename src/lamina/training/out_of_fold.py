"""What a fold's members answer on the cases it never saw, stored like any prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file

import lamina
from lamina.bundle import versions
from lamina.data.case import Case
from lamina.folders import OUT_OF_FOLD
from lamina.model.memory_layout import lay_out
from lamina.prediction.engine import Member, can_stream, predict_case, stream_case
from lamina.prediction.folder.manifest import place_of
from lamina.prediction.folder.predictions import (
    HEADER,
    Info,
    PredictedCase,
    Predictions,
    source_digest,
)
from lamina.progress import Bar, say
from lamina.training.fold import FoldMembers
from lamina.training.saving.state import KeptCheckpoint
from lamina.training.stage.context import FoldContext
from lamina.training.stage.validate import Trial


def predict_held_out(job: FoldContext, trained: FoldMembers) -> float:
    """Predict the held-out cases with all views into ``oof``; return the monitored metric.

    Cases that an interrupted run finished with the same weights are not predicted again.

    Raises:
        DataError: a case cannot be read.
    """
    folder = job.folder / OUT_OF_FOLD
    held_out = job.recipe.asked(job.held_out)
    info = _info(job, trained, held_out)
    before = _earlier(folder)
    predictions = Predictions.create(
        folder, info, overwrite=before is not None and before.plan() != info.plan()
    )
    members: list[Member] = []
    trial = Trial(job.recipe, job.task, baseline=True)
    with Bar(f"{job.title} held-out cases", len(held_out)) as bar:
        for case in held_out:
            if not predictions.finished(case.id):
                members = members or [_member(job, trained, kept) for _, kept in trained.members]
                _predict(job, case, members, predictions)
            trial.add(case, predictions.prob(case.id))
            bar.advance()
    score, metric = trial.result().value, job.recipe.monitor
    words = [f"{job.title} out of fold  {metric.kind} {score:.4f}", trial.verdict()]
    say("  ".join(word for word in words if word))
    return score


def _predict(
    job: FoldContext, case: Case, members: Sequence[Member], predictions: Predictions
) -> None:
    device, precision = job.accelerator.device, job.precision
    if predictions.case(case.id).banded:
        place = predictions.place(case.id)
        stream_case(case, members, job.recipe, place=place, device=device, precision=precision)
        predictions.finish(case.id)
        return
    answer = predict_case(case, members, job.recipe, device=device, precision=precision)
    predictions.add(case.id, answer)


def _earlier(folder: Path) -> Info | None:
    return Predictions.open(folder).info if (folder / HEADER).is_file() else None


def _member(job: FoldContext, trained: FoldMembers, kept: KeptCheckpoint) -> Member:
    recipe = job.recipe.at(kept.stage)
    option = recipe.network.untrained()
    network = option.build(recipe.frame.inputs, job.task.outputs)
    network.load_state_dict(load_file(trained.path(kept)))
    lay_out(network.eval().to(job.accelerator.device))
    return Member(network, job.normalise, frame=recipe.frame, tile=recipe.tile)


def _info(job: FoldContext, trained: FoldMembers, cases: Sequence[Case]) -> Info:
    recipe = job.recipe
    return Info(
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        bundles=tuple(kept.sha256 for _, kept in trained.members),
        members="out_of_fold",
        predict=recipe.predict,
        tile=recipe.tile,
        precision=str(job.precision or torch.float32).removeprefix("torch."),
        device=job.accelerator.device.type,
        versions=versions(),
        decision=recipe.decide,
        cases=tuple(_case(job, trained, case) for case in cases),
    )


def _case(job: FoldContext, trained: FoldMembers, case: Case) -> PredictedCase:
    offset, span = job.recipe.data.stored(case.image, job.task)
    frames = [job.recipe.at(kept.stage).frame for _, kept in trained.members]
    return PredictedCase(
        id=case.id,
        source=case.image.name,
        sha256=source_digest(case.files),
        axes=case.image.axes,
        shape=case.image.shape,
        **place_of(case.image),
        members=tuple(name for name, _ in trained.members),
        banded=can_stream(case.image.shape, frames, job.task.outputs),
        offset=offset,
        span=span,
        known="held_out",
    )
