"""The ink pipeline item by item. Each test cites the number of the fact it holds.

What a component promises in general is tested beside that component; here stand the published
settings and formulas.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from torch.nn import functional

from lamina.data.case import Case
from lamina.data.catalogs import Fragments
from lamina.data.catalogs.fragment_parts import parts_of
from lamina.data.flatten import Flatten
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.network_input.sample import Draw
from lamina.data.readers import open_volume
from lamina.data.samplers import InMask
from lamina.data.targets.bitmask import Bits, bits_of
from lamina.data.transforms import (
    Affine,
    BrightnessContrast,
    Cutout,
    Flip,
    GridDistort,
    Noise,
    OneOf,
)
from lamina.data.views.layers import Layers
from lamina.evaluation.score import score
from lamina.geometry.region import Region
from lamina.geometry.tiling.window import window
from lamina.geometry.view import members as views_of
from lamina.model.losses import Bce, total
from lamina.model.metrics import FBeta
from lamina.model.networks.quarter_unet import QuarterUnet
from lamina.model.networks.slice_fusion import SliceFusion
from lamina.model.optimization.optimizers import AdamW
from lamina.outputs.submit import submit
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.result.decisions import Threshold
from lamina.seeding import rng
from lamina.synthetic.scroll import write_fragments
from lamina.task import Task
from lamina.training.run import train
from lamina.volume import ArrayVolume, read_all


@pytest.fixture(scope="module")
def ink() -> Recipe:
    return load_recipe("ink")


@pytest.fixture(scope="module")
def released() -> Recipe:
    return load_recipe("ink-released")


@pytest.fixture(scope="module")
def stage(ink: Recipe) -> Stage:
    (only,) = ink.stages
    return only


def fragment(side: int = 500, layers: int = 24) -> Case:
    """Return a fragment of steps along depth whose right half is papyrus, ink all over it."""
    array = np.arange(layers, dtype=np.uint16)[:, None, None] * 2000 + 1000
    stack = np.broadcast_to(array, (layers, side, side))[None]
    mask = np.zeros((1, side, side), np.uint8)
    mask[:, :, side // 2 :] = 255
    image = Layers(ArrayVolume(stack, "zyx", "stack"), 0, layers)
    ink, valid = np.ones((1, side, side), np.uint8), bits_of(ArrayVolume(mask))
    return Case("1", "1", image, ArrayVolume(ink), valid)


def test_folders_of_layers_with_a_mask_and_ink(tmp_path: Path, ink: Recipe) -> None:
    """INK-1; INK-12: layers 20 to 43 of 65; in 16 bits."""
    for name in ("1", "3"):
        folder = tmp_path / name / "surface_volume"
        folder.mkdir(parents=True)
        for layer in range(65):
            tifffile.imwrite(folder / f"{layer:02d}.tif", np.full((9, 8), 1000 * layer, np.uint16))
        for image in ("mask", "inklabels"):
            cv2.imwrite(str(folder.parent / f"{image}.png"), np.full((9, 8), 255, np.uint8))
    assert isinstance(ink.data, Fragments)
    data = ink.data.model_copy(update={"prepare": None})
    first, _ = data.open(tmp_path, ink.task).cases
    assert (first.image.channels, first.image.dtype) == (ink.frame.channels, np.dtype(np.uint16))
    assert read_all(first.image)[:, 0, 0].tolist() == list(range(20000, 44000, 1000))


def test_tiles_of_a_half_sized_copy_over_slices_17_to_47(ink: Recipe) -> None:
    """INK-2, INK-3, INK-5."""
    how = prepare(ink)
    assert (how.tile, how.step, how.shrink, how.slices) == (256, 128, 2, (17, 48))
    assert how.scales == (0.1, 10)  # INK-4


def test_the_fit_is_the_best_of_the_benchmark_or_that_of_the_released_code(
    ink: Recipe, released: Recipe
) -> None:
    """INK-4, INK-5, INK-6: ``ink`` aligns best; ``ink-released`` as published."""
    best, published = prepare(ink), prepare(released)
    assert (best.outliers, best.reach, best.fragment_layers) == ("neighbours", 16, None)
    assert (published.outliers, published.quantiles) == ("quantiles", (0.05, 0.95))
    assert (published.reach, published.gaussian) == (30, 0)
    assert published.fragment_layers == published.slices == (17, 48)


def test_each_tile_to_fragment_3_or_each_fragment_to_itself_first(
    ink: Recipe, released: Recipe
) -> None:
    """INK-6, INK-7."""
    assert (prepare(ink).method, prepare(ink).reference) == ("direct", "3")
    assert (prepare(released).method, prepare(released).compose) == ("two_stage", "released")
    assert prepare(released).reference == "3"


def prepare(recipe: Recipe) -> Flatten:
    assert isinstance(recipe.data, Fragments)
    assert recipe.data.prepare is not None
    return recipe.data.prepare


def test_aligned_once_and_written_or_for_every_crop(ink: Recipe) -> None:
    """INK-10."""
    assert isinstance(ink.data, Fragments)
    assert (ink.data.unpack, ink.data.layers) == ("once", (20, 44))
    other = load_recipe("ink", ("data.unpack=never",)).data
    assert isinstance(other, Fragments)
    assert other.unpack == "never"


def test_fragment_2_is_three_and_each_of_five_is_left_out_once(tmp_path: Path, ink: Recipe) -> None:
    """INK-11; INK-28: the published scores are one for each of the five."""
    assert isinstance(ink.data, Fragments)
    mask = Bits("m", "yx", (14830, 9506), np.zeros((0, 0), np.uint8))
    boxes = parts_of(ink.data.parts["2"], mask, "2")
    assert list(boxes) == ["a", "b", "c"]
    assert boxes["a"] == Region((0, 0), (6800, 9506))  # 0.45853 H
    assert boxes["b"] == Region((6800, 0), (14830, 4999))  # 0.52598 W
    cases = [
        Case(name, name, ArrayVolume(np.zeros((24, 4, 4), np.uint16)))
        for name in ("1", "2a", "2b", "2c", "3")
    ]
    _, folds = ink.split.assign(cases, tmp_path)
    assert sorted(folds) == [0, 1, 2, 3, 4]


def test_an_epoch_has_the_mask_in_samples_and_fragments_come_by_area(
    ink: Recipe, stage: Stage
) -> None:
    """INK-12."""
    sampler = stage.sampler
    assert isinstance(sampler, InMask)
    areas = [36_000_000, 12_345_678, 90_000_001]
    assert sampler.length(areas, ink.frame.size) == sum(math.ceil(a / 384**2) for a in areas)


def test_crops_of_192_to_767_rows_around_papyrus_half_a_crop_from_the_border(
    ink: Recipe, stage: Stage
) -> None:
    """INK-13."""
    sampler = stage.sampler.model_copy(update={"count": 300})
    case = fragment(1400)
    draws = sampler.draws(
        [case], size=ink.frame.size, batch=3, epoch=0, rng=np.random.default_rng(0)
    )
    heights = []
    for draw in draws:
        assert draw.sides is not None
        rows, columns = draw.sides
        heights.append(rows)
        assert int(rows * 0.9) - 1 <= columns <= int(rows * 1.1) + 2
        row, column = (a + 192 for a in draw.region.start)
        assert 700 <= column < 1400  # papyrus
        box = Region((row - rows // 2, column - columns // 2), (row, column))
        assert box.within((1400, 1400))
        assert row - rows // 2 + rows <= 1400
        assert column - columns // 2 + columns <= 1400
    assert 192 <= min(heights) < 200
    assert 755 < max(heights) <= 767  # trunc(384 s), s below 2


def test_18_of_24_layers_or_13_to_23_of_them(ink: Recipe, released: Recipe) -> None:
    """INK-13."""
    for recipe, counts in ((ink, {18}), (released, set(range(13, 24)))):
        depth, chance = recipe.frame.depth, np.random.default_rng(0)
        assert depth is not None
        seen = {depth.drawn(fragment(4).image, chance).channels for _ in range(400)}
        assert seen == counts
        assert recipe.frame.inputs == 18


def test_the_changes_of_a_sample_and_their_probabilities(ink: Recipe) -> None:
    """INK-14."""
    steps = ink.transforms
    assert [step.kind for step in steps] == [
        *("affine", "flip", "flip", "rot90", "brightness_contrast", "one_of"),
        *("grid_distort", "cutout"),
    ]
    assert Counter(one.p for one in steps) == {0.5: 7, 0.4: 1}
    turn, _, _, _, light, touch, grid, _ = steps
    assert isinstance(turn, Affine)
    assert (turn.rotate, turn.scale, turn.shift) == (45, (1, 1), 0)
    assert [one.axes for one in steps if isinstance(one, Flip)] == ["x", "y"]
    assert isinstance(light, BrightnessContrast)
    assert (light.brightness, light.contrast) == (0.1, 0.1)
    assert isinstance(touch, OneOf)
    assert [one.kind for one in touch.of] == ["noise", "blur", "motion_blur"]
    assert isinstance(grid, GridDistort)
    assert (grid.steps, grid.limit) == (5, 0.3)
    assert ink.frame.border == "reflect"


def test_noise_has_a_variance_of_10_to_50_in_stored_values(ink: Recipe) -> None:
    """INK-14: of 16 bits, a deviation of 3.2 to 7.1 of 65,535."""
    group = ink.transforms[5]
    assert isinstance(group, OneOf)
    (noise,) = (one for one in group.of if isinstance(one, Noise))
    assert (noise.low * 65535) ** 2 == pytest.approx(10, rel=0.01)
    assert (noise.high * 65535) ** 2 == pytest.approx(50, rel=0.01)
    clean = sampled(ink, ()).image
    deviations = []
    for seed in range(12):
        noisy = sampled(ink, (noise.model_copy(update={"p": 1.0}),), seed).image
        deviations.append(float((noisy - clean).std()) * 0.226 * 65536)
    assert 3.1 < min(deviations) < 4.5
    assert 5.8 < max(deviations) < 7.2


def test_a_hole_of_exactly_115_pixels_without_ink_in_it(ink: Recipe) -> None:
    """INK-14."""
    hole = ink.transforms[-1]
    assert isinstance(hole, Cutout)
    always = hole.model_copy(update={"p": 1.0})
    sample = sampled(ink, (always,), seed=1)
    rows, columns = np.nonzero(sample.target[0] == 0)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 115 == math.trunc(0.3 * 384)
    assert (sample.target == 0).sum() == 115**2
    empty = (0 / 65536 - 0.449) / 0.226
    inside = sample.image[:, rows, columns]
    np.testing.assert_allclose(inside, empty, rtol=1e-5)


def test_values_are_normalised_by_the_mean_of_the_imagenet_numbers(ink: Recipe) -> None:
    """INK-14."""
    norm = ink.frame.normalise
    assert isinstance(norm, Fixed)
    assert norm.mean == pytest.approx(np.mean([0.485, 0.456, 0.406]), abs=5e-4)
    assert norm.std == pytest.approx(np.mean([0.229, 0.224, 0.225]), abs=5e-4)
    sample = sampled(ink, ())
    assert sample.image.shape == (18, 384, 384)
    stored = np.unique(sample.image) * 0.226 * 65536 + 0.449 * 65536
    assert set(np.rint(stored).astype(int)) <= set(range(1000, 49000, 2000))


def sampled(recipe: Recipe, steps: tuple[Cutout | Noise, ...], seed: int = 0):  # type: ignore[no-untyped-def]
    draw = Draw(0, Region((50, 50), (434, 434)))
    return make_sample(
        fragment(), draw, recipe.frame, recipe.frame.normalise, steps, Task(), rng(seed, "ink")
    )


def test_prediction_sees_24_layers_as_18(released: Recipe) -> None:
    """INK-15."""
    frame = released.frame
    region = Region((0, 0), (4, 4))
    found = frame.look(fragment(4).image, region, frame.factors(fragment(4).image, Fixed(scale=1)))
    assert math.ceil(18 * 1.33) == frame.channels == 24
    expected = ((np.arange(18) + 0.5) * 24 / 18 - 0.5) * 2000 + 1000
    np.testing.assert_allclose(found[:, 0, 0], expected, atol=1)


def test_six_windows_of_three_layers_through_one_network(ink: Recipe) -> None:
    """INK-16, INK-17."""
    option = ink.network
    assert isinstance(option, SliceFusion)
    assert (option.window, option.step, option.aggregate) == (3, 3, "conv")
    assert (ink.frame.inputs - option.window) // option.step + 1 == 6
    planar = option.network
    assert isinstance(planar, QuarterUnet)
    assert planar.encoder.startswith("maxvit_rmlp_base_rw_384")
    assert (planar.filters, planar.upsample) == ((256, 128, 64), "nearest")
    assert (planar.weights, planar.stem, planar.checkpointing) == ("imagenet", "cyclic", True)
    assert ink.frame.size == (planar.image_size, planar.image_size)


def test_ink_weighs_half_and_what_is_no_papyrus_counts_too(ink: Recipe) -> None:
    """INK-18."""
    (loss,) = ink.loss
    assert isinstance(loss, Bce)
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 1, 8, 8, generator=chance)
    target = (torch.rand(2, 1, 8, 8, generator=chance) < 0.3).float()
    valid = (torch.rand(2, 1, 8, 8, generator=chance) < 0.5).float()
    found, _ = total(ink.loss, logits, target, valid, exclusive=False)
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    weight = torch.where(target == 1, 0.5, 1.0)
    assert found.item() == pytest.approx((weight * each).mean().item(), rel=1e-6)


def test_64_epochs_of_three_times_three_samples(ink: Recipe, stage: Stage) -> None:
    """INK-19."""
    optimizer = stage.optimizer
    assert isinstance(optimizer, AdamW)
    assert (optimizer.lr, optimizer.weight_decay, optimizer.eps) == (1e-4, 1e-6, 1e-8)
    assert (stage.epochs, stage.batch, stage.accumulate, stage.clip_norm) == (64, 3, 3, 5)
    assert (ink.precision, ink.seed) == ("float16", 0)


@pytest.mark.parametrize("per_epoch", [7, 170])
def test_a_tenth_up_then_half_a_cosine_that_would_rise_again(stage: Stage, per_epoch: int) -> None:
    """INK-20."""
    steps = per_epoch * 64
    rise = int(0.1 * steps)
    for step in (0, rise // 2, rise - 1, rise, steps // 2, steps - 1, steps, steps + rise):
        if step < rise:
            expected = 0.1 + 0.9 * step / rise
        else:
            u = (step - rise) / (steps - rise)
            expected = 0.01 + 0.99 * (1 + math.cos(math.pi * u)) / 2
        assert stage.schedule.factor(step, steps) == pytest.approx(expected, abs=2e-3)
    assert stage.schedule.unit == "step"


def test_the_best_epoch_by_f_half_of_whole_fragments_inside_the_mask(
    ink: Recipe, stage: Stage
) -> None:
    """INK-21, INK-24."""
    assert (stage.member, stage.keep, stage.keep_last) == ("best", 1, True)
    assert stage.mix == ()  # INK-15: they exist, and are off
    assert isinstance(ink.monitor, FBeta)
    assert (ink.monitor.beta, ink.monitor.over) == (0.5, "pooled")
    chance = np.random.default_rng(0)
    truth, answer, valid = (chance.random((1, 20, 20)) < share for share in (0.2, 0.3, 0.7))
    found = ink.monitor.score([ink.monitor.tally(answer, truth, valid[0])]).value
    t, p = truth[valid], answer[valid]
    precision, recall = (t & p).sum() / p.sum(), (t & p).sum() / t.sum()
    expected = 1.25 * precision * recall / (0.25 * precision + recall)
    assert found == pytest.approx(expected)


def test_tiles_of_384_every_192_or_48_pixels_on_papyrus_only(ink: Recipe, released: Recipe) -> None:
    """INK-22."""
    for recipe, step in ((ink, 192), (released, 48)):
        assert recipe.tile == (384, 384)
        assert round(384 * (1 - recipe.predict.overlap)) == step
        assert (recipe.predict.border_tiles, recipe.predict.only_valid) == ("beyond", True)


def test_the_window_of_squared_splines(ink: Recipe) -> None:
    """INK-23."""
    assert ink.predict.window == "spline"
    t = triangle(384)
    q = int(384 / 4)
    weights = 1 - (2 * (t - 1)) ** 2 / 2
    weights[:q], weights[-q:] = (2 * t[:q]) ** 2 / 2, (2 * t[-q:]) ** 2 / 2
    np.testing.assert_allclose(window("spline", 384), weights / weights.mean(), rtol=1e-12)


def triangle(size: int) -> NDArray[np.float64]:
    """Return the triangular window as scipy has it, for an even length."""
    half = (np.arange(size // 2) + 0.5) / (size / 2)
    return np.concatenate([half, half[::-1]])


def test_twelve_views_of_which_eight_differ(ink: Recipe, released: Recipe) -> None:
    """INK-25."""
    views = views_of(ink.predict.views)
    assert len(views) == 8
    assert sorted(round(12 * share) for _, share in views) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert ink.predict.mean_of.views == "probability"  # as its README has it
    assert released.predict.mean_of.views == "logit"
    for recipe in (ink, released):
        assert recipe.predict.mean_of.tiles == recipe.predict.mean_of.members == "probability"


def test_members_are_cut_to_bytes_and_their_mean_has_to_be_above_half(
    ink: Recipe, released: Recipe
) -> None:
    """INK-26."""
    assert (ink.predict.rounding, released.predict.rounding) == ("none", "uint8")
    assert isinstance(ink.decide, Threshold)
    mask = ink.decide(np.array([[[0.5, 0.5 + 1e-3]]], np.float32))
    assert mask.tolist() == [[[False, True]]]


def test_the_file_of_the_competition(tmp_path: Path, ink: Recipe) -> None:
    """INK-27."""
    assert ink.submit is not None
    mask = np.zeros((1, 2, 5), bool)
    mask[0, 0, 3:], mask[0, 1, :1], mask[0, 1, 4] = True, True, True
    ink.submit.write([("a", mask), ("b", ~mask & False)], tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_bytes() == b"Id,Predicted\na,4 3 10 1\nb,"


def test_ink_laptop_goes_from_fragments_to_a_file_to_hand_in(tmp_path: Path) -> None:
    """INK-1, INK-8, INK-10: known fragments aligned and learnt, a new one aligned without them."""
    changes = (
        "split.count=2",
        "frame.size=[32,32]",
        "stages.main.epochs=1",
        "stages.main.sampler.count=8",
        "stages.main.validate_every=1",
        "predict.overlap=0",
    )
    known = write_fragments(tmp_path / "known", count=2, seed=5, shape=(96, 128))
    new = write_fragments(tmp_path / "new", count=1, seed=5, shape=(96, 128), first=3)
    run, pred = tmp_path / "run", tmp_path / "pred"
    train(load_recipe("ink-laptop", changes), data=known, out=run, device="cpu", workers=0)
    predict([run], [new], pred, device="cpu", progress=False)
    assert 0 <= score(pred, new).value <= 1
    mask = read_all(open_volume(new / "4" / "mask.png"))[0] > 0
    assert not np.asarray(Predictions.open(pred).prob("4"))[0][~mask].any()  # INK-23
    assert submit(pred, tmp_path / "ink.csv", format="vesuvius").rows == 1
    assert (tmp_path / "ink.csv").read_text().startswith("Id,Predicted\n4,")
