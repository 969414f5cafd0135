"""Everything that decides a result, in one checked value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from lamina.data.case import Case
from lamina.data.catalogs import AnyCatalog
from lamina.data.network_input.frame import Frame, Share, Size
from lamina.data.splits import AnySplit, Folds
from lamina.data.transforms import AnyTransform
from lamina.errors import RecipeError
from lamina.geometry.tiling.window import Window
from lamina.geometry.view import Views
from lamina.model.losses import AnyLoss
from lamina.model.metrics import AnyMetric, DiceScore
from lamina.model.networks import AnyNetwork
from lamina.recipe.checks.mixing import check_mixing
from lamina.recipe.checks.sizes import check_axes, check_sizes
from lamina.recipe.stage import Stage
from lamina.recipe.variant import Variant
from lamina.result.calibration import Method
from lamina.result.decisions import AnyDecision, Expected, Threshold
from lamina.result.submissions import AnySubmission
from lamina.spec import ADDED_LATER, Spec
from lamina.task import Aim, Task

Level = Literal["logit", "probability"]

Pool = Literal["logit", "probability", "root_mean_square", "cubic"]


class MeanOf(Spec):
    """What is averaged at each level, from the innermost out."""

    views: Level = "probability"
    """Between the views of one tile."""

    tiles: Level = "probability"
    """Between overlapping tiles."""

    members: Pool = "probability"  # STEEL-24
    """Between the members of an ensemble: logits, probabilities, or the root of the mean square
    or third power of probabilities, which favours confident members."""

    axes: Level = "probability"  # FAULT-14
    """Between the axes that a volume is cut across; with logit at all levels the result is
    the mean of all logits."""

    @model_validator(mode="after")
    def _probabilities_stay_probabilities(self) -> Self:
        members = "logit" if self.members == "logit" else "probability"
        order = (self.views, self.tiles, members, self.axes)
        if list(order) != sorted(order):  # "logit" sorts before "probability"
            raise ValueError(
                f"means are taken views, tiles, members, axes; {order} would turn probabilities "
                "back into logits: once 'probability', the outer levels must be too"
            )
        return self


class Predict(Spec):
    """How images of any size are predicted: tiles, views and what is averaged."""

    tile: Size | None = None
    """Rows and columns of a tile, or z, y and x as in frame.size; null: the training size."""

    overlap: Share | tuple[Share, ...] = 0.5
    """Overlap of neighbouring tiles, as a share of the tile; one number, or one for each axis."""

    window: Window = "gaussian"
    """Weights with which overlapping tiles are blended."""

    views: Views = "as_is"
    """Test-time augmentation: mirrored and rotated views whose predictions are averaged."""

    mean_of: MeanOf = MeanOf()
    """Average logits or probabilities at each level."""

    border_tiles: Literal["moved", "beyond"] = "moved"  # INK-22
    """Last tiles of a row or column: moved back to end at the border, or beyond it by whole steps,
    padded with 0."""

    only_valid: bool = False  # INK-22, INK-23
    """Predict only the valid area of images that have one, such as the mask of a fragment. Tiles
    without a valid pixel are skipped; predictions are 0 elsewhere."""

    rounding: Literal["none", "uint8"] = "none"  # INK-26
    """uint8: round probabilities of each member down to multiples of 1/255 before averaging."""

    slices: tuple[Share, ...] = ()  # NOISE-17
    """Predict only these slices of volumes along each axis of frame.slices, each an image of its
    own answered by its own axis, at shares of the length such as 0.25; none: whole
    volumes."""

    batch: int | None = Field(default=None, ge=1)
    """Tiles per forward pass; null: as many as the memory allows, up to 8."""

    def overlaps(self, axes: int) -> tuple[float, ...]:
        """Return the overlap along each of so many axes."""
        return self.overlap if isinstance(self.overlap, tuple) else (self.overlap,) * axes

    @model_validator(mode="after")
    def _probabilities_are_rounded(self) -> Self:
        if self.rounding != "none" and self.mean_of.members == "logit":
            raise ValueError(
                f"predict.rounding is {self.rounding}, which cuts probabilities, and "
                "predict.mean_of.members is logit; set one of the two aside"
            )
        return self


class Recipe(Spec):
    """Everything that decides a result; a recipe says what, never where."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """What the job is called."""

    seed: int = Field(default=42, ge=0, lt=2**63)
    """Every random draw follows from it."""

    deterministic: bool = False
    """Same inputs, same bytes on the same machine, at some cost of speed."""

    precision: Literal["auto", "float32", "tf32", "bfloat16", "float16"] = "auto"
    """Number type of the forward pass; auto: bfloat16 where the processor or GPU is fast at it.
    float32 is so on GPUs, too; tf32 lets them round the factors of products to 10 bits."""

    task: Task = Task()
    """What is predicted for each pixel."""

    data: AnyCatalog
    """Where cases come from, below the folder given by --data."""

    split: AnySplit = Folds()
    """Which cases are held out in which fold."""

    frame: Frame = Frame()
    """How a region becomes what the network sees."""

    transforms: tuple[AnyTransform, ...] = ()
    """Random changes of training samples, in order."""

    network: AnyNetwork
    """The network of every member."""

    loss: tuple[AnyLoss, ...] = Field(min_length=1)
    """Terms of the loss; each has its weight."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)  # STEEL-12
    """Share e by which targets leave 0 and 1 in every part: t becomes e + (1 - 2e) t."""

    loss_floor: float = Field(default=0.0, ge=0)  # SIIM-13: 1e-5
    """Minimum of the weighted sum of all parts; gradients are zero below this loss. 0: none."""

    stages: tuple[Stage, ...] = Field(min_length=1)
    """Stages of training, in order."""

    members: tuple[Variant, ...] = ()  # FAULT-7
    """Different networks to train on the same folds and to join as one ensemble; none:
    the recipe's own network only."""

    monitor: AnyMetric = DiceScore(over="pooled")
    """Metric that chooses the best epoch, on whole held-out cases."""

    judge: tuple[AnyDecision, ...] = ()  # SIIM-24, SIIM-25
    """Decisions that the monitor is tried with; the best of their scores counts.
    None: a threshold of 0.5, the most probable class, or the values of restore."""

    predict: Predict = Predict()
    """How members predict an image of any size."""

    metric: AnyMetric = DiceScore()
    """The score that is tuned and reported."""

    calibrate: Annotated[Method, ADDED_LATER] = "none"
    """Calibration of probabilities, fitted by `lamina tune` on out-of-fold predictions, class by
    class, and kept where it helps on groups left out: it undoes oversampling and overconfidence.
    platt: slope and shift of the logit; isotonic: a curve, with 30 groups and 10 images of the
    class at least."""

    decide: AnyDecision = Threshold()
    """The decision: from probabilities to masks; `lamina tune` sets its numbers."""

    submit: AnySubmission | None = None
    """Format of the submission; null: named on the command line."""

    @field_validator("stages")
    @classmethod
    def _stages_have_different_names(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        names = [stage.name for stage in stages]
        if len(set(names)) != len(names):
            raise ValueError(f"stages need different names, not {names}")
        return stages

    @model_validator(mode="after")
    def _stages_start_from_earlier_ones(self) -> Self:
        done: list[str] = []
        for stage in self.stages:
            known = [*done, "bundle", *(["best"] if done else [])]
            if stage.start is not None and stage.start not in known:
                raise ValueError(
                    f"stage '{stage.name}' starts from '{stage.start}', which is not an earlier "
                    f"stage; earlier are: {', '.join(done) or 'none'}"
                )
            if stage.carry_best and not done:
                raise ValueError(
                    f"stage '{stage.name}' is the first and has no best to carry; leave carry_best "
                    "out"
                )
            done.append(stage.name)
        return self

    @model_validator(mode="after")
    def _metrics_suit_the_task(self) -> Self:
        # a metric may leave to the task whether its first class counts; here it is said
        for name in ("monitor", "metric"):
            object.__setattr__(self, name, getattr(self, name).suited(self.task))
        return self

    @model_validator(mode="after")
    def _calibration_is_for_probabilities(self) -> Self:
        if self.calibrate != "none" and self.task.kind == "restore":
            raise ValueError(
                f"calibrate is {self.calibrate}, which is for probabilities, and task.kind is "
                "restore; set it to none"
            )
        return self

    @model_validator(mode="after")
    def _decision_suits_metric_and_task(self) -> Self:
        if isinstance(self.decide, Expected) and self.task.kind != "restore":
            try:
                aim = self.metric.aim(self.outputs)
            except RecipeError:  # no decision changes the metric: Dice
                aim = Aim()
            decide = self.decide.suited(aim, exclusive=self.task.exclusive)
            object.__setattr__(self, "decide", decide)
        return self

    @model_validator(mode="after")
    def _smoothing_suits_task_and_losses(self) -> Self:
        if not self.label_smoothing:
            return self
        if self.task.kind not in ("binary", "multilabel"):
            raise ValueError(
                f"label_smoothing is {self.label_smoothing}, for targets of 0 and 1, and task.kind "
                f"is {self.task.kind}; set it to 0 (cross_entropy has a smoothing of its own)"
            )
        for loss in self.loss:
            if getattr(loss, "absent", "count") != "count":
                raise ValueError(
                    f"label_smoothing is {self.label_smoothing}, which leaves no class absent, but "
                    f"the loss {loss.kind} has a rule for absent ones; set one of the two aside"
                )
        return self

    @model_validator(mode="after")
    def _sizes_suit_frame_and_network(self) -> Self:
        check_axes(self)
        # what follows from the size of a sample stands in the recipe, whatever stages change
        seen = self.frame.size[::-1] if self.frame.turn % 2 else self.frame.size
        object.__setattr__(self, "network", self.network.suited(seen, self.frame.spacing))
        check_sizes(self)
        return self

    @model_validator(mode="after")
    def _noise_and_ranges_are_for_values(self) -> Self:
        network = self.network
        odd = {"residual": network.residual, "activation": network.activation != "identity"}
        for key, says in odd.items():
            if says and self.task.kind != "restore":
                value = str(getattr(network, key)).lower()
                raise ValueError(
                    f"network.{key} is {value}, for a restore task, and task.kind is "
                    f"{self.task.kind}; set it to {'false' if key == 'residual' else 'identity'}"
                )
        return self

    @model_validator(mode="after")
    def _mixing_suits_the_task(self) -> Self:
        check_mixing(self)
        return self

    @model_validator(mode="after")
    def _what_is_said_of_an_encoder_has_one(self) -> Self:
        if self.network.encoded:
            return self
        for stage in self.stages:
            said = {
                "freeze_encoder": stage.freeze_encoder or None,
                "optimizer.encoder_lr": stage.optimizer.encoder_lr,
                "optimizer.encoder_weight_decay": stage.optimizer.encoder_weight_decay,
            }
            for key, value in said.items():
                if value is not None:
                    raise ValueError(
                        f"stages.{stage.name}.{key} is {value}, but {self.network.kind} has no "
                        "encoder; leave it out"
                    )
        return self

    @model_validator(mode="after")
    def _powers_are_for_probabilities(self) -> Self:
        members = self.predict.mean_of.members
        if self.task.kind == "restore" and members in ("root_mean_square", "cubic"):
            raise ValueError(
                f"predict.mean_of.members is {members}, which is for probabilities; a restore "
                "task has values, set it to probability"
            )
        if self.task.kind == "restore" and self.predict.rounding != "none":
            raise ValueError(
                f"predict.rounding is {self.predict.rounding}, which cuts probabilities; a restore "
                "task has values, set it to none"
            )
        if self.predict.only_valid and self.frame.slices is not None:
            raise ValueError(
                "predict.only_valid is for images, and frame.slices cuts volumes; leave one out"
            )
        return self

    @model_validator(mode="after")
    def _members_are_recipes(self) -> Self:
        names = [member.name for member in self.members]
        if len(set(names)) != len(names):
            raise ValueError(f"members need different names, not {names}")
        for name in names:
            try:
                self.member(name)
            except ValidationError as error:
                why = "; ".join(one["msg"].removeprefix("Value error, ") for one in error.errors())
                raise ValueError(f"member '{name}': {why}") from None
        return self

    def member(self, name: str) -> Recipe:
        """Return the recipe that trains the member of that name alone.

        Raises:
            KeyError: there is no such member.
        """
        found = {member.name: member for member in self.members}[name]
        changes = {key: getattr(found, key) for key in type(found).model_fields if key != "name"}
        own = {key: value for key, value in changes.items() if value is not None}
        return Recipe.model_validate(
            {key: getattr(self, key) for key in type(self).model_fields} | own | {"members": ()}
        )

    @property
    def outputs(self) -> int:
        """Channels of the answer as far as the recipe says.

        Those named; else, where a network answers what remains of its input, its channels; else 1.
        """
        if self.task.names is not None:
            return len(self.task.names)
        return self.frame.inputs if self.network.residual else 1

    @property
    def tile(self) -> tuple[int, ...]:
        """Sides of a tile in prediction: rows and columns, or z, y and x."""
        return self.predict.tile or self.frame.size

    def asked(self, cases: Sequence[Case]) -> list[Case]:
        """Return what is predicted of cases: them, or the slices that ``predict`` names."""
        return self.frame.chosen(cases, self.predict.slices)

    def at(self, stage: str) -> Recipe:
        """Return the recipe as it is in the stage of that name: ``resize`` and ``size`` are its.

        A name that no stage has leaves the recipe as it is.
        """
        for one in self.stages:
            if one.name == stage:
                changes = {"resize": one.resize, "size": one.size}
                update = {key: value for key, value in changes.items() if value is not None}
                return self.model_copy(update={"frame": self.frame.model_copy(update=update)})
        return self

    def digest(self) -> str:
        """Return the SHA-256 of the recipe's canonical JSON; equal recipes have equal digests."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
