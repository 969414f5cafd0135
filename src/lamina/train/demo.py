"""The main job on data made on the spot: every verb once, in order."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamina import files
from lamina.errors import RecipeError
from lamina.predict.run import predict
from lamina.predict.score import score, table
from lamina.predict.submit import submit
from lamina.progress import say
from lamina.recipe.load import load_recipe
from lamina.report.page import report
from lamina.synth.steel import write_severstal
from lamina.train.search import tune
from lamina.train.stages import BUNDLE, train


@dataclass(frozen=True)
class Size:
    """How much a demo does."""

    training: int
    """Strips to train and tune on."""
    unseen: int
    """Strips to predict."""
    shape: tuple[int, int]
    """Rows and columns of a strip."""
    changes: tuple[str, ...]
    """What the demo changes in the recipe."""


def _length(epochs: int, validate_every: int) -> tuple[str, str]:
    return f"stages.main.epochs={epochs}", f"stages.main.validate_every={validate_every}"


SMALL = ("split.count=2", "frame.size=[128,192]", "stages.main.optimizer.lr=1e-3")
FULL = Size(240, 120, (128, 800), (*SMALL, *_length(70, 35)))
QUICK = Size(90, 45, (128, 400), (*SMALL, *_length(30, 15), "predict.views=as_is"))
SEED = 7


def demo(job: str, out: Path, *, quick: bool = False) -> dict[str, Any]:
    """Make data, train two folds, tune, predict unseen strips, score, submit and report.

    An interrupted demo goes on where it stopped.

    Args:
        job: ``steel``.
        out: The folder to work in.
        quick: Less data and fewer epochs.

    Returns:
        Score of the unseen part beside predicting nothing, the files written, and seconds.

    Raises:
        RecipeError: there is no such job, or ``out`` holds a demo of the other size.
    """
    if job != "steel":
        raise RecipeError(f"there is no demo '{job}'; there is: steel")
    begun = time.monotonic()
    size = QUICK if quick else FULL
    known, unseen, run, pred = (out / name for name in ("known", "unseen", "run", "pred"))
    _make_data(out, size, quick=quick)
    _say("train", f"steel-laptop --data {known} --out {run} -s {' -s '.join(size.changes)}")
    train(load_recipe("steel-laptop", size.changes), data=known, out=run)
    _say("tune", f"{run}")
    tune(run)
    _say("predict", f"{run / BUNDLE} {unseen / 'train_images'} --out {pred}")
    predict([run / BUNDLE], [unseen / "train_images"], pred)
    _say("score", f"{pred} {unseen}")
    found = score(pred, unseen)
    csv = out / "submission.csv"
    _say("submit", f"{pred} --format severstal --out {csv}")
    rows = submit(pred, csv, format="severstal")["rows"]
    _say("report", f"{run}")
    page = report(run)
    seconds = time.monotonic() - begun
    lines = [
        table(found),
        "",
        f"score on unseen strips {found['value']:.4f}; "
        f"predicting nothing {found['baseline_empty']:.4f}",
        f"submission {csv} ({rows} rows)",
        f"report {page}",
        f"{seconds:.0f} s",
    ]
    return {
        "job": job,
        "score": found,
        "submission": str(csv),
        "report": str(page),
        "seconds": round(seconds, 1),
        "summary": "\n".join(lines),
    }


def _make_data(out: Path, size: Size, *, quick: bool) -> None:
    mark = out / "demo.json"
    wish = {"job": "steel", "quick": quick}
    if mark.is_file():
        if files.read_json(mark) != wish:
            raise RecipeError(f"{out}: holds a demo of another size; choose another --out")
        return
    say(f"making {size.training} + {size.unseen} steel-like strips of {size.shape} in {out}")
    write_severstal(out / "known", count=size.training, seed=SEED, shape=size.shape)
    write_severstal(
        out / "unseen", count=size.unseen, seed=SEED, shape=size.shape, first=size.training
    )
    files.write_json(mark, wish)


def _say(verb: str, words: str) -> None:
    say(f"\n$ lamina {verb} {words}")
