"""Every sentence a user can read, against the recipe of the style guide and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from pydantic import Field, field_validator, model_validator

from lamina.errors import RecipeError
from lamina.options.explain import check
from lamina.recipe.yaml.resolve import resolve
from lamina.spec import Spec


class Bce(Spec):
    kind: Literal["bce"] = "bce"
    weight: float = Field(default=1, gt=0)


class Dice(Spec):
    kind: Literal["dice"] = "dice"
    weight: float = Field(default=1, gt=0)
    over: Literal["batch", "image"] = "batch"
    thresholds: float | tuple[float, ...] = 0.5

    @field_validator("thresholds")
    @classmethod
    def _not_seven(cls, value: object) -> object:
        if value == 7:
            raise ValueError("thresholds cannot be 7")
        return value

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.weight == 2 and self.over == "image":
            raise ValueError("a weight of 2 needs over: batch")
        return self


class Stage(Spec):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    epochs: int = Field(ge=1)
    lr: float = Field(gt=0)
    positive_rate: float | None = Field(default=None, gt=0, le=1)
    start: str | None = None
    second: Annotated[Bce | Dice, Field(discriminator="kind")] = Bce()


class Small(Spec):
    name: str
    seed: int = 0
    debug: bool = False
    size: tuple[int, int] = (1, 2)
    labels: dict[int, int] = Field(default_factory=dict)
    weights: Literal["none", "imagenet"] | tuple[float, ...] = "none"
    loss: tuple[Annotated[Bce | Dice, Field(discriminator="kind")], ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1)
    validation: int = Field(default=0, alias="validate")

    @model_validator(mode="after")
    def _stages_start_from_earlier_ones(self) -> Self:
        done: list[str] = []
        for stage in self.stages:
            if stage.start is not None and stage.start not in done:
                raise ValueError(
                    f"stage '{stage.name}' starts from '{stage.start}', which is not an earlier "
                    f"stage; earlier are: {', '.join(done) or 'none'}"
                )
            done.append(stage.name)
        if self.size[0] == 3:
            raise ValueError("size is [3, .]; it must be even")
        return self


STYLE = """name: siim
seed: 1
loss:
  - kind: bce
  - kind: dicee
train:
  lr: 1e-4
stages:
  - name: warm
    epochs: 3

  - name: tune
    epoch: 3
    start: warm
    positive_rate: 1.6

name: again
"""

GOOD = """name: a
loss:
- {kind: bce}
- kind: dice
  weight: 2
train:
  lr: 1e-4
stages:
- {name: warm, epochs: 3}
- {name: tune, epochs: 2, start: warm}
"""


def complaint(
    text: str, *overrides: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    (folder / "siim.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(folder)
    found = resolve("siim.yaml", overrides)
    with pytest.raises(RecipeError) as caught:
        check(Small, found.root, found.train, found.problems)
    assert caught.value.exit_code == 2
    return str(caught.value).split("\n")


def test_the_recipe_of_the_style_guide_is_refused_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complaint(STYLE, folder=tmp_path, monkeypatch=monkeypatch) == [
        "siim.yaml:5: loss.1.kind is 'dicee'; it must be one of bce, dice; did you mean 'dice'?",
        "siim.yaml:13: stages.tune.epoch is not an option here; did you mean 'epochs'?",
        "siim.yaml:15: stages.tune.positive_rate is 1.6; input should be less than or equal to 1",
        "siim.yaml:17: 'name' is set twice; first on line 1",
    ]


def test_the_change_of_the_style_guide_is_refused_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert complaint(GOOD, "stages.tnue.lr=1e-5", folder=tmp_path, monkeypatch=monkeypatch) == [
        "-s stages.tnue.lr=1e-5: 'stages.tnue' is none of warm, tune"
    ]


@pytest.mark.parametrize(
    ("old", "new", "problems"),
    [
        ("loss:", "los:", ["siim.yaml:2: los is not an option here; did you mean 'loss'?"]),
        (
            "train:",
            "quux: 3\ntrain:",
            [
                "siim.yaml:6: quux is not an option here; options are name, seed, debug, size, "
                "labels, weights, loss, stages, validate, extends, train"
            ],
        ),
        (
            "kind: dice",
            "knd: dice",
            ["siim.yaml:4: loss.1.knd is not an option here; did you mean 'kind'?"],
        ),
        (
            "  weight: 2\n",
            "  weight: 2\n- {weight: 1}\n",
            ["siim.yaml:6: loss.2 has no kind; it must be one of bce, dice"],
        ),
        (
            "epochs: 3",
            "epochs: three",
            ["siim.yaml:9: stages.warm.epochs is 'three'; input should be a whole number"],
        ),
        (
            "epochs: 3",
            "epochs: '3'",
            ["siim.yaml:9: stages.warm.epochs is '3'; input should be a whole number"],
        ),
        ("epochs: 3", "lr: 1", ["siim.yaml:9: stages.warm.epochs is missing"]),
        (
            "lr: 1e-4",
            "lr: -1e-4",
            ["siim.yaml:7: train.lr is -1e-4; input should be greater than 0"],
        ),
        ("lr: 1e-4", "lr: .nan", ["siim.yaml:7: .nan is not a finite number"]),
        (
            "lr: 1e-4",
            "lrr: 1e-4",
            ["siim.yaml:7: train.lrr is not an option here; did you mean 'lr'?"],
        ),
        (
            "lr: 1e-4",
            "lr: 1\n  second: {kind: dice, weigt: 1}",
            ["siim.yaml:8: train.second.weigt is not an option here; did you mean 'weight'?"],
        ),
        (
            "lr: 1e-4",
            "lr: 1\n  second: {kind: focal}",
            ["siim.yaml:8: train.second.kind is 'focal'; it must be one of bce, dice"],
        ),
        (
            "start: warm",
            "start: wram",
            [
                "siim.yaml:10: stage 'tune' starts from 'wram', which is not an earlier stage; "
                "earlier are: warm"
            ],
        ),
        (
            "weight: 2",
            "weight: 2\n  over: image",
            ["siim.yaml:4: loss.dice: a weight of 2 needs over: batch"],
        ),
        ("weight: 2", "thresholds: 7", ["siim.yaml:5: loss.dice.thresholds cannot be 7"]),
        (
            "weight: 2",
            "thresholds: [1, x]",
            ["siim.yaml:5: loss.dice.thresholds.1 is 'x'; input should be a number"],
        ),
        (
            "weight: 2",
            "over: bach",
            [
                "siim.yaml:5: loss.dice.over is 'bach'; it must be one of batch, image; "
                "did you mean 'batch'?"
            ],
        ),
        (
            "name: a",
            "name: a\nweights: 3",
            [
                "siim.yaml:2: weights is 3; it must be one of none, imagenet "
                "or input should be a list"
            ],
        ),
        (
            "name: a",
            "name: a\ndebug: on",
            ["siim.yaml:2: debug is 'on'; input should be true or false"],
        ),
        (
            "name: a",
            "name: a\nseed: 012",
            ["siim.yaml:2: seed is '012'; input should be a whole number"],
        ),
        ("name: a", "name: 12", ["siim.yaml:1: name is 12; input should be text"]),
        ("name: a", "name: a\nsize: [1]", ["siim.yaml:2: size is [1]; it has too few items"]),
        ("name: a", "name: a\nsize: [3, 4]", ["siim.yaml:2: size is [3, .]; it must be even"]),
        (
            "name: a",
            "name: a\nlabels: {x: 1}",
            ["siim.yaml:2: a key of labels is 'x'; input should be a whole number"],
        ),
        (
            "name: a",
            "name: a\nvalidation: 1",
            ["siim.yaml:2: validation is not an option here; did you mean 'validate'?"],
        ),
        (
            "name: a",
            "name: a\nvalidate: x",
            ["siim.yaml:2: validate is 'x'; input should be a whole number"],
        ),
    ],
)
def test_one_mistake_gives_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    problems: list[str],
) -> None:
    """G01, G07, G08."""
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    assert complaint(text, folder=tmp_path, monkeypatch=monkeypatch) == problems


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("seed=-x", "seed is '-x'; input should be a whole number"),
        ("loss.dice.weight=-1", "loss.dice.weight is -1; input should be greater than 0"),
        ("train.epoc=1", "train.epoc is not an option here; did you mean 'epochs'?"),
        ("epochs=1", "epochs is not an option here; did you mean 'train.epochs'?"),
        ("epoch=1", "epoch is not an option here; did you mean 'train.epochs'?"),
        (
            "weight=1",
            "weight is not an option here; did you mean 'train.second.weight' or "
            "'loss.bce.weight' or 'loss.dice.weight'?",
        ),
        (
            "stages.warm.weight=1",
            "stages.warm.weight is not an option here; did you mean 'stages.warm.second.weight'?",
        ),
        ("stages=[]", "stages is []; it needs 1 or more items"),
        ("loss={kind: bce}", "loss is {'kind': 'bce'}; input should be a list"),
        ("train=3", "train is 3; input should be a mapping"),
        (
            "_target_=os.system",
            "_target_ is not an option here; options are name, seed, debug, "
            "size, labels, weights, loss, stages, validate, extends, train",
        ),
    ],
)
def test_a_change_is_blamed_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str, problem: str
) -> None:
    found = complaint(GOOD, override, folder=tmp_path, monkeypatch=monkeypatch)
    assert found[0] == f"-s {override}: {problem}"


def test_a_sound_recipe_becomes_its_value(tmp_path: Path) -> None:
    path = tmp_path / "siim.yaml"
    path.write_text(GOOD, encoding="utf-8")
    found = resolve(path, ["train.lr=1", "stages.tune.lr=2", "labels.255=1"])
    small = check(Small, found.root, found.train, found.problems)
    assert [stage.lr for stage in small.stages] == [1, 2]
    assert small.labels == {255: 1}
    assert small.loss == (Bce(), Dice(weight=2))
