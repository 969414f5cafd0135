"""One stage of training: what it starts from, learns from, and leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lamina.data.case import Case
from lamina.data.mixing import AnyMix
from lamina.data.network_input.frame import Size
from lamina.data.samplers import AnySampler, RandomCrop
from lamina.model.optimization.optimizers import AdamW, AnyOptimizer
from lamina.model.optimization.schedules import AnySchedule, Constant
from lamina.recipe.pseudo_labels import Pseudo
from lamina.spec import ADDED_LATER, Spec

STARTS = ("best", "bundle")
"""Words that ``start`` understands besides the names of earlier stages."""


MOST_EPOCHS = 1_000_000
"""Of a stage."""


class Ema(Spec):  # NOISE-13
    """An exponential moving average of the weights; validation and the member use it.

    It is taken of what is learnt only: batch statistics are those of the newest weights.
    """

    decay: float = Field(default=0.999, gt=0, lt=1)
    """Share of the old average that stays at each optimiser step, or after each epoch."""

    per: Literal["step", "epoch"] = "step"  # NOISE-13: 0.3
    """What ``decay`` is said of. epoch: at each of its n optimiser steps decay^(1/n) stays, so that
    the average reaches as far back for any number of images."""

    warmup: bool = True  # NOISE-13
    """At step n, counted from 1, let no more than (1 + n) / (10 + n) stay."""


class Stage(Spec):
    """A stage of training with an optimiser and schedule of its own. Stages run in order."""

    name: str = Field(default="main", pattern=r"^[a-z][a-z0-9_]*$")
    """What overrides and messages call it."""

    start: str | None = None  # SIIM-18
    """Weights to begin from: an earlier stage by name; ``best``: the best that any earlier stage of
    the fold left; ``bundle``: a member named by ``lamina train --start``; null: the
    network's own."""

    start_with: Annotated[Literal["all", "what_fits", "encoder"], ADDED_LATER] = "all"
    """What of the bundle's member is taken where ``start`` is bundle. all: every tensor, each of
    which must fit; what_fits: those of equal name and shape, as for other classes or channels;
    encoder: of these only those of the encoder. The others are the network's own."""

    carry_best: bool = False  # SIIM-19
    """Begin with the best score of the earlier stages as the one to beat: only a strictly better
    epoch takes its place, else that earlier member stays."""

    parts: tuple[str, ...] | None = Field(default=None, min_length=1)  # SIIM-5
    """Learn only from these parts of the data, such as [main]; second-stage images are the part
    stage_2; null: from all."""

    resize: tuple[int, int] | None = None
    """Rows and columns that whole images are resized to in this stage; null: as the frame says."""

    size: Size | None = None
    """Rows and columns of a training sample in this stage, or z, y and x of a block as in
    frame.size; null: as the frame says."""

    epochs: int = Field(ge=1, le=MOST_EPOCHS)
    """Number of passes over the sampler's draws."""

    batch: int = Field(default=8, ge=1)
    """Samples per forward pass."""

    accumulate: int = Field(default=1, ge=1)  # not FAULT-9
    """Batches per optimiser step; a trailing incomplete group takes a step too."""

    sampler: AnySampler = RandomCrop()
    """Which samples an epoch draws."""

    mix: tuple[AnyMix, ...] = ()
    """Mix the samples of every batch with one another: cutmix, mixup or copy_paste, in order; or
    blind_spots, which mask pixels to learn from noisy images alone."""

    pseudo: Pseudo | None = None
    """Mix in images with labels of `lamina pseudo`; null: only those with labels of their own."""

    optimizer: AnyOptimizer = AdamW()
    """The optimiser."""

    schedule: AnySchedule = Constant()
    """Factor of the learning rate over the stage."""

    clip_norm: float | None = Field(default=None, gt=0)
    """Maximum norm of the gradient over all weights; null: not clipped."""

    ema: Ema | None = None
    """Average the weights over steps; null: do not."""

    compile: Annotated[bool, ADDED_LATER] = False
    """Compile the network by torch for batches of the full size, which takes up to minutes and
    then may be faster; weights, names and predictions are those of the network itself. Where it
    cannot be compiled, training goes on without, and a line says so."""

    freeze_encoder: int = Field(default=0, ge=0)
    """Keep the encoder as it is for this many first epochs."""

    validate_every: int = Field(default=1, ge=1)
    """Validate at every n-th epoch, and always at the last."""

    validate_from: int = Field(default=0, ge=0)
    """First epoch (counted from 0) that may be validated."""

    patience: int | None = Field(default=None, ge=1)
    """Stop after this many validations in a row without a better score; null: never.

    Programs that stop where epoch - best epoch > n stop after n + 1 of them."""

    keep: int = Field(default=1, ge=1)
    """How many best checkpoints stay on disk."""

    keep_last: bool = False  # INK-21
    """Leave the weights of the stage's end as ``last.safetensors`` in its folder too."""

    member: Literal["best", "last", "top", "soup"] = "best"  # SIIM-20, SIIM-27
    """Which weights leave the stage. top: every one of the ``keep`` best is a member, and their
    answers are averaged; soup: the mean of their weights is one member, its
    batch statistics taken anew from one pass over training batches."""

    top_of: Annotated[Literal["stage", "all"], ADDED_LATER] = "stage"  # SIIM-27
    """Which checkpoints are among the ``keep`` best: those of this stage, or also the one that
    ``carry_best`` brings in."""

    @model_validator(mode="after")
    def _pseudo_images_are_mixed_by_source(self) -> Self:
        if self.pseudo is not None and self.sampler.by_source() is None:
            raise ValueError(
                "pseudo mixes batches by source; set sampler.kind to random_crop, or to mixed with "
                "by: source"
            )
        return self

    @model_validator(mode="after")
    def _samples_are_mixed_with_others(self) -> Self:
        if self.batch == 1 and any(one.needs_others for one in self.mix):
            raise ValueError("mix mixes samples of a batch, and batch is 1; set it to 2 or more")
        return self

    @model_validator(mode="after")
    def _names_and_members_make_sense(self) -> Self:
        if self.name in STARTS:
            raise ValueError(f"a stage cannot be called '{self.name}', which start understands")
        if self.carry_best and self.member == "last":
            raise ValueError(
                "carry_best keeps the best weights, and member is last; set it to best"
            )
        if self.start_with != "all" and self.start != "bundle":
            raise ValueError(
                f"start_with is {self.start_with}, which is for weights of a bundle, and start is "
                f"{self.start or 'null'}; set start to bundle, or leave start_with out"
            )
        for key in ("resize", "size"):
            value = getattr(self, key)
            if value is not None and min(value) < 1:
                raise ValueError(f"{key} is {list(value)}; each number must be at least 1")
        return self

    def learns(self, cases: Sequence[Case]) -> list[Case]:
        """Return those cases that belong to ``parts``; a case that says no part is of ``main``."""
        if self.parts is None:
            return list(cases)
        return [case for case in cases if case.part in self.parts]
