"""Made labels and ensembles of the steel pipeline, by the numbers of its facts."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lamina.bundle import Bundle, KnownCase, MemberWeights
from lamina.data.case import Case
from lamina.data.catalogs import CsvRle
from lamina.data.network_input.normalise import Fixed
from lamina.data.tables.csv import read_table
from lamina.data.targets.pseudo_labels import PseudoLabelFolder
from lamina.model.losses import total
from lamina.prediction.engine import Member, predict_image
from lamina.pseudo_labels.confidence import Filters
from lamina.pseudo_labels.make import pseudo
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.seeding import rng
from lamina.synthetic.steel import write_severstal
from lamina.task import Task
from lamina.training.sources.pseudo_labels import PseudoLabelCases
from lamina.volume import ArrayVolume, read_all

NAMES = ("class_1", "class_2", "class_3", "class_4")
TASK = Task(kind="multilabel", names=NAMES)
SMALL = {
    "kind": "unet",
    "encoder": "mobilenetv3_small_050",
    "weights": "none",
    "decoder": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]},
}
CHANGES = ("predict.tile=[64, 96]", "decide.min_area=0", "decide.min_component=0")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of three strips by the steel recipe with a tiny network."""
    folder = tmp_path_factory.mktemp("made")
    write_severstal(folder / "new", count=3, shape=(64, 96))
    values = load_recipe("steel", CHANGES).model_dump(mode="json")
    recipe = Recipe.model_validate(values | {"network": SMALL, "task": TASK.model_dump()})
    members = []
    for fold in range(2):
        torch.manual_seed(fold)
        weights = recipe.network.build(1, 4).state_dict()
        members.append(MemberWeights(f"fold{fold}", weights, fold, "main", 0.5, Fixed()))
    cases = {f"{fold}.png": KnownCase(sha256=(f"{fold}",), fold=fold) for fold in range(2)}
    Bundle.make(recipe, members, cases=cases).save(folder / "bundle")
    anything = Filters(unsure=1e9, unsure_empty=1)
    images = folder / "new" / "train_images"
    pseudo([folder / "bundle"], [images], folder / "made", filters=anything, device="cpu")
    return folder


def test_made_labels_are_the_competitions_table_beside_images_by_reference(
    made: Path, tmp_path: Path
) -> None:
    """STEEL-8: labels and images joined in one folder, as published; lamina needs no copy."""
    table = made / "made" / "labels" / "all" / "train.csv"
    assert read_table(table).columns == ("ImageId_ClassId", "EncodedPixels")
    assert len(read_table(table).rows) == 3 * 4
    images = {row.cells[0]: row.cells[1] for row in read_table(made / "made" / "images.csv").rows}
    assert all(Path(path).parent == made / "new" / "train_images" for path in images.values())

    shutil.copytree(made / "new" / "train_images", tmp_path / "train_images")
    shutil.copy(table, tmp_path / "train.csv")
    joined = {case.id: case for case in CsvRle().open(tmp_path, TASK).cases}
    cases = PseudoLabelFolder.open(made / "made").cases("all", soft=False)
    assert {f"pseudo/{id}" for id in joined} == {case.id for case in cases}
    for case in cases:
        other = joined[case.id.removeprefix("pseudo/")]
        assert case.target is not None
        assert other.target is not None
        np.testing.assert_array_equal(read_all(case.target), read_all(other.target))
        assert case.facts["classes"] == other.facts["classes"]


@pytest.mark.parametrize(
    ("batch", "pseudo", "passes"), [(16, 2, 0.82), (18, 2, 0.73), (32, 3, 0.62), (36, 4, 0.73)]
)
def test_a_stage_mixes_the_published_numbers(batch: int, pseudo: int, passes: float) -> None:
    """STEEL-20."""
    recipe = load_recipe("steel", [f"train.batch={batch}", "stages.main.pseudo.labels=hard"])
    image = ArrayVolume(np.zeros((1, 256, 1600), np.uint8))
    own = [Case("t", "t", image, facts={"classes": ""})] * 10_054
    others = [Case("p", "p", image, facts={"classes": "", "source": "pseudo"})] * 1801
    stage, cases = PseudoLabelCases({"hard": others}).mixed(recipe.stages[0], own)
    draws = stage.sampler.draws(
        cases, size=recipe.frame.size, batch=batch, epoch=0, rng=rng(0, "test")
    )
    groups = stage.sampler.groups(len(draws), batch)
    assert len(groups) == (10_054 + 1801) // batch
    for group in groups:
        assert sum(draws[i].case >= 10_054 for i in group) == pseudo
    assert len(groups) * pseudo / 1801 == pytest.approx(passes, abs=0.006)


@pytest.mark.parametrize(("share", "count"), [(0.12, 2), (0.25, 4), (0.5, 8)])
def test_a_share_may_be_said_plainly(share: float, count: int) -> None:
    """STEEL-20."""
    recipe = load_recipe("steel", [f"stages.main.pseudo.share={share}"])
    image = ArrayVolume(np.zeros((1, 256, 416), np.uint8))
    own = [Case("t", "t", image, facts={"classes": ""})] * 40
    others = [Case("p", "p", image, facts={"classes": "", "source": "pseudo"})] * 40
    stage, cases = PseudoLabelCases({"soft": others}).mixed(recipe.stages[0], own)
    draws = stage.sampler.draws(
        cases, size=recipe.frame.size, batch=16, epoch=0, rng=rng(0, "test")
    )
    assert [sum(draw.case >= 40 for draw in draws[:16]), len(draws)] == [count, 80]


def test_the_loss_of_soft_targets_follows_its_formula_and_is_least_for_them() -> None:
    """STEEL-11 for made labels: 0.6 BCE + 0.4 (1 - 2 sum(pt) / (sum p + sum t + 1e-7))."""
    recipe = load_recipe("steel", ["label_smoothing=0"])
    torch.manual_seed(0)
    target = torch.rand(2, 4, 8, 8) * 0.9 + 0.05
    logits = torch.randn(2, 4, 8, 8, requires_grad=True)
    loss, parts = total(recipe.loss, logits, target, None, exclusive=False)
    p, t = logits.detach().sigmoid().double(), target.double()
    bce = -(t * p.log() + (1 - t) * (1 - p).log()).mean()
    dice = 1 - 2 * (p * t).sum() / (p.sum() + t.sum() + 1e-7)
    assert float(loss.detach()) == pytest.approx(float(0.6 * bce + 0.4 * dice), rel=1e-5)
    loss.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    at_target, _ = total(recipe.loss[:1], target.logit(), target, None, exclusive=False)
    for step in (-0.1, 0.1):
        other, _ = total(recipe.loss[:1], target.logit() + step, target, None, exclusive=False)
        assert other > at_target
    assert set(parts) == {"bce", "dice"}


class Constant(nn.Module):
    """Answers one probability everywhere."""

    def __init__(self, prob: float) -> None:
        super().__init__()
        self.logit = math.log(prob / (1 - prob))

    def forward(self, x: Tensor) -> Tensor:
        return torch.full((len(x), 4, *x.shape[2:]), self.logit)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("probability", (2 * 0.2 + 0.9) / 3),
        ("root_mean_square", math.sqrt((2 * 0.2**2 + 0.9**2) / 3)),
        ("cubic", ((2 * 0.2**3 + 0.9**3) / 3) ** (1 / 3)),
        ("logit", 1 / (1 + (0.25 ** (-2 / 3)) * 9 ** (-1 / 3))),
    ],
)
def test_means_of_an_ensemble(pool: str, expected: float) -> None:
    """STEEL-24."""
    levels: dict[str, Any] = {"members": pool}
    if pool == "logit":
        levels |= {"views": "logit", "tiles": "logit"}
    recipe = load_recipe("steel", [f"predict.mean_of.{k}={v}" for k, v in levels.items()])
    members = [Member(Constant(prob), Fixed(), weight) for prob, weight in ((0.2, 2.0), (0.9, 1.0))]
    found = predict_image(
        ArrayVolume(np.zeros((1, 40, 90), np.uint8)),
        members,
        recipe.frame,
        TASK,
        recipe.predict,
        tile=(32, 32),
        device=torch.device("cpu"),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)
