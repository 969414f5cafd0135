"""The main job on data made on the spot: every verb once, in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lamina import files
from lamina.errors import RecipeError
from lamina.model.metrics import Psnr
from lamina.predict.run import predict
from lamina.predict.score import score, table
from lamina.predict.submit import submit
from lamina.progress import say
from lamina.recipe.load import load_recipe
from lamina.report.page import report
from lamina.synth.seismic import write_faults, write_pairs
from lamina.synth.steel import write_severstal
from lamina.synth.xray import write_siim
from lamina.train.search import tune
from lamina.train.stages import BUNDLE, train


@dataclass(frozen=True)
class Size:
    """How much a demo does."""

    training: int
    """Images to train and tune on."""
    unseen: int
    """Images to predict."""
    shape: tuple[int, ...]
    """Rows and columns of an image, or the sides of a volume."""
    changes: tuple[str, ...]
    """What the demo changes in the recipe."""
    made: Mapping[str, float] = field(default_factory=dict)
    """Further options of what makes the images."""


@dataclass(frozen=True)
class Job:
    """A demo: what makes its data, the recipe, and what it shows."""

    what: str
    recipe: str
    write: Callable[..., Path]
    images: str
    """Folder of the images that ``write`` makes."""
    format: str
    """Of the submission."""
    full: Size
    quick: Size
    submission: str = "submission.csv"
    """Name of the file to hand in."""
    tuned: bool = True
    """Whether a decision is tuned; values that are restored need none."""
    decisions: tuple[str, ...] = ()
    """Kinds of decision to compare on the unseen images; the last is kept. None: the recipe's."""


def _length(epochs: int, validate_every: int) -> tuple[str, ...]:
    return (
        f"stages.main.epochs={epochs}",
        f"stages.main.validate_every={validate_every}",
        "stages.main.validate_from=0",
    )


_STEEL = ("split.count=2", "frame.size=[128,192]", "stages.main.optimizer.lr=1e-3")
_XRAY = ("split.count=2", 'data={"kind":"csv_rle","dialect":"siim"}', "submit.kind=siim")

_SLICES = "[0.25,0.5,0.75]"
_DENOISE = (
    "split.count=2",
    "data.stretch={to: unit}",
    "data.stretch_target=shared",
    f"frame.slices.judge={_SLICES}",
    f"predict.slices={_SLICES}",
    "metric.trim=false",
)

JOBS = {
    "steel": Job(
        what="steel-like strips",
        recipe="steel-laptop",
        write=write_severstal,
        images="train_images",
        format="severstal",
        full=Size(240, 120, (128, 800), (*_STEEL, *_length(70, 35)), {"contrast": 1.5}),
        quick=Size(
            90,
            45,
            (128, 400),
            (*_STEEL, *_length(36, 36), "predict.views=as_is"),
            {"contrast": 2.0},
        ),
    ),
    "xray": Job(
        what="chest X-rays",
        recipe="xray-laptop",
        write=write_siim,
        images="train",
        format="siim",
        full=Size(240, 160, (256, 256), (*_XRAY, "stages.full.epochs=10")),
        quick=Size(
            80,
            80,
            (128, 128),
            (
                *_XRAY,
                "frame.resize=[128,128]",
                "frame.size=[128,128]",
                "stages.half.epochs=12",
                "stages.full.epochs=2",
            ),
        ),
        decisions=("single", "threshold", "triplet"),
    ),
    "faults": Job(
        what="seismic volumes",
        recipe="faults-laptop",
        write=write_faults,
        images="",
        format="coordinates_npz",
        full=Size(10, 4, (96, 96, 96), ("split.count=2", *_length(16, 8))),
        quick=Size(
            4,
            2,
            (64, 64, 64),
            (
                "split.count=2",
                "frame.size=[64,64]",
                "stages.main.sampler.count=256",
                "predict.views=as_is",
                *_length(8, 8),
            ),
        ),
        submission="submission.npz",
    ),
    "denoise": Job(
        what="pairs of noisy and clean seismic volumes",
        recipe="denoise-laptop",
        write=write_pairs,
        images="",
        format="slices_npz",
        full=Size(
            8,
            3,
            (96, 96, 128),
            (*_DENOISE, "stages.main.sampler.count=512", *_length(12, 6)),
        ),
        quick=Size(
            4,
            2,
            (64, 64, 64),
            (
                *_DENOISE,
                "frame.size=[64,64]",
                "stages.main.sampler.count=192",
                "predict.views=as_is",
                *_length(6, 6),
            ),
        ),
        submission="submission.npz",
        tuned=False,
    ),
}
SEED = 7


def demo(job: str, out: Path, *, quick: bool = False) -> dict[str, Any]:
    """Make data, train two folds, tune, predict unseen images, score, submit and report.

    An interrupted demo goes on where it stopped.

    Args:
        job: ``steel``; ``xray``, which also compares three decisions on the unseen images; or
            ``faults``, in volumes; or ``denoise``, slices of volumes restored.
        out: The folder to work in.
        quick: Less data and fewer epochs.

    Returns:
        Score of the unseen part beside predicting nothing, the files written, and seconds.

    Raises:
        RecipeError: there is no such job, or ``out`` holds another demo.
    """
    if job not in JOBS:
        raise RecipeError(f"there is no demo '{job}'; there are: {', '.join(JOBS)}")
    begun, one = time.monotonic(), JOBS[job]
    size = one.quick if quick else one.full
    known, run = out / "known", out / "run"
    _make_data(out, job, size, quick=quick)
    _say("train", f"{one.recipe} --data {known} --out {run} -s {' -s '.join(size.changes)}")
    train(load_recipe(one.recipe, size.changes), data=known, out=run)
    scores = {kind: _judge(one, out, kind) for kind in one.decisions or (None,)}
    found = list(scores.values())[-1]
    handed = out / one.submission
    _say("submit", f"{out / 'pred'} --format {one.format} --out {handed}")
    rows = submit(out / "pred", handed, format=one.format)["rows"]
    _say("report", f"{run}")
    page = report(run)
    seconds = time.monotonic() - begun
    lines = [
        table(found),
        "",
        *(f"decided by {kind}: {one['value']:.4f}" for kind, one in scores.items() if kind),
        *_against(one, out, found),
        f"submission {handed} ({rows} rows)",
        f"report {page}",
        f"{seconds:.0f} s",
    ]
    return {
        "job": job,
        "score": found,
        "decisions": {kind: one["value"] for kind, one in scores.items() if kind},
        "submission": str(handed),
        "report": str(page),
        "seconds": round(seconds, 1),
        "summary": "\n".join(lines),
    }


def _against(job: Job, out: Path, found: dict[str, Any]) -> list[str]:
    """Say what the score is to be compared with."""
    if found["baseline_empty"] is not None:
        nothing = f"predicting nothing {found['baseline_empty']:.4f}"
        return [f"score on unseen images {found['value']:.4f}; {nothing}"]
    psnr = score(out / "pred", out / "unseen", metric=Psnr())
    return [
        f"SSIM of unseen slices {found['value']:.4f}; as they came {found['baseline_input']:.4f}",
        f"PSNR of unseen slices {psnr['value']:.2f} dB; as they came "
        f"{psnr['baseline_input']:.2f} dB",
    ]


def _judge(job: Job, out: Path, decision: str | None) -> dict[str, Any]:
    """Tune on the known images, if at all; predict the unseen ones, and return their score."""
    run, unseen, pred = out / "run", out / "unseen", out / "pred"
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
