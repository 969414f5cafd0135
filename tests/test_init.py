"""The names at the top: what each of them is, whatever was imported before."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lamina
from lamina.public import VerbResult

VERBS = (
    *("ensemble", "examine", "export", "flatten", "predict", "probe", "pseudo"),
    *("report", "score", "submit", "train", "tune"),
)
EARLIER = Path(__file__).parent / "data" / "earlier_run"


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_always_a_function(name: str) -> None:
    import lamina.prediction.engine
    import lamina.reporting.page
    import lamina.training.run

    for _ in range(2):
        assert inspect.isfunction(getattr(lamina, name))
    assert lamina.training.run.train is not None
    assert lamina.prediction.engine.predict_case is not None


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_returns_a_documented_frozen_value(name: str) -> None:
    verb = getattr(lamina, name)
    module = sys.modules[verb.__module__]
    result = getattr(module, verb.__annotations__["return"])
    assert issubclass(result, VerbResult)
    assert getattr(lamina, result.__name__) is result
    for kind in {var for var in vars(module).values() if _is_result(var)}:
        assert kind.__dataclass_params__.frozen
        text = inspect.getsource(kind)
        assert text.count('"""') >= 2 + 2 * len(dataclasses.fields(kind)), kind


def _is_result(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, VerbResult) and value is not VerbResult


def test_every_name_is_there_and_importing_lamina_loads_nothing_heavy() -> None:
    for name in lamina.__all__:
        assert getattr(lamina, name) is not None
    assert dir(lamina) == sorted(lamina.__all__)
    code = "import lamina, sys; print({'numpy', 'torch', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        lamina.trian  # type: ignore[attr-defined]  # noqa: B018


def test_type_checkers_see_the_names_that_are_loaded() -> None:
    tree = ast.parse(Path(inspect.getfile(lamina)).read_text(encoding="utf-8"))
    (block,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    homes = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert homes.pop("rle") == "lamina"
    assert homes == vars(lamina)["_HOMES"]
    assert (Path(inspect.getfile(lamina)).parent / "py.typed").is_file()


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EARLIER, tmp_path / "earlier")
    monkeypatch.chdir(tmp_path / "earlier")


@pytest.mark.usefixtures("earlier")
def test_paths_are_text_or_path_objects_one_or_several() -> None:
    one = lamina.predict("run", "data/images", "one")
    several = lamina.predict([Path("run")], [Path("data") / "images"], Path("several"))
    assert (one.out, several.out) == (Path("one"), Path("several"))
    assert one.cases == several.cases == len(lamina.Predictions.open("one").ids) == 8
    scores = [lamina.score(pred, "data") for pred in ("one", Path("several"))]
    assert scores[0] == scores[1]
    assert lamina.submit("one", "one.csv", format="severstal").rows == 8
    assert lamina.report("run", "page.html").report == Path("page.html")
    assert lamina.Bundle.load("run/bundle").recipe.name == lamina.load_recipe("recipe.yaml").name
    assert lamina.open_volume("data/images/" + lamina.Predictions.open("one").ids[0] + ".png").axes
    assert lamina.examine("recipe.yaml", root="data").exit_code == 0


@pytest.mark.usefixtures("earlier")
def test_results_are_what_the_command_line_prints() -> None:
    tuned = lamina.tune("run")
    assert tuned.to_dict() == json.loads(Path("run/tune.json").read_text(encoding="utf-8"))
    assert lamina.Bundle.load("run/bundle").decision == tuned.decision
    result = lamina.train("recipe.yaml", data="data", out="run")
    assert result.bundle == Path("run/bundle")
    for fold in result.folds:
        stored = Path(f"run/fold{fold.fold}/member.json").read_text(encoding="utf-8")
        assert fold.to_dict() == json.loads(stored)


CALLS: dict[str, Callable[[Any], Any]] = {
    "ensemble": lambda path: lamina.ensemble([path], "out"),
    "export": lambda path: lamina.export(path, "edge"),
    "flatten": lambda path: lamina.flatten(path, "out", lamina.load_recipe("ink").data),
    "load_recipe": lambda path: lamina.load_recipe(path),
    "open_volume": lambda path: lamina.open_volume(path),
    "predict sources": lambda path: lamina.predict(path, "images", "out"),
    "predict inputs": lambda path: lamina.predict("run", path, "out"),
    "probe": lambda path: lamina.probe("denoise-laptop", data=path),
    "pseudo": lambda path: lamina.pseudo(path, "images", "out"),
    "report": lambda path: lamina.report(path),
    "score pred": lambda path: lamina.score(path, "data"),
    "score truth": lambda path: lamina.score("pred", path),
    "submit": lambda path: lamina.submit(path, "out.csv"),
    "train recipe": lambda path: lamina.train(path, data="data", out="out"),
    "train data": lambda path: lamina.train("recipe.yaml", data=path, out="out"),
    "train start": lambda path: lamina.train(
        lamina.load_recipe("recipe.yaml", ["train.start=bundle"]),
        **{"data": "data", "out": "out", "start": path},
    ),
    "tune": lambda path: lamina.tune(path),
    "Bundle.load": lambda path: lamina.Bundle.load(path),
    "Predictions.open": lambda path: lamina.Predictions.open(path),
}


@pytest.mark.usefixtures("earlier")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("path", ["nowhere/at all", 3, "", Path("nowhere")])
def test_a_path_that_is_none_or_leads_nowhere_is_refused(call: str, path: Any) -> None:
    with pytest.raises(lamina.LaminaError) as caught:
        CALLS[call](path)
    assert ("nowhere" if path not in (3, "") else f"is {path!r};") in str(caught.value)
