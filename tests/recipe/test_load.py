"""The way in: names, files, changes; and nothing that a recipe says is ever run."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lamina
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe


def test_a_path_and_a_name_are_both_sources(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: folder-laptop\nname: mine", encoding="utf-8")
    recipe = load_recipe(path, ["stages.main.epochs=2", "loss.dice.weight=3"])
    assert (recipe.name, recipe.stages[0].epochs) == ("mine", 2)
    assert [part.weight for part in recipe.loss] == [1, 3]
    assert load_recipe("steel").name == "steel"


def test_it_is_the_public_one() -> None:
    assert lamina.load_recipe is load_recipe


def test_another_kind_takes_the_place_of_the_whole_part() -> None:
    data = load_recipe("steel-laptop", ["data.kind=folder"]).data
    assert data.model_dump(mode="json")["images"] == "images"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stages.mian.epochs=2"], "-s stages.mian.epochs=2: 'stages.mian' is none of main"),
        (["frame.size=[250, 250]"], "-s frame.size=[250, 250]: frame.size is [250, 250]; unet"),
        (["split.validate=[[9, 3]]"], "-s split.validate=[[9, 3]]: split: a range needs"),
        (["data.kind=foldr"], "-s data.kind=foldr: data.kind is 'foldr'; it must be one of"),
        (["network.kind=a.b:C"], "-s network.kind=a.b:C: network.kind is 'a.b:C'; it must be"),
        (["train.lr=3"], "-s train.lr=3: train.lr is not an option here"),
        (["seed=-1", "train.batch=0"], "-s seed=-1: seed is -1; input should be greater than or "
         "equal to 0\n-s train.batch=0: train.batch is 0; input should be greater than or equal"),
        (["task.kind=multiclass", "task.names=[a, a]"], "-s task.names=[a, a]: task: names must"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError, match="^" + re.escape(message)):
        load_recipe("volume-laptop", overrides)


def test_a_bad_recipe_is_refused_before_three_seconds_are_over(tmp_path: Path) -> None:
    """G07."""
    path = tmp_path / "bad.yaml"
    path.write_text("extends: steel\nframe: {size: [100, 100]}", encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(RecipeError, match=r"bad\.yaml:2: frame\.size is \[100, 100\]"):
        load_recipe(path)
    assert time.process_time() - begun < 3


HOSTILE = [
    "a: !!python/object/apply:os.system ['touch canary']",
    "a: !!python/name:os.system",
    "extends: steel\n_target_: os.system",
    "extends: steel\nnetwork: {kind: os.system, args: [touch canary]}",
    "extends: steel\nnetwork: {kind: unet, encoder: os.system, weights: '$(touch canary)'}",
    "extends: steel\ndata: {type: subprocess.run, table: '${oc.env:HOME}'}",
    "extends: steel\nname: '{{ 1 + 1 }}'",
    "extends: steel\nmetric: {kind: lamina.cli.main}",
    "extends: steel\nloss: [{kind: __import__('os').system('touch canary')}]",
    "extends: |\n  $(touch canary)",
    "<<: {a: 1}",
]

WATCH = """
import json, sys
from lamina.errors import RecipeError
from lamina.recipe.load import load_recipe, resolved_text, why
load_recipe("steel")                       # whatever is loaded late is loaded now
texts = json.loads(sys.argv[1])
paths = []
for number, text in enumerate(["name: 3", *texts]):
    paths.append(f"{number}.yaml")
    with open(paths[-1], "w") as stream:
        stream.write(text)
try:
    load_recipe(paths[0])
except RecipeError:
    pass
seen = []
def watch(event, args):
    bad = ("import", "exec", "compile", "os.", "subprocess", "socket", "pickle", "ctypes")
    harmless = ("os.listdir", "os.scandir")
    if event.startswith(bad) and event not in harmless:
        seen.append(event)
sys.addaudithook(watch)
refused = 0
for path in paths[1:]:
    try:
        load_recipe(path)
    except RecipeError:
        refused += 1
for word in ("network.encoder=os.system", "name=!!python/name:os.system", "a.__class__.b=1"):
    try:
        load_recipe("steel", [word])
    except RecipeError:
        pass
found = list(seen)
print(json.dumps({"refused": refused, "seen": found}))
"""


def test_no_word_of_a_recipe_imports_or_calls_anything(tmp_path: Path) -> None:
    """G06."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps(HOSTILE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seen"] == []
    # one of them is sound: an encoder's name is only looked up when the network is built
    assert found["refused"] == len(HOSTILE) - 1
    assert not (tmp_path / "canary").exists()


keys = st.sampled_from(
    ["seed", "name", "frame.size", "train.epochs", "train.batch", "loss", "loss.bce.weight",
     "predict.overlap", "decide.threshold", "data.labels", "split.count", "task.names",
     "train.optimizer.lr", "transforms", "network.dropout", "frame.normalise.kind"]
)  # fmt: skip
values = st.sampled_from(
    ["-1", "0", "1e308", "1e999", "-.inf", ".nan", "9" * 50, "[]", "{}", "[[]]", "null", "''",
     "true", "[1, 2, 3]", "{kind: 3}", "[{kind: []}]", "é", "[-32, 32]", "{kind: dataset}"]
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(keys, values), min_size=1, max_size=3))
def test_odd_numbers_and_empty_lists_are_taken_or_refused(
    changes: list[tuple[str, str]],
) -> None:
    """G08."""
    overrides = [f"{key}={value}" for key, value in changes]
    with contextlib.suppress(RecipeError):
        recipe = load_recipe("folder-laptop", overrides)
        assert isinstance(recipe, Recipe)
        assert len(recipe.digest()) == 64
