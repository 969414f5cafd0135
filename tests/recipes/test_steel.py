"""The steel pipeline item by item, as it was meant (``steel``) and as it ran (``steel-released``).

Each test cites the number of the fact it holds. What a component promises in general is tested
beside that component; here stand the published settings and formulas.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from lamina.data.case import Case
from lamina.data.catalogs import CsvRle
from lamina.data.network_input.make_sample import make_sample
from lamina.data.network_input.normalise import Fixed
from lamina.data.samplers import Mixed
from lamina.data.samplers.mixed import rounded, shares
from lamina.data.transforms import Blur, Clahe, OneOf, Sharpen
from lamina.model.losses import total
from lamina.model.networks import Smp
from lamina.model.optimization.optimizers import RAdam
from lamina.model.optimization.schedules import FlatThenAnneal
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.recipe.stage import Stage
from lamina.result.decisions import Threshold
from lamina.result.search.threshold import Tables
from lamina.rle.codec import decode, encode
from lamina.seeding import rng
from lamina.task import Task
from lamina.training.stage.validate import plain_masks
from lamina.volume import ArrayVolume, read_all

TASK = Task(kind="multilabel", names=("one", "two", "three", "four"))
DEVIATIONS = (Path(__file__).parents[2] / "docs" / "deviations.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def steel() -> Recipe:
    return load_recipe("steel")


@pytest.fixture(scope="module")
def released() -> Recipe:
    return load_recipe("steel-released")


def stage_of(recipe: Recipe) -> Stage:
    (stage,) = recipe.stages
    return stage


def strips(root: Path, count: int = 4, shape: tuple[int, int] = (256, 512)) -> Path:
    """Write grey strips as colour JPEGs, and defects of class 1 and 3 on the first."""
    (root / "train_images").mkdir(parents=True)
    chance = np.random.default_rng(0)
    for number in range(count):
        grey = chance.integers(0, 255, shape).astype(np.uint8)
        Image.fromarray(np.stack([grey] * 3, -1)).save(root / "train_images" / f"{number}.jpg")
    mask = np.zeros(shape, bool)
    mask[10:40, 20:60] = True
    rows = [f"0.jpg,{k},{encode(mask, 'severstal')}" for k in (1, 3)]
    text = "\n".join(["ImageId,ClassId,EncodedPixels", *rows])
    (root / "train.csv").write_text(text + "\n", encoding="utf-8")
    return root


def cases_of(*classes: str) -> list[Case]:
    image = ArrayVolume(np.zeros((1, 8, 8), np.uint8))
    return [Case(str(i), str(i), image, facts={"classes": c}) for i, c in enumerate(classes)]


def difference(one: Any, two: Any, path: str = "") -> dict[str, tuple[Any, Any]]:
    if isinstance(one, dict) and isinstance(two, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in one.keys() | two.keys():
            found |= difference(one.get(key), two.get(key), f"{path}.{key}")
        return found
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        found = {}
        for number, pair in enumerate(zip(one, two, strict=True)):
            found |= difference(*pair, f"{path}.{number}")
        return found
    return {} if one == two else {path.removeprefix("."): (one, two)}


def test_released_differs_from_steel_in_these_settings_and_no_others(
    steel: Recipe, released: Recipe
) -> None:
    found = difference(steel.model_dump(mode="json"), released.model_dump(mode="json"))
    assert found == {
        "name": ("steel", "steel-released"),
        "frame.normalise.std": (0.1957, 0.0383),  # STEEL-5
        "label_smoothing": (1e-6, 0.0),  # STEEL-12
        "stages.0.schedule.form": ("cosine", "logistic"),  # STEEL-15
        "stages.0.schedule.stretch": (1.0, 1.004),  # STEEL-15
    }


def test_strips_stored_in_equal_colours_are_read_as_one_channel(
    tmp_path: Path, steel: Recipe
) -> None:
    """STEEL-1."""
    case = CsvRle().open(strips(tmp_path), Task(kind="multilabel")).cases[0]
    assert case.image.channels == 3
    region = (
        stage_of(steel)
        .sampler.draws([case], size=steel.frame.size, batch=1, epoch=0, rng=rng(0, "draws"))[0]
        .region
    )
    pixels = steel.frame.read(case.image, region)
    assert pixels.shape == (1, 256, 416)
    np.testing.assert_array_equal(pixels, case.image.read(region)[:1])


def test_images_without_a_row_stay_in_both_generations_of_the_table(
    tmp_path: Path,
) -> None:
    """STEEL-2."""
    later = CsvRle().open(strips(tmp_path), TASK)
    assert [case.facts["classes"] for case in later.cases] == ["0,2", "", "", ""]
    code = (tmp_path / "train.csv").read_text().splitlines()[1].split(",")[2]
    rows = [
        f"{n}.jpg_{k},{code if (n, k) in ((0, 1), (0, 3)) else ''}"
        for n in range(4)
        for k in (1, 2, 3, 4)
    ]
    text = "\n".join(["ImageId_ClassId,EncodedPixels", *rows])
    (tmp_path / "train.csv").write_text(text + "\n", encoding="utf-8")
    earlier = CsvRle().open(tmp_path, TASK)
    assert len(earlier.cases) == len(later.cases) == 4
    for one, two in zip(earlier.cases, later.cases, strict=True):
        assert one.target is not None
        assert two.target is not None
        np.testing.assert_array_equal(read_all(one.target), read_all(two.target))
    assert "| STEEL-2 |" in DEVIATIONS


def test_runs_count_from_one_down_the_columns_of_four_masks(tmp_path: Path) -> None:
    """STEEL-4."""
    mask = np.zeros((256, 1600), bool)
    mask[2:5, 0] = mask[255, 0] = mask[0, 1] = True
    assert encode(mask, "severstal") == "3 3 256 2"
    np.testing.assert_array_equal(decode("3 3 256 2", (256, 1600), "severstal"), mask)
    case = CsvRle().open(strips(tmp_path, 1), TASK).cases[0]
    assert case.target is not None
    assert read_all(case.target).shape == (4, 256, 512)


def test_the_deviation_and_its_square(steel: Recipe, released: Recipe) -> None:
    """STEEL-5."""
    assert pytest.approx(0.0383, abs=5e-5) == 0.1957**2
    image = ArrayVolume(np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    for recipe, divisor in ((steel, 0.1957), (released, 0.0383)):
        assert isinstance(recipe.frame.normalise, Fixed)
        shift, factor = recipe.frame.normalise.factors(image)
        found = (read_all(image) - shift) * factor
        expected = (read_all(image) / 255 - 0.3439) / divisor
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "| STEEL-5 |" in DEVIATIONS


def test_a_fifth_is_held_out_level_in_the_number_of_classes(tmp_path: Path, steel: Recipe) -> None:
    """STEEL-6."""
    cases = cases_of(*[""] * 30, *["0", "2"] * 10, *["0,2", "1,3"] * 5)
    _, folds = steel.split.assign(cases, tmp_path)
    for fold in range(5):
        held = [case for case, f in zip(cases, folds, strict=True) if f == fold]
        numbers = Counter(len(str(case.facts["classes"]).replace(",", "")) for case in held)
        assert numbers == {0: 6, 1: 4, 2: 2}


def test_the_published_transforms(steel: Recipe) -> None:
    """STEEL-7."""
    group, flips = steel.transforms
    assert isinstance(group, OneOf)
    assert isinstance(flips, OneOf)
    assert group.p == 1
    assert group.of == (
        Clahe(clip=(1, 4), grid=(8, 8), p=0.5),
        Blur(kernel=3, p=0.3),
        Sharpen(alpha=(0.2, 0.3), lightness=(0.5, 1), p=0.3),
    )
    assert flips.p == 0.5
    assert [getattr(one, "axes", "") for one in flips.of] == ["x", "y", "yx"]
    for width in (384, 416, 448, 480):
        assert load_recipe("steel", [f"frame.size=[256, {width}]"]).frame.size == (256, width)


def test_half_of_the_crops_show_a_defect_where_there_is_one(tmp_path: Path, steel: Recipe) -> None:
    """STEEL-7."""
    cases = CsvRle().open(strips(tmp_path, 2, (256, 1600)), TASK).cases
    sampler = stage_of(steel).sampler
    draws = [
        draw
        for epoch in range(150)
        for draw in sampler.draws(
            cases, size=steel.frame.size, batch=2, epoch=epoch, rng=rng(0, epoch)
        )
    ]
    origins = Counter((draw.case, draw.origin) for draw in draws)
    assert origins[0, "target"] == pytest.approx(75, abs=25)
    assert origins[0, "target"] + origins[0, "random"] == 150
    assert origins[1, "target"] == 0
    sample = make_sample(
        cases[0], draws[0], steel.frame, steel.frame.normalise, steel.transforms, TASK, rng(0, "x")
    )
    assert sample.image.shape == (1, 256, 416)
    assert sample.target.shape == (4, 256, 416)


@pytest.mark.parametrize("encoder", ["efficientnet-b5", "se_resnext50_32x4d", "inceptionv4"])
@pytest.mark.parametrize("kind", ["unet", "fpn"])
def test_decoders_and_encoders_answer_four_logits(kind: str, encoder: str) -> None:
    """STEEL-9."""
    options = {"decoder_merge_policy": "cat"} if kind == "fpn" else {}
    option = Smp.model_validate(
        {"kind": kind, "encoder": encoder, "decoder": options, "dropout": 0.2}
    )
    with torch.device("meta"):  # shapes without numbers
        network = option.build(1, 4).eval()
        assert network(torch.zeros(1, 1, 256, 416)).shape == (1, 4, 256, 416)


def test_the_published_network(steel: Recipe) -> None:
    """STEEL-9."""
    assert (steel.network.kind, steel.network.encoder) == ("fpn", "efficientnet-b5")
    assert steel.network.decoder["decoder_merge_policy"] == "cat"
    assert 0.1 <= float(str(steel.network.decoder["decoder_dropout"])) <= 0.2


@pytest.mark.parametrize(("stem", "planes"), [("r", [0]), ("g", [1]), ("b", [2]), ("rb", [0, 2])])
def test_the_first_convolution_keeps_the_named_planes(
    tmp_path: Path, stem: str, planes: list[int]
) -> None:
    """STEEL-10."""
    options = {"encoder": "resnet18", "decoder": {"encoder_depth": 3, "decoder_channels": [8] * 3}}
    colour = Smp.model_validate(options).build(3, 4)
    save_file(colour.state_dict(), tmp_path / "colour.safetensors")
    path = str(tmp_path / "colour.safetensors")
    grey = Smp.model_validate(options | {"weights": path, "stem": stem}).build(len(planes), 4)
    name = "encoder.conv1.weight"
    assert torch.equal(grey.state_dict()[name], colour.state_dict()[name][:, planes])


def answers() -> tuple[Tensor, Tensor]:
    chance = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 4, 8, 8, generator=chance)
    return logits, torch.randint(0, 2, (2, 4, 8, 8), generator=chance).float()


def published_loss(logits: Tensor, truth: Tensor) -> Tensor:
    p = logits.sigmoid()
    bce = -(truth * p.log() + (1 - truth) * (1 - p).log()).mean()
    dice = 1 - 2 * (p * truth).sum() / (p.sum() + truth.sum() + 1e-7)
    return 0.6 * bce + 0.4 * dice


def test_the_loss(released: Recipe) -> None:
    """STEEL-11."""
    logits, truth = answers()
    found, _ = total(
        released.loss, logits, truth, exclusive=False, smoothing=released.label_smoothing
    )
    torch.testing.assert_close(found, published_loss(logits, truth))
    nothing = torch.full((1, 4, 8, 8), -200.0)
    _, parts = total(released.loss, nothing, torch.zeros(1, 4, 8, 8), exclusive=False)
    assert float(parts["dice"]) == 1.0  # both empty


def test_smoothing_reaches_both_parts(steel: Recipe, released: Recipe) -> None:
    """STEEL-12."""
    assert (steel.label_smoothing, released.label_smoothing) == (1e-6, 0.0)
    logits, truth = answers()
    e = 0.1  # as large as it takes to be seen
    found, _ = total(steel.loss, logits, truth, exclusive=False, smoothing=e)
    torch.testing.assert_close(found, published_loss(logits, e + (1 - 2 * e) * truth))


def test_smoothing_is_refused_where_targets_are_not_zero_and_one() -> None:
    """STEEL-12."""
    values = load_recipe("steel").model_dump(mode="json")
    for change in (
        {"task": {"kind": "multiclass"}},
        {"loss": [{"kind": "dice", "absent": "skip"}]},
    ):
        with pytest.raises(ValidationError, match="label_smoothing is 1e-06"):
            Recipe.model_validate_json(json.dumps(values | change), strict=True)


def test_dice_per_image_and_class_on_probabilities(steel: Recipe) -> None:
    """STEEL-13."""
    truth: NDArray[np.bool_] = np.zeros((4, 2, 4), bool)
    truth[0, 0], truth[1, 0, :2] = True, True
    prob = np.where(truth, 0.55, 0.45).astype(np.float32)  # logits of +-0.2: below 0.5
    prob[1, 1, :2] = 0.6
    score = steel.monitor.score([steel.monitor.tally(plain_masks(prob, TASK), truth)])
    expected = [1.0, 2 * 2 / (4 + 2), 1.0, 1.0]  # empty against empty is 1
    assert score.classes == pytest.approx(expected)
    assert score.value == pytest.approx(np.mean(expected))
    assert steel.metric == steel.monitor
    assert "| STEEL-13 |" in DEVIATIONS


def test_radam_in_four_groups_and_nothing_left_out(steel: Recipe) -> None:
    """STEEL-14."""
    optimizer = stage_of(steel).optimizer
    assert isinstance(optimizer, RAdam)
    with torch.device("meta"):
        network = steel.network.model_copy(update={"weights": "none"}).build(1, 4)
    groups = optimizer.groups(network)
    assert {group["name"]: (group["lr"], group["weight_decay"]) for group in groups} == {
        "encoder_weights": (7e-5, 3e-5),
        "decoder_weights": (3e-3, 3e-4),
        "encoder_biases": (7e-5, 3e-5),
        "decoder_biases": (3e-3, 3e-4),
    }
    grouped = [id(value) for group in groups for value in group["params"]]
    assert sorted(grouped) == sorted(id(value) for value in network.parameters())
    last = network.get_submodule("segmentation_head").parameters()
    decoder = {id(v) for g in groups if g["name"].startswith("decoder") for v in g["params"]}
    assert {id(value) for value in last} <= decoder


def test_flat_then_cosine_or_logistic(steel: Recipe, released: Recipe) -> None:
    """STEEL-15."""
    meant, ran = stage_of(steel).schedule, stage_of(released).schedule
    assert isinstance(meant, FlatThenAnneal)
    assert isinstance(ran, FlatThenAnneal)
    assert stage_of(steel).epochs == stage_of(released).epochs == 250
    length = 251 - 30  # n_epochs is epochs + 1
    for epoch in (0, 29, 30, 31, 100, 140, 249):
        x = epoch - 30
        cosine = 1.0 if x < 0 else (1 + math.cos(math.pi * x / (250 - 30))) / 2
        assert meant.factor(epoch, 250) == pytest.approx(cosine)
        logistic = 1.0 if x < 0 else 1 / (1 + math.exp((x - 0.5 * length) / (0.1 * length)))
        assert ran.factor(epoch, 250) == pytest.approx(logistic)


def test_validation_is_late_and_rare_and_the_encoder_learns_from_the_start(
    steel: Recipe, released: Recipe
) -> None:
    """STEEL-16."""
    for stage in (stage_of(steel), stage_of(released)):
        assert (stage.validate_every, stage.validate_from) == (10, 100)
        assert stage.freeze_encoder == 0
    later = load_recipe("steel", ["train.freeze_encoder=5", "train.validate_from=150"])
    assert stage_of(later).freeze_encoder == 5  # frozen encoders: tests/training/test_run.py


def test_the_best_checkpoint_survives_epochs_without_validation(steel: Recipe) -> None:
    """STEEL-17; the behaviour itself is tested in tests/training/test_run.py."""
    assert stage_of(steel).member == "best"
    assert "| STEEL-17 |" in DEVIATIONS


def test_a_further_stage_starts_from_weights_with_a_schedule_of_its_own() -> None:
    """STEEL-18."""
    more = "stages=[{name: main}, {name: more, start: main, epochs: 50, schedule: {flat: 5}}]"
    _, second = load_recipe("steel", [more]).stages
    assert second.start == "main"
    assert second.schedule.factor(0, second.epochs) == 1.0
    assert second.schedule.factor(49, second.epochs) < 0.01
    assert "| STEEL-18 |" in DEVIATIONS


def test_batches_of_a_fixed_composition(steel: Recipe) -> None:
    """STEEL-19."""
    sampler = stage_of(steel).sampler
    assert isinstance(sampler, Mixed)
    assert (sampler.how, sampler.alpha) == ("fixed", -0.15)
    labels = ["a"] * 70 + ["b"] * 20 + ["c"] * 10
    weights = {name: -0.15 / 3 + 1.15 * labels.count(name) / 100 for name in "abc"}
    expected = {name: int(np.rint(weight * 16)) for name, weight in weights.items()}
    expected["a"] += 16 - sum(expected.values())  # the rest goes to the largest
    assert rounded(shares(labels, sampler.alpha), 16) == expected


def test_the_published_batch(steel: Recipe) -> None:
    """STEEL-20; all four published batches are in tests/data/samplers/test_mixed.py."""
    stage = stage_of(steel)
    assert isinstance(stage.sampler, Mixed)
    assert stage.sampler.by == "source"
    labels = ["train"] * 10_054 + ["pseudo"] * 1801
    found = rounded(shares(labels, stage.sampler.alpha), stage.batch)
    assert found == {"train": 14, "pseudo": 2}


def test_an_image_belongs_to_its_rarest_defect() -> None:
    """STEEL-21."""
    recipe = load_recipe(
        "steel", ["train.sampler={kind: mixed, by: rarest, alpha: 1}", "train.batch=5"]
    )
    stage = stage_of(recipe)
    # one image with every pair of classes, among images of one class in the published order
    shown = ["0"] * 9 + ["1"] * 2 + ["2"] * 50 + ["3"] * 8 + [""] * 50
    cases = cases_of(*shown, "0,1", "2,3")
    draws = stage.sampler.draws(cases, size=(4, 4), batch=5, epoch=0, rng=rng(0, "draws"))
    batches = stage.sampler.groups(len(draws), 5)
    assert len(batches) == len(cases) // 5
    of_two = {9, 10, len(shown)}  # class 1 is the rarest of "0,1"
    of_four = {*range(61, 69), len(shown) + 1}  # class 3 is rarer than class 2
    for batch in batches:
        numbers = [draws[i].case for i in batch]
        assert sum(n in of_two for n in numbers) == 1
        assert sum(n in of_four for n in numbers) == 1


def test_the_published_decision(steel: Recipe) -> None:
    """STEEL-22."""
    assert steel.decide == Threshold(
        threshold=0.5, min_component=20, min_area=3500, overlap="largest"
    )
    prob = np.zeros((4, 256, 400), np.float32)
    prob[0, :100, :100] = 0.9  # 10,000 pixels
    prob[1, 50:110, 50:110] = 0.9  # 3600, of which 2500 lie under the larger part of class 0
    prob[2, 200:, :63] = 0.9  # 3528
    prob[3, 200:, 100:162] = 0.9  # 3472: too few
    prob[2, 150:153, 300:306] = 0.9  # 18: dropped
    masks = steel.decide(prob)
    assert masks.sum(axis=(1, 2)).tolist() == [10_000, 0, 3528, 0]


@pytest.mark.slow
def test_tuned_a_spot_is_told_from_a_defect_by_its_parts(steel: Recipe) -> None:
    """STEEL-22: published minimum parts are above 0, so that ``lamina tune`` searches them too."""
    assert isinstance(steel.decide, Threshold)
    prob = np.zeros((4, 32, 64), np.float32)
    prob[:, :10, :10] = prob[:, 20:, 20:30] = 0.75  # the defect: two parts of 100 and 120
    truth = prob > 0
    prob[:, ::2, 40::2] = 0.75  # 192 single pixels
    tables = Tables(4, parts=True)
    tables.add(prob, truth)
    decide = tables.best().decision(steel.decide)
    assert decide.min_component == (51, 51, 51, 51)
    assert decide.overlap == "largest"
    assert tables.best().score == 1.0


def test_the_published_quantiles_can_be_minimum_areas() -> None:
    """STEEL-23."""
    recipe = load_recipe("steel", ["decide.min_area=[548, 715, 1146, 2959]"])
    prob = np.zeros((4, 256, 400), np.float32)
    prob[:, :10, :100] = 1  # 1000 pixels of each
    decide = recipe.decide.model_copy(update={"overlap": "keep"})
    assert decide(prob).any(axis=(1, 2)).tolist() == [True, True, False, False]
