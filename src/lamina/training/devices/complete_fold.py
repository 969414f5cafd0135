"""One fold from its first stage to its held-out predictions and its result."""

from __future__ import annotations

from lamina import files
from lamina.progress import say
from lamina.training.fold import train_fold
from lamina.training.out_of_fold import predict_held_out
from lamina.training.saving.state import Saving
from lamina.training.sources.prepared_run import RESULT
from lamina.training.stage.context import FoldContext
from lamina.training.train_result import FoldResult, TrainedMember


def complete_fold(job: FoldContext, number: int, saving: Saving) -> FoldResult:
    """Train fold ``number``, predict what it holds out, and write and return its result."""
    trained = train_fold(job, saving)
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
        fold=number,
        members=members,
        out_of_fold=score,
        cases=len(job.held_out),
        skipped=trained.skipped,
        normalise=job.normalise,
        limited=trained.limited,
    )
    if job.ranks.is_main:
        files.write_json(job.folder / RESULT, result.to_dict())
    return result
