"""The faults pipeline item by item. Each test cites the number of the fact it holds.

What a component promises in general is tested beside that component; here stand the published
settings and formulas.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.samplers.crop_placement import anywhere
from lamina.data.tables.folds import read_folds
from lamina.data.transforms import Flip
from lamina.errors import StoppedError
from lamina.model.losses import total
from lamina.prediction.engine import Member, predict_case
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.synthetic.seismic import write_faults
from lamina.task import Task
from lamina.training.ensembles import member_runs as members
from lamina.training.saving.state import Position
from lamina.training.stage import loop
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loading.samples import Batch
from lamina.training.stage.loop import mix_batch
from lamina.volume import ArrayVolume, read_all

SHAPE = (300, 1259)
"""Rows and columns of a slice (FAULT-1)."""


@pytest.fixture(scope="module")
def faults() -> Recipe:
    return load_recipe("faults")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faults(tmp_path_factory.mktemp("faults"), count=4, shape=(8, 16, 24))


SMALL = (
    "frame.size=[32,32]",
    "network.encoder=resnet18",
    "network.weights=none",
    'network.decoder={"encoder_depth":3,"decoder_channels":[8,8,8]}',
    "split.count=2",
    "precision=float32",
    "data.shape=[8,16,24]",
)
"""What makes the published recipe run in seconds."""


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two small members on fold 0: one turned, and one whose last group is short."""
    out = tmp_path_factory.mktemp("run")
    names = 'members=[{"name":"flat","stages":[{"name":"main","epochs":2,"batch":12,'
    names += '"accumulate":3}]},{"name":"tall","frame":{"turn":3},"stages":[{"name":"main",'
    names += '"epochs":1,"batch":12}]}]'
    recipe = load_recipe("faults", (*SMALL, names))
    members.train(recipe, data=data, out=out, folds=[0], device="cpu", workers=0)
    return out


def test_a_folder_for_each_volume_and_the_first_match_of_its_patterns(
    faults: Recipe, data: Path, tmp_path: Path
) -> None:
    """FAULT-1."""
    cases = _small(faults).open(data, faults.task).cases
    assert [case.image.shape for case in cases] == [(8, 16, 24)] * 4
    for name in ("b", "a"):
        np.save(_new(tmp_path / "v" / f"seismicCubes_{name}.npy"), np.full((8, 16, 24), ord(name)))
        np.save(tmp_path / "v" / f"fault_{name}.npy", np.zeros((8, 16, 24), np.uint8))
    (first,) = _small(faults, stretch=None).open(tmp_path, faults.task).cases
    assert (first.id, int(read_all(first.image).max())) == ("v", ord("a"))


def test_left_out_transposed_and_other_shapes(faults: Recipe, tmp_path: Path) -> None:
    """FAULT-2."""
    catalog: Any = faults.data
    assert len(catalog.exclude) == 8
    assert catalog.exclude[0] == "2023-10-05_37fd5dd2"
    assert set(catalog.transpose.values()) == {(1, 0, 2)}
    assert len(catalog.transpose) == 12
    assert "2024-06-10_eb45f27e" in catalog.transpose
    image = np.random.default_rng(0).random((4, 4, 5))
    label = (image > 0.5).astype(np.uint8)
    for name, stored in {
        "2024-06-10_1a4e5680": image.transpose(1, 0, 2),
        "2023-10-05_37fd5dd2": image,
        "other": image,
        "long": np.zeros((4, 4, 6)),
    }.items():
        np.save(_new(tmp_path / name / "seismicCubes.npy"), stored)
        np.save(tmp_path / name / "fault.npy", label if name != "long" else np.zeros((4, 4, 6)))
    cases = _small(faults, shape=(4, 4, 5), stretch=None).open(tmp_path, faults.task).cases
    assert [case.id for case in cases] == ["2024-06-10_1a4e5680", "other"]
    for case in cases:
        np.testing.assert_array_equal(read_all(case.image)[0], image)


def test_the_range_of_the_volume_in_8_bits_and_empty_slices_are_used(
    faults: Recipe, data: Path
) -> None:
    """FAULT-3."""
    for case in _small(faults).open(data, faults.task).cases:
        stored = np.load(case.files[0])
        low, high = stored.min(), stored.max()
        wanted = ((stored - low) / (high - low) * 255).astype(np.uint8)
        np.testing.assert_array_equal(read_all(case.image)[0], wanted)
        slices = list(faults.frame.cases([case]))
        assert len(slices) == 8 + 16  # every slice of both axes, with or without a fault
        assert case.target is not None
        truth = read_all(case.target)[0]
        for index, one in enumerate(slices[8:]):
            assert one.target is not None
            np.testing.assert_array_equal(read_all(one.target)[0], truth[:, index])


def test_ten_folds_of_whole_volumes_are_kept_in_a_file(
    faults: Recipe, data: Path, trained: Path
) -> None:
    """FAULT-4."""
    assert (faults.split.kind, faults.split.count) == ("folds", 10)  # type: ignore[union-attr]
    kept = read_folds(trained / "folds.csv")
    listed = _small(faults).open(data, faults.task)
    assert sorted(kept) == sorted(case.id for case in listed.cases)  # a row for each volume
    twins = [read_folds(trained / "members" / name / "folds.csv") for name in ("flat", "tall")]
    assert twins == [kept, kept]  # all members share one split
    assert not (trained / "fold1").exists()  # only fold 0 is trained


@pytest.mark.parametrize("turn", [0, 3])
def test_slices_are_padded_and_turned_clockwise(faults: Recipe, turn: int) -> None:
    """FAULT-5."""
    pixels = np.random.default_rng(1).random((1, *SHAPE), np.float32)
    label = (pixels > 0.9).astype(np.uint8)
    case = Case("a", "a", ArrayVolume(pixels), ArrayVolume(label), None, ())
    frame = faults.frame.model_copy(update={"turn": turn})
    region = anywhere(SHAPE, frame.size, rng(0))
    as_read = make_sample(
        case, Draw(0, region, "random"), frame, Fixed(scale=1), (), faults.task, rng(0)
    )
    wide, truth = np.zeros((320, 1280), np.float32), np.zeros((320, 1280), np.float32)
    wide[10:-10, 10:-11], truth[10:-10, 10:-11] = pixels[0], label[0]
    if turn:
        wide, truth = np.rot90(wide, -1), np.rot90(truth, -1)
    np.testing.assert_array_equal(as_read.image[0], wide)
    np.testing.assert_array_equal(as_read.target, [1 - truth, truth])


def test_flips_are_of_two_levels(faults: Recipe) -> None:
    """FAULT-6."""
    for name in ("b8", "b8_ap", "v2_l", "v2_xl"):
        assert faults.member(name).transforms == (Flip(axes="yx", p=0.5),)
    assert faults.member("l2").transforms == (Flip(axes="y", p=0.5),)


def test_the_published_members(faults: Recipe) -> None:
    """FAULT-7."""
    rows = [
        ("tu-tf_efficientnet_l2.ns_jft_in1k", 7, 2, 20, 1e-4, False),
        ("timm-efficientnet-b8", 16, 5, 8, 1e-3, False),
        ("tu-tf_efficientnet_b8.ap_in1k", 20, 7, 6, 1e-3, True),
        ("tu-tf_efficientnetv2_l.in1k", 9, 10, 4, 1e-3, False),
        ("tu-tf_efficientnetv2_xl.in21k_ft_in1k", 11, 6, 8, 1e-3, False),
    ]
    found = []
    for member in faults.members:
        recipe = faults.member(member.name)
        (stage,) = recipe.stages
        network: Any = recipe.network
        found.append(
            (
                network.encoder,
                stage.epochs,
                stage.batch,
                stage.accumulate,
                stage.optimizer.lr,
                recipe.frame.turn == 3,
            )
        )
        assert (network.kind, network.stem, network.weights) == ("unet", "sum", "imagenet")
        assert recipe.frame.inputs == 1
    assert found == rows


def test_softmax_dice_over_the_batch_with_the_rule_for_absent_classes(
    faults: Recipe,
) -> None:
    """FAULT-8."""
    torch.manual_seed(2)
    logits, target = torch.randn(3, 2, 8, 9), torch.zeros(3, 2, 8, 9)
    for empty in (True, False):
        fault = torch.zeros(3, 8, 9) if empty else (torch.rand(3, 8, 9) < 0.2).float()
        target[:, 0], target[:, 1] = 1 - fault, fault
        value, _ = total(faults.loss, logits, target, torch.ones(3, 1, 8, 9), exclusive=True)
        p = logits.softmax(1)
        losses = []
        for k in range(2):
            s = 2 * (p[:, k] * target[:, k]).sum() / (p[:, k] + target[:, k]).sum().clamp(min=1e-7)
            losses.append((1 - s) * float(target[:, k].any()))
        assert float(value) == pytest.approx(float(sum(losses)) / 2, abs=1e-6)


def test_adam_half_precision_and_no_sample_is_lost(faults: Recipe, trained: Path) -> None:
    """FAULT-9."""
    assert faults.precision == "float16"
    for member in faults.members:
        (stage,) = faults.member(member.name).stages
        optimizer = stage.optimizer.build(nn.Conv2d(1, 1, 3))
        assert type(optimizer) is torch.optim.Adam
        assert {group["weight_decay"] for group in optimizer.param_groups} == {0}
        assert stage.clip_norm is None
    rows = _rows(trained / "members" / "flat" / "fold0")
    # 2 volumes of 8 + 16 slices: 4 batches of 12 an epoch, a group of 3 and the last one alone
    assert [row["step"] for row in rows] == [2, 4]


def test_the_rate_halves_when_the_loss_stays(faults: Recipe) -> None:
    """FAULT-10."""
    (stage,) = faults.member("b8").stages
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weight], lr=1e-3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    history: list[float] = []
    losses = [0.5, 0.4, 0.41, 0.42, 0.43, 0.39, 0.39, 0.4, 0.41, 0.42, 0.43, 0.44]
    losses += [0.06 - 2e-5 * n for n in range(6)]  # better by 3e-4 of the loss, 2e-5 of the score
    for loss in losses:
        theirs.step(loss)
        history.append(1 - loss)  # the monitor is 1 - loss
        factor = stage.schedule.factor(len(history), 99, history)
        assert 1e-3 * factor == pytest.approx(optimizer.param_groups[0]["lr"])
    assert (faults.monitor.kind, faults.monitor.higher_is_better) == ("soft_dice", True)


def test_the_last_epoch_is_the_member_and_states_are_saved_by_time(
    faults: Recipe, trained: Path
) -> None:
    """FAULT-11."""
    assert {faults.member(member.name).stages[0].member for member in faults.members} == {"last"}
    row = json.loads((trained / "members" / "flat" / "fold0" / "member.json").read_text())
    assert (row["member"], row["epoch"]) == ("main/last.safetensors", 1)  # counted from 0


def test_a_run_stopped_within_an_epoch_takes_up_the_batch_it_was_at(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAULT-12: the same epoch with the same seed; finished batches are skipped, sums go on."""
    option = '"stages":[{"name":"main","epochs":2,"batch":8,"validate_every":2}]'
    recipe = load_recipe("faults", (*SMALL, f'members=[{{"name":"flat",{option}}}]'))
    taken: list[tuple[int, int]] = []

    def noted(job: FoldContext, stage: Stage, position: Position, batch: Batch) -> Batch:
        taken.append((position.epoch, position.batch))
        if len(taken) == stops:
            signal.raise_signal(signal.SIGTERM)
        return mix_batch(job, stage, position, batch)

    monkeypatch.setattr(loop, "mix_batch", noted)

    def run(name: str) -> dict[str, Any]:
        out = tmp_path / name
        members.train(recipe, data=data, out=out, folds=[0], device="cpu", workers=0)
        fold = out / "members" / "flat" / "fold0"
        rows = [{k: v for k, v in row.items() if "seconds" not in k} for row in _rows(fold)]
        return {"sha256": json.loads((fold / "member.json").read_text())["sha256"], "rows": rows}

    stops = 0
    whole = run("whole")
    assert taken == [(epoch, batch) for epoch in range(2) for batch in range(6)]
    taken.clear()
    stops = 10  # the fourth of six batches of the second epoch
    with pytest.raises(StoppedError):
        run("run")
    assert taken[-1] == (1, 3)
    taken.clear()
    assert run("run") == whole
    assert taken == [(1, 4), (1, 5)]


def test_the_bundle_holds_weights_and_no_optimiser(trained: Path) -> None:
    """FAULT-13."""
    bundle = Bundle.load(trained / "bundle")
    network = load_recipe("faults", SMALL).network.build(1, 2)
    assert [member.name for member in bundle.members] == ["flat-fold0", "tall-fold0"]
    files = sorted(path.name for path in (trained / "bundle").rglob("*.safetensors"))
    assert files == ["flat-fold0.safetensors", "tall-fold0.safetensors"]
    from safetensors.torch import load_file

    for path in (trained / "bundle").rglob("*.safetensors"):
        assert load_file(path).keys() == network.state_dict().keys()


class _Uneven(nn.Module):
    """Two logits that tell directions apart, so that a wrong turn or flip would show."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(1, 2, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.conv(x))


def _ways() -> Iterator[tuple[bool, bool]]:
    for upside_down in (False, True):
        for vertical in (False, True):
            yield upside_down, vertical


def test_mean_of_logits_over_flips_models_and_axes(faults: Recipe) -> None:
    """FAULT-14."""
    shape, room = (12, 20, 41), {"z": (32, 64), "y": (32, 64)}
    pixels = np.random.default_rng(3).random((1, *shape), np.float32)
    networks = {False: _Uneven(1).eval(), True: _Uneven(2).eval()}
    recipe = faults.model_copy(
        update={"frame": faults.frame.model_copy(update={"size": room["z"]}), "members": ()}
    )
    turned, plain = recipe.frame.model_copy(update={"turn": 3}), Fixed(scale=1)
    found = predict_case(
        ArrayVolume(pixels, "zyx"),
        [
            Member(networks[False], plain),
            Member(networks[True], plain, frame=turned),
        ],
        recipe,
        device=torch.device("cpu"),
    )
    logits = np.zeros((2, *shape), np.float64)
    for axis in (0, 1):
        for index in range(shape[axis]):
            plane = pixels[0].take(index, axis)
            rows, columns = plane.shape
            up, left = (32 - rows) // 2, (64 - columns) // 2
            for upside_down, vertical in _ways():
                x = plane[::-1] if upside_down else plane
                # padding after the flip is padding before it where both sides are alike
                wide = np.zeros((32, 64), np.float32)
                wide[up : up + rows, left : left + columns] = x
                seen = np.rot90(wide, -1) if vertical else wide
                with torch.inference_mode():
                    y = networks[vertical](torch.from_numpy(seen.copy())[None, None])[0].numpy()
                y = np.rot90(y, 1, (1, 2)) if vertical else y
                y = y[:, up : up + rows, left : left + columns]
                y = y[:, ::-1] if upside_down else y
                at: list[Any] = [slice(None)] * 4
                at[axis + 1] = index
                logits[tuple(at)] += y / 8
    exponents = np.exp(logits - logits.max(0))
    np.testing.assert_allclose(found, exponents / exponents.sum(0), atol=2e-6)


def test_a_tie_is_background(faults: Recipe) -> None:
    """FAULT-14."""
    prob = np.array([[[0.5, 0.4, 0.6]], [[0.5, 0.6, 0.4]]], np.float32)
    decided: NDArray[Any] = faults.decide(prob)
    np.testing.assert_array_equal(decided[1], [[False, True, False]])
    np.testing.assert_array_equal(decided[0], [[True, False, True]])


def test_volumes_come_in_the_order_of_their_names(faults: Recipe, data: Path) -> None:
    """FAULT-16."""
    ids = [case.id for case in _small(faults).open(data, faults.task).cases]
    assert ids == sorted(ids) == [f"seismic_{number:05d}" for number in range(4)]


def test_a_member_that_is_not_there_is_refused(faults: Recipe, data: Path, tmp_path: Path) -> None:
    from lamina.errors import RecipeError
    from lamina.training import run as stages

    with pytest.raises(RecipeError, match="has no member 'b9'"):
        members.train(faults, data=data, out=tmp_path / "run", member="b9")
    with pytest.raises(RecipeError, match="several members"):
        stages.train(faults, data=data, out=tmp_path / "run")


def test_the_task_has_two_classes_that_exclude_each_other(faults: Recipe) -> None:
    """FAULT-7: two outputs; the background counts in the loss (FAULT-8), not in the score."""
    assert faults.task == Task(kind="multiclass", names=("background", "fault"))
    assert faults.metric.kind == "dice"
    assert faults.metric.over == "image"  # type: ignore[union-attr]
    assert faults.metric.empty == "one"  # type: ignore[union-attr]


def _rows(fold: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]


def _small(faults: Recipe, **changes: Any) -> Any:
    """Return the recipe's catalog for the small volumes."""
    return faults.data.model_copy(update={"shape": (8, 16, 24), **changes})


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
