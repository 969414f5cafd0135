"""A training that several processes share comes to what one process comes to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import load_file

from lamina.errors import LaminaError, RecipeError, StoppedError
from lamina.files import digest
from lamina.model.losses import AnyLoss
from lamina.prediction.engine import Member
from lamina.training.devices.children.messages import Work
from lamina.training.devices.failures import RankLost
from lamina.training.devices.ranks import ALONE, Ranks
from lamina.training.saving.state import load_state
from lamina.training.stage.steps.step import Step
from lamina.training.stage.validate import Trial, ValidationScores, validate
from tests.factories.discs import discs, quick
from tests.factories.ranks import Team, fold_on, on_ranks, work_of
from tests.factories.training import tiny

pytestmark = pytest.mark.usefixtures("one_thread")

PLAIN = (
    "train.optimizer={kind: sgd, lr: 0.001, momentum: 0}",
    "train.schedule={kind: constant}",
    "train.validate_every=10",
    "train.epochs=10",
)
"""Stochastic gradient descent: Adam would blow rounding up where a gradient is zero."""

FEW = ("train.validate_every=3", "train.epochs=3")


def member(out: Path) -> dict[str, torch.Tensor]:
    """Weights and statistics of the member of fold 0."""
    row = json.loads((out / "fold0" / "member.json").read_text())
    return load_file(out / "fold0" / row["member"])


def check_alike(one: Path, other: Path, *, growth: float = 1.0) -> None:
    """Check that members of two runs differ by rounding alone.

    Weights within 1e-6. Running statistics within 1e-5 of the largest of them: rounding of weights
    in the seventh digit changes activations of all layers, and so their variances, in the sixth.

    Args:
        one: A run folder.
        other: Another one.
        growth: By how much steps have made rounding larger than that.
    """
    weights = [member(out) for out in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    for name, mine in weights[0].items():
        size = float(mine.abs().max()) if "running" in name else 0.1
        found = float((mine.double() - weights[1][name].double()).abs().max())
        assert found <= 1e-5 * size * growth, name


TWENTY = 10.0
"""Growth over twenty steps of small batches with batch norm.

One process whose first weights differ by 6e-8 of themselves, the last bit, is then 2.1e-6 of
weights and 3.5e-5 of statistics apart; the statistics of one rank alone are off by up to a tenth.
"""


def rows_of(out: Path) -> list[dict[str, Any]]:
    lines = (out / "fold0" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def answers(out: Path) -> dict[str, str]:
    found = {path.name: digest(path) for path in out.glob("fold0/oof/probabilities/*.npy")}
    assert found
    return found


EACH_LOSS = (
    "{kind: bce, positive_weight: 2}, {kind: dice}, {kind: dice, over: all, absent: skip}, "
    "{kind: jaccard, over: image}, {kind: dice, over: image_class, absent: skip}, "
    "{kind: dice, over: image, absent: zero}, {kind: focal}, {kind: lovasz}"
)
"""Of masks, all that can be split among ranks."""

LOSSES = {
    "masks": (f"loss=[{EACH_LOSS}]",),
    "classes": (
        "task={kind: multiclass, names: [ground, disc]}",
        "data.labels={0: 0, 255: 1}",
        "decide={kind: argmax}",
        "loss=[{kind: cross_entropy, class_weights: [1, 3]}, {kind: dice}, {kind: focal}]",
    ),
    "values": (
        "task={kind: restore, names: [clean]}",
        "data={kind: corrupt, images: images, noise: [{kind: gaussian, sigma: 25}]}",
        "frame.normalise={kind: fixed, mean: 0, std: 1, scale: 255}",
        "train.sampler={kind: random_crop}",
        "decide={kind: as_is}",
        "monitor={kind: psnr}",
        "metric={kind: psnr}",
        "loss=[{kind: mse}, {kind: l1}, {kind: charbonnier}, {kind: ssim}]",
    ),
}
"""Changes of a recipe to every kind of loss, by what it learns."""

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("accumulate", "ranks", "more"),
    [
        (4, 2, FEW),  # of six batches: two steps of four and two
        pytest.param(5, 2, FEW, marks=SLOW),
        pytest.param(3, 3, FEW, marks=SLOW),
        pytest.param(4, 2, (), marks=SLOW),
        pytest.param(2, 2, (), marks=SLOW),
        pytest.param(3, 2, (), marks=SLOW),  # two batches and one
        pytest.param(5, 2, (), marks=SLOW),
        pytest.param(3, 3, (), marks=SLOW),
        pytest.param(5, 3, (), marks=SLOW),  # the last step has one batch
        pytest.param(2, 2, ("train.batch=3", "train.mix=[{kind: cutmix}]"), marks=SLOW),
        pytest.param(2, 2, ("loss=[{kind: lovasz, over: batch}]",), marks=SLOW),
        pytest.param(2, 2, ("train.freeze_encoder=3",), marks=SLOW),
        pytest.param(2, 2, ("train.ema={decay: 0.9}",), marks=SLOW),
    ],
)
def test_batches_shared_by_ranks_come_to_the_weights_of_one_process(
    tmp_path: Path, accumulate: int, ranks: int, more: tuple[str, ...]
) -> None:
    """Weights and batch statistics, with dropout, after some twenty steps."""
    changes = (*PLAIN, "train.batch=1", f"train.accumulate={accumulate}", "train.ema=null", *more)
    recipe = tiny(tmp_path, *changes)
    alone = fold_on(ALONE, work_of(recipe, tmp_path, tmp_path / "one"))
    work = work_of(recipe, tmp_path, tmp_path / "many")
    shared = on_ranks(ranks, tmp_path, fold_on, work)
    check_alike(tmp_path / "one", tmp_path / "many", growth=1.0 if more == FEW else TWENTY)
    assert all(one.members == shared[0].members for one in shared)
    assert shared[0].out_of_fold == pytest.approx(alone.out_of_fold, abs=1e-3)
    for one, many in zip(rows_of(tmp_path / "one"), rows_of(tmp_path / "many"), strict=True):
        assert (many["step"], many["skipped"]) == (one["step"], one["skipped"])
        assert many["loss"] == pytest.approx(one["loss"], abs=1e-5)


@pytest.mark.slow
def test_a_first_step_of_fewer_batches_than_ranks_is_shared_too(tmp_path: Path) -> None:
    """The main rank has no part in it."""
    changes = ("train.accumulate=2", "train.batch=8", "precision=float32")
    recipe, data = quick(tmp_path, *PLAIN, *FEW, *changes), discs(tmp_path / "data")
    fold_on(ALONE, work_of(recipe, data, tmp_path / "one"))
    on_ranks(2, tmp_path, fold_on, work_of(recipe, data, tmp_path / "many"))
    check_alike(tmp_path / "one", tmp_path / "many")


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=SLOW)])
def test_batches_split_among_ranks_come_to_the_weights_of_one_process(
    tmp_path: Path, ranks: int
) -> None:
    """Batches of seven in uneven parts; every loss that can be split, and the floor of the sum."""
    changes = ("train.accumulate=1", "train.batch=7", "precision=float32", "loss_floor=0.1")
    recipe = quick(tmp_path, *PLAIN, *FEW, *changes, f"loss=[{EACH_LOSS}]")
    data = discs(tmp_path / "data", count=28)
    fold_on(ALONE, work_of(recipe, data, tmp_path / "one"))
    on_ranks(ranks, tmp_path, fold_on, work_of(recipe, data, tmp_path / "many"))
    check_alike(tmp_path / "one", tmp_path / "many")
    losses = [[row["loss"] for row in rows_of(tmp_path / name)] for name in ("one", "many")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def test_no_loss_is_left_out(tmp_path: Path) -> None:
    kinds = {loss.kind for changes in LOSSES.values() for loss in quick(tmp_path, *changes).loss}
    assert kinds == {kind.model_fields["kind"].default for kind in get_args(get_args(AnyLoss)[0])}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("how", ["train.accumulate=1 train.batch=7", "train.accumulate=3"])
def test_each_loss_comes_to_the_weights_of_one_process(tmp_path: Path, kind: str, how: str) -> None:
    """Batches that are split, and shared by two ranks as two and one, for twenty steps or more."""
    changes = (*PLAIN, "precision=float32", *how.split(), *LOSSES[kind])
    recipe, data = quick(tmp_path, *changes), discs(tmp_path / "data", count=28)
    fold_on(ALONE, work_of(recipe, data, tmp_path / "one"))
    on_ranks(2, tmp_path, fold_on, work_of(recipe, data, tmp_path / "many"))
    check_alike(tmp_path / "one", tmp_path / "many")
    losses = [[row["loss"] for row in rows_of(tmp_path / name)] for name in ("one", "many")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def judged(ranks: Ranks, work: Work) -> ValidationScores | None:
    """Validate weights that are the same on every rank."""
    recipe, data = work.data.recipe, work.data
    torch.manual_seed(0)
    network = recipe.network.build(recipe.frame.inputs, data.task.outputs).eval()
    member = Member(network, data.normalise)
    options: dict[str, Any] = {"device": torch.device("cpu"), "precision": None, "ranks": ranks}
    return validate(recipe, data.task, data.held_out, member, losses=recipe.loss, **options)


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=SLOW)])
def test_a_validation_on_ranks_scores_bit_by_bit_as_that_of_one_process(
    tmp_path: Path, ranks: int
) -> None:
    """Score, loss and the worst cases with their pictures; of seven cases, dealt unevenly."""
    work = work_of(quick(tmp_path), discs(tmp_path / "data", count=14), tmp_path / "run")
    assert len(work.data.held_out) == 7
    alone = judged(ALONE, work)
    assert alone is not None
    assert alone.worst
    assert alone.loss is not None
    assert on_ranks(ranks, tmp_path, judged, work) == [alone, *[None] * (ranks - 1)]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3])
def test_held_out_cases_are_dealt_and_give_the_same_scores_and_files(
    tmp_path: Path, ranks: int
) -> None:
    """Out-of-fold predictions of the same weights by one and by several ranks, bit by bit."""
    work = work_of(quick(tmp_path), discs(tmp_path / "data", count=6), tmp_path / "run")
    alone = fold_on(ALONE, work)
    before = answers(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "fold0" / "oof")
    found = on_ranks(ranks, tmp_path, fold_on, work)
    assert answers(tmp_path / "run") == before
    assert [one.out_of_fold for one in found] == [alone.out_of_fold] * ranks


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize("then", [1, 2, 3])
def test_c10_stopped_under_some_ranks_it_goes_on_under_others(
    tmp_path: Path, first: int, then: int
) -> None:
    """C10: after SIGTERM to one rank in the middle of an epoch, to the weights of a whole run."""
    changes = ("data.count=24", "train.epochs=5", "train.validate_every=5", "train.batch=1")
    recipe = tiny(tmp_path, *PLAIN, *changes, "train.accumulate=3", "train.ema=null")
    fold_on(ALONE, work_of(recipe, tmp_path, tmp_path / "one"))
    work = work_of(recipe, tmp_path, tmp_path / "many")
    team = Team(first, tmp_path, stopped, work)
    assert all(isinstance(one, StoppedError) for one in team.results().values())
    saved = load_state(tmp_path / "many" / "fold0" / "state")
    assert saved is not None
    position = saved[0].position
    assert (position.epoch, position.batch) == (2, 3 if first == 1 else 6)  # of twelve
    on_ranks(then, tmp_path, fold_on, work)
    check_alike(tmp_path / "one", tmp_path / "many", growth=TWENTY)
    if first == then == 1:
        weights = [member(tmp_path / name) for name in ("one", "many")]
        assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert [row["epoch"] for row in rows_of(tmp_path / "many")] == list(range(5))


def stopped(ranks: Ranks, work: Any) -> Any:
    """Train as a rank; the last one gets SIGTERM at the first of four steps of the third epoch.

    Several ranks leave after the next step: by then all of them know.
    """
    take, count = Step.take, [0]

    def asked(self: Step, steps_per_epoch: int) -> None:
        count[0] += 1
        if ranks.rank == ranks.size - 1 and count[0] == 9:
            os.kill(os.getpid(), signal.SIGTERM)
        take(self, steps_per_epoch)

    Step.take = asked  # type: ignore[method-assign]
    return fold_on(ranks, work)


def spoilt(ranks: Ranks, work: Any) -> Any:
    """Train with an image of the last rank that is not finite, at its third batch."""
    add, count = Step.add, [0]

    def spoil(self: Step, batch: Any) -> None:
        count[0] += 1
        if ranks.rank == ranks.size - 1 and count[0] == 3:
            batch.image.fill_(torch.nan)
        add(self, batch)

    Step.add = spoil  # type: ignore[method-assign]
    try:
        return fold_on(ranks, work)
    finally:
        Step.add = add  # type: ignore[method-assign]


def test_what_is_not_finite_on_one_rank_leaves_the_step_out_on_all(tmp_path: Path) -> None:
    """N01."""
    recipe = quick(tmp_path, "train.accumulate=2", "train.batch=1", "train.epochs=2")
    work = work_of(recipe, discs(tmp_path / "data"), tmp_path / "run")
    on_ranks(2, tmp_path, spoilt, work)
    assert [row["skipped"] for row in rows_of(tmp_path / "run")] == [0, 1]
    assert all(torch.isfinite(value).all() for value in member(tmp_path / "run").values())


def killed(ranks: Ranks, work: Any, where: str) -> Any:
    """Train as a rank; one is killed at its third step, in validation, or while it saves."""
    if where == "save":
        if ranks.is_main:  # it alone saves
            os.environ["LAMINA_FAULT"] = "state.before_index:2"
        return fold_on(ranks, work, 0.0)
    kind, name, wanted = (Step, "take", 3) if where == "step" else (Trial, "judge", 2)
    act, count = getattr(kind, name), [0]

    def fatal(self: Any, *values: Any) -> Any:
        count[0] += 1
        if ranks.rank == 1 and count[0] == wanted:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(self, *values)

    setattr(kind, name, fatal)
    return fold_on(ranks, work)


@pytest.mark.parametrize(
    ("where", "lost"),
    [("step", 1), pytest.param("validation", 1, marks=SLOW), pytest.param("save", 0, marks=SLOW)],
)
def test_n10_a_rank_that_is_killed_ends_the_others_and_the_run_resumes(
    tmp_path: Path, where: str, lost: int
) -> None:
    """N10: within a minute, with an error that says so."""
    recipe = quick(tmp_path, *PLAIN, "train.accumulate=2", "train.batch=1", "train.epochs=2")
    data = discs(tmp_path / "data")
    work = work_of(recipe, data, tmp_path / "run")
    begun = time.monotonic()
    team = Team(2, tmp_path, killed, work, where)
    found = team.results(1)
    assert time.monotonic() - begun < 60
    assert isinstance(found[1 - lost], RankLost)
    assert "run the same command again to resume" in str(found[1 - lost])
    assert all(process.exitcode for process in team.processes)
    on_ranks(2, tmp_path, fold_on, work)
    fold_on(ALONE, work_of(recipe, data, tmp_path / "one"))
    check_alike(tmp_path / "one", tmp_path / "run")


def drifted(ranks: Ranks) -> str:
    network = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(network.weight, 1.0)
    torch.nn.init.constant_(network.bias, 1e-7 * (ranks.rank == 1))
    try:
        ranks.refuse_drift(network)
    except LaminaError as error:
        return str(error)
    return ""


def refused() -> None:
    raise RecipeError("no such thing")


def talk(ranks: Ranks) -> dict[str, Any]:
    """Use every way in which ranks speak."""
    found: dict[str, Any] = {"told": ranks.tell(f"rank {ranks.rank}")}
    found["gathered"] = ranks.gather(ranks.rank)
    found["on main"] = ranks.gather_on_main(ranks.rank)
    found["agreed"] = [ranks.agree([ranks.rank * n, 5 - ranks.rank]) for n in (1, 2)]
    found["settled"] = ranks.settle()
    value = torch.tensor([1.0, 2.0], requires_grad=True)
    (ranks.reduce(value * (ranks.rank + 1)) * 10).sum().backward()
    found["gradient"] = None if value.grad is None else value.grad.tolist()
    sums = [torch.full((2, 2), float(ranks.rank)), torch.tensor(1.0)]
    ranks.sum_into(sums)
    found["sums"] = [one.tolist() for one in sums]
    found["drift"] = drifted(ranks)
    try:
        ranks.on_main(refused)
    except RecipeError as error:
        found["error"] = str(error)
    return found


def test_what_ranks_tell_one_another(tmp_path: Path) -> None:
    for rank, found in enumerate(on_ranks(2, tmp_path, talk)):
        assert found["told"] == "rank 0"
        assert found["gathered"] == [0, 1]
        assert found["on main"] == ([0, 1] if rank == 0 else [])
        assert found["agreed"] == [[0, 0], [1, 5]]  # what was said at the call before
        assert found["settled"] == [2, 5]
        assert found["gradient"] == [10.0 * (rank + 1)] * 2
        assert found["sums"] == [[[1.0, 1.0], [1.0, 1.0]], 2.0]
        assert "the weights of rank 1 are no longer those of rank 0" in found["drift"]
        assert found["error"] == "no such thing"


def test_one_process_speaks_to_nobody() -> None:
    found = talk(ALONE)
    assert (found["told"], found["gathered"], found["on main"]) == ("rank 0", [0], [0])
    assert found["agreed"] == [[0, 5], [0, 5]]
    assert (found["drift"], found["error"]) == ("", "no such thing")
