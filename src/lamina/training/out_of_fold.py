"""What a fold's members answer on the cases it never saw, stored like any prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

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
    ranks = job.ranks
    held_out = job.recipe.asked(job.held_out)
    opened: list[Predictions] = []  # only the main rank writes

    def open_folder() -> list[int]:
        folder, info = job.folder / OUT_OF_FOLD, _info(job, trained, held_out)
        before = _earlier(folder)
        other = before is not None and before.plan() != info.plan()
        opened.append(Predictions.create(folder, info, overwrite=other))
        return [at for at, one in enumerate(held_out) if not opened[0].finished(one.id)]

    remaining = ranks.on_main(open_folder)
    if remaining:
        _predict_remaining(job, trained, [held_out[at] for at in remaining], opened)
    return ranks.on_main(lambda: _score(job, held_out, opened[0]))


def _score(job: FoldContext, held_out: Sequence[Case], predictions: Predictions) -> float:
    trial = Trial(job.recipe, job.task, baseline=True)
    with Bar(f"{job.title} held-out scores", len(held_out)) as bar:
        for case in held_out:
            trial.add(case, predictions.prob(case.id))
            bar.advance()
    score, metric = trial.result().value, job.recipe.monitor
    words = [f"{job.title} out of fold  {metric.kind} {score:.4f}", trial.verdict()]
    say("  ".join(word for word in words if word))
    return score


def _predict_remaining(
    job: FoldContext,
    trained: FoldMembers,
    cases: Sequence[Case],
    opened: Sequence[Predictions],
) -> None:
    """Predict cases in rounds of one for each rank; the main rank writes every answer.

    Cases that are too large for the memory go straight to their store, on the main rank alone.
    """
    ranks = job.ranks
    weights = ranks.on_main(lambda: [load_file(trained.path(kept)) for _, kept in trained.members])
    members = [
        _member(job, kept, own) for (_, kept), own in zip(trained.members, weights, strict=True)
    ]
    banded = ranks.on_main(lambda: [opened[0].case(case.id).banded for case in cases])
    whole = [case for case, large in zip(cases, banded, strict=True) if not large]
    device, precision = job.accelerator.device, job.precision
    with Bar(f"{job.title} held-out cases", len(cases)) as bar:
        for case, large in zip(cases, banded, strict=True):
            if large and ranks.is_main:
                place = opened[0].place(case.id)
                stream_case(
                    case, members, job.recipe, place=place, device=device, precision=precision
                )
                opened[0].finish(case.id)
                bar.advance()
        for first in range(0, len(whole), ranks.size):
            turn = whole[first : first + ranks.size]
            answer = None
            if ranks.rank < len(turn):
                answer = predict_case(
                    turn[ranks.rank], members, job.recipe, device=device, precision=precision
                )
            for case, prob in zip(turn, ranks.gather_on_main(answer), strict=False):
                if prob is not None:
                    opened[0].add(case.id, prob)
            bar.advance(len(turn))


def _earlier(folder: Path) -> Info | None:
    return Predictions.open(folder).info if (folder / HEADER).is_file() else None


def _member(job: FoldContext, kept: KeptCheckpoint, weights: Mapping[str, Tensor]) -> Member:
    recipe = job.recipe.at(kept.stage)
    option = recipe.network.untrained()
    network = option.build(recipe.frame.inputs, job.task.outputs)
    network.load_state_dict(dict(weights))
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
        sha256=source_digest(case.files, job.digests),
        axes=case.image.axes,
        shape=case.image.shape,
        **place_of(case.image),
        members=tuple(name for name, _ in trained.members),
        banded=can_stream(case.image.shape, frames, job.task.outputs),
        offset=offset,
        span=span,
        known="held_out",
    )
