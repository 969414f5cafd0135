"""The denoise pipeline item by item. Each test cites the number of the fact it holds.

What a component promises in general is tested beside that component; here stand the published
settings and formulas.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn
from torch.nn import functional

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.model.losses import total
from lamina.model.networks import PixelShuffle, Smp
from lamina.model.optimization.optimizers import AdamW
from lamina.prediction.engine import Member, predict_image
from lamina.prediction.run import predict
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.synthetic.seismic import write_pairs
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.stage.ema import Average
from lamina.training.stage.validate import validate
from lamina.volume import ArrayVolume

EPOCHS = 100


@pytest.fixture(scope="module")
def denoise() -> Recipe:
    return load_recipe("denoise")


@pytest.fixture(scope="module")
def stage(denoise: Recipe) -> Stage:
    (only,) = denoise.stages
    return only


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_slices_are_read_where_they_lie_and_never_from_a_stale_copy(
    tmp_path: Path,
) -> None:
    """NOISE-8: no cache has to be flushed: a volume written anew shows at the next start."""
    data = write_pairs(tmp_path / "data", count=4, shape=(8, 8, 16))
    (path,) = (data / "pair_00002").glob("seismic_w_noise_vol*.npy")
    recipe = load_recipe("denoise-laptop", ("data.stretch=null", "data.stretch_target=no"))
    whole = Region((0, 0), (16, 8))

    def slices() -> list[np.ndarray]:
        opened = open_data(recipe, data).prepared(tmp_path / "run")
        cases = [case for case in opened.cases if case.id.endswith("00002")]
        return [case.image.read(whole)[0] for case in recipe.frame.cases(cases)]

    before = sorted(tmp_path.rglob("*"))
    volume = np.load(path)
    wanted = [volume[:, :, n] for n in range(8)] + [volume[:, n] for n in range(8)]
    np.testing.assert_array_equal(slices(), wanted)
    np.save(path, volume + 1)
    np.testing.assert_array_equal(slices(), np.stack(wanted) + 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_unet_plus_plus_of_22_6_million_with_a_sigmoid(denoise: Recipe) -> None:
    """NOISE-9."""
    option = denoise.network
    assert isinstance(option, Smp)
    assert (option.kind, option.encoder, option.weights) == (
        "unet_plus_plus",
        "tu-tf_efficientnetv2_s.in21k_ft_in1k",
        "imagenet",
    )
    network = option.model_copy(update={"weights": "none"}).build(1, denoise.outputs).eval()
    millions = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    assert millions == pytest.approx(22.6, abs=0.05)
    with torch.inference_mode():
        answer = network(100 * noise(1, 1, 64, 32))
    assert 0 <= answer.min() < answer.max() <= 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_refused_and_not_made_zero(denoise: Recipe, value: float) -> None:
    """NOISE-9."""
    pixels = np.zeros((1, 32, 32), np.float32)
    pixels[0, 3, 4] = value
    with pytest.raises(DataError, match="1 of 1024 values read are not numbers"):
        denoise.frame.read(ArrayVolume(pixels, "yx", "bad"), Region((0, 0), (32, 32)))


def test_the_other_network_serves_in_its_place_and_starts_without_a_chequer() -> None:
    """NOISE-10."""
    other = "{kind: pixel_shuffle, encoder: resnet18, activation: sigmoid}"
    option = load_recipe("denoise", (f"network={other}",)).network
    assert isinstance(option, PixelShuffle)
    network = option.build(1, 1)
    for level in range(5):
        up = network.get_submodule(f"decoder.ups.{level}")
        grown = up(noise(1, up.get_submodule("0").get_parameter("weight").shape[1], 3, 4))
        small = grown[..., ::2, ::2]
        expected = functional.interpolate(small, scale_factor=2, mode="nearest")
        torch.testing.assert_close(grown, expected)  # channels may fall to different kernels


def test_squared_errors_are_summed_over_the_batch_in_float32(denoise: Recipe, stage: Stage) -> None:
    """NOISE-11."""
    answer = noise(8, 1, 4, 5).sigmoid().to(torch.bfloat16)
    target = noise(8, 1, 4, 5, seed=1).sigmoid()
    loss, _ = total(denoise.loss, answer, target, exclusive=False)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(((answer.float() - target) ** 2).sum().item(), rel=1e-6)
    assert isinstance(stage.optimizer, AdamW)
    assert (stage.optimizer.lr, stage.optimizer.weight_decay) == (3e-4, 1e-5)
    assert (stage.batch, stage.accumulate, stage.epochs) == (8 * 3, 1, EPOCHS)
    assert (denoise.precision, denoise.seed, stage.clip_norm) == ("bfloat16", 3407, None)


def test_what_is_added_around_a_slice_has_no_part_in_the_sum(denoise: Recipe) -> None:
    """NOISE-11; NOISE-7: targets are not padded; answers are cut to 300 x 1259 before the error."""
    answer, target = noise(2, 1, 4, 6), noise(2, 1, 4, 6, seed=1)
    valid = torch.zeros(2, 1, 4, 6)
    valid[..., :3, :5] = 1
    found, _ = total(denoise.loss, answer, target, valid, exclusive=False)
    cut, _ = total(denoise.loss, answer[..., :3, :5], target[..., :3, :5], exclusive=False)
    assert found.item() == pytest.approx(cut.item(), rel=1e-6)


@pytest.mark.parametrize("per_epoch", [1, 46, 1875])
def test_one_epoch_up_then_a_cosine_that_ends_at_a_quarter(stage: Stage, per_epoch: int) -> None:
    """NOISE-12."""
    steps, end = per_epoch * EPOCHS, 1.5 * per_epoch * EPOCHS
    assert stage.schedule.unit == "step"
    for step in (0, per_epoch // 2, per_epoch, 7 * per_epoch + 3, steps // 2, steps - 1):
        if step < per_epoch:
            expected = step / per_epoch
        else:
            expected = (1 + math.cos(math.pi * (step - per_epoch) / (end - per_epoch))) / 2
        assert stage.schedule.factor(step, steps) == pytest.approx(expected, rel=1e-12)
    assert stage.schedule.factor(steps - 1, steps) == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("name", ["denoise", "denoise-released"])
def test_95_of_100_volumes_train(name: str, tmp_path: Path) -> None:
    """NOISE-5: a quarter is held out, and 80.2 % of it trains after all: 95 % of 250 and more."""
    image = ArrayVolume(np.zeros((1, 2, 2, 2), np.float32), "zyx", "v")
    cases = [Case(f"{n:03}", f"{n:03}", image, image) for n in range(250)]
    _, folds = load_recipe(name).split.assign(cases, tmp_path)
    share = sum(fold != 0 for fold in folds) / 250
    assert share == pytest.approx(0.75 + 0.25 * 0.802, abs=0.005)
    assert 0.945 <= share <= 0.96


@pytest.mark.parametrize(("name", "decay"), [("denoise", 0.3), ("denoise-released", 0.67)])
def test_the_average_forgets_by_the_epoch_and_warms_up(name: str, decay: float) -> None:
    """NOISE-13: 0.3 is meant; with a third of the steps, as three processes take, 0.3^(1/3)."""
    assert round(0.3 ** (1 / 3), 2) == 0.67
    (stage,) = load_recipe(name).stages
    assert stage.ema is not None
    network, steps = nn.Linear(1, 1, bias=False), 30
    average, expected = Average(stage.ema, network), float(network.weight.detach())
    for n in range(1, 3 * steps + 1):
        nn.init.constant_(network.weight, math.sin(n))
        average.update(network, steps_per_epoch=steps)
        d = min(decay ** (1 / steps), (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * math.sin(n)
    assert float(average.tensors["weight"]) == pytest.approx(expected, rel=1e-5)


def test_the_last_average_is_the_member(denoise: Recipe, stage: Stage) -> None:
    """NOISE-14."""
    assert stage.member == "last"
    assert stage.validate_every == 1
    assert denoise.monitor.kind == "ssim"


def test_every_held_out_slice_counts_once_whatever_the_batch(denoise: Recipe) -> None:
    """NOISE-15: six slices in batches of four; no repeat that fills the last one is in the mean."""
    frame = denoise.frame.model_copy(update={"size": (32, 32)})
    options = denoise.predict.model_copy(update={"batch": 4})
    changes = {"frame": frame, "predict": options, "precision": "float32"}
    cubes = np.random.default_rng(15).random((2, 24, 12, 8)).astype(np.float32)
    noisy, clean = (ArrayVolume(cube[None], "zyx") for cube in cubes)
    found = validate(
        denoise.model_copy(update=changes),
        denoise.task.model_copy(update={"unit": 1.0}),
        [Case("v", "v", noisy, clean)],
        Member(nn.Identity(), frame.normalise),
        device=torch.device("cpu"),
        precision=None,
    )
    pairs = [(cubes[0, :, :, n], cubes[1, :, :, n]) for n in (2, 4, 6)]
    pairs += [(cubes[0, :, n], cubes[1, :, n]) for n in (3, 6, 9)]
    each = [structural_similarity(a, b, data_range=1) for a, b in pairs]
    assert found.value == pytest.approx(np.mean(each), abs=1e-5)
    assert np.mean([*each, each[0], each[0]]) != pytest.approx(np.mean(each), abs=1e-4)


class Lopsided(nn.Module):
    """Sees left and right differently."""

    def forward(self, x: Tensor) -> Tensor:
        ramp = torch.linspace(-3, 3, x.shape[-2])[:, None]  # as the recipe turns it
        return (x * ramp).sigmoid()


def test_the_mean_of_the_sigmoids_of_a_slice_and_its_mirror(denoise: Recipe) -> None:
    """NOISE-16."""
    pixels = noise(1, 32, 16)
    frame = denoise.frame.model_copy(update={"slices": None, "size": (32, 16)})
    found = predict_image(
        ArrayVolume(np.asarray(pixels.numpy()), "yx", "slice"),
        [Member(Lopsided(), denoise.frame.normalise)],
        frame,
        denoise.task,
        denoise.predict,
        tile=(32, 16),
        device=torch.device("cpu"),
    )
    # The network sees the axis of 300 as rows; the mirror turns that axis round.
    ramp = torch.linspace(-3, 3, 16)
    expected = ((pixels * ramp).sigmoid() + (pixels * ramp.flip(0)).sigmoid()) / 2
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_one_process_trains_and_predicts(tmp_path: Path) -> None:
    """NOISE-18: weights bear the names that the network itself gives them, with no wrapper."""
    data = write_pairs(tmp_path / "data", count=2, shape=(8, 32, 32))
    changes = (
        "split.count=2",
        "frame.size=[32,32]",
        "network={kind: dncnn, depth: 3, width: 4}",
        "stages.main.epochs=1",
        "stages.main.batch=4",
        "stages.main.sampler.count=8",
    )
    recipe = load_recipe("denoise-laptop", changes)
    train(recipe, data=data, out=tmp_path / "run", device="cpu")
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    plain = recipe.network.build(1, 1).state_dict()
    assert bundle.network(0).state_dict().keys() == plain.keys()
    done = predict([tmp_path / "run"], [data], tmp_path / "pred", device="cpu", progress=False)
    assert (done.cases, done.predicted) == (12, 12)  # six slices of each volume


def test_predicting_the_noise_is_an_option_without_the_sigmoid() -> None:
    """NOISE-19."""
    changes = ("network.residual=true", "network.activation=identity", "network.encoder=resnet18")
    recipe = load_recipe("denoise", (*changes, "network.weights=none"))
    network = recipe.network.build(1, 1).eval()
    head = network.get_submodule("segmentation_head.0")
    nn.init.zeros_(head.get_parameter("weight"))
    nn.init.zeros_(head.get_parameter("bias"))
    image = noise(1, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(image), image)
