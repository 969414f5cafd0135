"""The demos that there are: what makes the data of each, its recipe, and how much it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lamina.synthetic.scroll import write_fragments
from lamina.synthetic.seismic import write_faults, write_pairs
from lamina.synthetic.steel import write_severstal
from lamina.synthetic.xray import write_siim


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
    without: tuple[str, ...] = ()
    """What a second run changes besides, so that its score shows what these changes leave out;
    none: there is no second run."""


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
            ("split.count=2", "stages.main.sampler.count=512", *_length(12, 6)),
        ),
        quick=Size(
            4,
            2,
            (64, 64, 64),
            (
                "split.count=2",
                "frame.size=[64,64]",
                "stages.main.sampler.count=192",
                "predict.views=as_is",
                *_length(6, 6),
            ),
        ),
        submission="submission.npz",
        tuned=False,
    ),
    "ink": Job(
        what="fragments of a scroll",
        recipe="ink-laptop",
        write=write_fragments,
        images="",
        format="vesuvius",
        full=Size(
            3,
            2,
            (512, 768),
            ("split.count=3", "stages.main.sampler.count=128", *_length(12, 12)),
            without=("data.prepare=null",),
        ),
        quick=Size(
            3,
            1,
            (256, 384),
            ("split.count=2", "stages.main.sampler.count=64", *_length(8, 8)),
            {"contrast": 2.0},
        ),
    ),
}
