"""The main job on data made on the spot: every verb once, in order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lamina import files
from lamina.demo.jobs import JOBS, Job, Size
from lamina.errors import RecipeError
from lamina.evaluation.score import ScoreResult, score, table
from lamina.folders import BUNDLE
from lamina.model.metrics import Psnr
from lamina.outputs.submit import submit
from lamina.prediction.run import predict
from lamina.progress import say
from lamina.public import StrPath, VerbResult, as_path
from lamina.recipe.load import load_recipe
from lamina.reporting.page import report
from lamina.training.run import train
from lamina.tuning.tune import tune

SEED = 7


@dataclass(frozen=True)
class DemoResult(VerbResult):
    """What the demo came to."""

    job: str
    """Which job it was."""
    score: ScoreResult
    """The score on the unseen images."""
    decisions: Mapping[str, float]
    """The score by each kind of decision, where several are compared."""
    without: Mapping[str, float]
    """The score of a run without a step, by the change that leaves it out."""
    submission: Path
    """The submission."""
    report: Path
    """The page about the run."""
    seconds: float
    """Time that the call took."""
    summary: str
    """All of it in words."""


def demo(job: str, out: StrPath, *, quick: bool = False) -> DemoResult:
    """Make data, train two folds, tune, predict unseen images, score, submit and report.

    An interrupted demo goes on where it stopped.

    Args:
        job: ``steel``; ``xray``, which also compares three decisions on the unseen images; or
            ``faults``, in volumes; ``denoise``, slices of volumes restored; or ``ink``, in
            fragments of a scroll, with their layers aligned and, unless ``quick``, without.
        out: The folder to work in.
        quick: Less data and fewer epochs.

    Returns:
        The score on unseen images beside predicting nothing, and the files written.

    Raises:
        RecipeError: there is no such job, or ``out`` holds another demo.
    """
    out = as_path(out, "out")
    if job not in JOBS:
        raise RecipeError(f"there is no demo '{job}'; there are: {', '.join(JOBS)}")
    begun, one = time.monotonic(), JOBS[job]
    size = one.quick if quick else one.full
    run = out / "run"
    _make_data(out, job, size, quick=quick)
    _train(one, out, "run", size.changes)
    scores = {kind: _judge(one, out, kind) for kind in one.decisions or (None,)}
    found = list(scores.values())[-1]
    handed = out / one.submission
    _say("submit", f"{out / 'pred'} --format {one.format} --out {handed}")
    rows = submit(out / "pred", handed, format=one.format).rows
    _say("report", f"{run}")
    page = report(run).report
    plain = _without(one, out, size)
    seconds = time.monotonic() - begun
    lines = [
        table(found),
        "",
        *(f"decided by {kind}: {one.value:.4f}" for kind, one in scores.items() if kind),
        *_against(one, out, found),
        *(f"with {change} {value:.4f}" for change, value in plain.items()),
        f"submission {handed} ({rows} rows)",
        f"report {page}",
        f"{seconds:.0f} s",
    ]
    return DemoResult(
        job=job,
        score=found,
        decisions={kind: one.value for kind, one in scores.items() if kind},
        without=plain,
        submission=handed,
        report=page,
        seconds=round(seconds, 1),
        summary="\n".join(lines),
    )


def _against(job: Job, out: Path, found: ScoreResult) -> list[str]:
    """Say what the score is to be compared with."""
    if found.baseline_empty is not None:
        nothing = f"all-empty baseline {found.baseline_empty:.4f}"
        return [f"score on unseen images {found.value:.4f}; {nothing}"]
    psnr = score(out / "pred", out / "unseen", metric=Psnr())
    return [
        f"SSIM of unseen slices {found.value:.4f}; as they came {found.baseline_input:.4f}",
        f"PSNR of unseen slices {psnr.value:.2f} dB; as they came {psnr.baseline_input:.2f} dB",
    ]


def _train(job: Job, out: Path, name: str, changes: tuple[str, ...]) -> None:
    known, run = out / "known", out / name
    _say("train", f"{job.recipe} --data {known} --out {run} -s {' -s '.join(changes)}")
    train(load_recipe(job.recipe, changes), data=known, out=run)


def _without(job: Job, out: Path, size: Size) -> dict[str, float]:
    """Return the score of the second run by its changes; nothing where there is none."""
    if not size.without:
        return {}
    _train(job, out, "run-without", (*size.changes, *size.without))
    found = _judge(job, out, None, "run-without", "pred-without")
    return {" ".join(size.without): found.value}


def _judge(
    job: Job, out: Path, decision: str | None, name: str = "run", answers: str = "pred"
) -> ScoreResult:
    """Tune on the known images, if at all; predict the unseen ones, and return their score."""
    run, unseen, pred = out / name, out / "unseen", out / answers
    if job.tuned:
        _say("tune", f"{run}" + (f" --decision {decision}" if decision else ""))
        tune(run, decision=decision)
    _say("predict", f"{run / BUNDLE} {unseen / job.images} --out {pred}")
    predict([run / BUNDLE], [unseen / job.images], pred, overwrite=True)
    _say("score", f"{pred} {unseen}")
    return score(pred, unseen)


def _make_data(out: Path, job: str, size: Size, *, quick: bool) -> None:
    mark = out / "demo.json"
    wish = {"job": job, "quick": quick}
    if mark.is_file():
        if files.read_json(mark) != wish:
            raise RecipeError(f"{out}: holds another demo; choose another --out")
        return
    what, write = JOBS[job].what, JOBS[job].write
    say(f"making {size.training} + {size.unseen} {what} of {size.shape} in {out}")
    options = {"seed": SEED, "shape": size.shape, **size.made}
    write(out / "known", count=size.training, **options)
    write(out / "unseen", count=size.unseen, first=size.training, **options)
    files.write_json(mark, wish)


def _say(verb: str, words: str) -> None:
    say(f"\n$ lamina {verb} {words}")
