"""Docstrings of public functions: every argument is described, and examples run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import shutil
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

import lamina
from lamina.outputs.objects import write_objects
from lamina.synthetic.scroll import write_fragments
from tests.factories.predictions import write_predictions

EARLIER = Path(__file__).parent / "data" / "earlier_run"
NAMED = {name: getattr(lamina, name) for name in lamina.__all__}
FUNCTIONS = {
    **{name: value for name, value in NAMED.items() if inspect.isfunction(value)},
    "Bundle.load": lamina.Bundle.load,
    "Model.__call__": lamina.Model.__call__,
    "Predictions.open": lamina.Predictions.open,
    "write_objects": write_objects,
}


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the examples name: data, run, other_run, pred, volumes, fragments, new_images."""
    work = Path(shutil.copytree(EARLIER, tmp_path / "work"))
    monkeypatch.chdir(work)
    shutil.copytree("run", "other_run")
    Path("new_images").mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        image = np.random.default_rng(seed).integers(0, 255, (48, 64), np.uint8)
        cv2.imwrite(f"new_images/{name}", image)
    recipe = lamina.load_recipe("faults-laptop")
    prob = np.zeros((recipe.outputs, 8, 8, 8), np.float32)
    prob[-1, 2:6, 2:6, 2:6] = 1
    write_predictions(Path("volumes"), recipe, {"survey": prob})


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_results_and_errors_are_described(name: str) -> None:
    function: Any = FUNCTIONS[name]
    text = inspect.getdoc(function) or ""
    sections = [word for word in ("Args:", "Raises:", "Example:") if f"\n{word}\n" not in text]
    assert sections == []
    signature = inspect.signature(function)
    arguments = [
        parameter for parameter in signature.parameters.values() if parameter.name != "self"
    ]
    silent = [argument.name for argument in arguments if f"\n    {argument.name}: " not in text]
    assert silent == []
    untyped = [one.name for one in arguments if one.annotation is one.empty]
    assert untyped == []
    assert signature.return_annotation is not signature.empty


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("flatten", "probe")])
def test_the_example_of_a_public_function_runs(name: str) -> None:
    function: Any = FUNCTIONS[name]
    run(inspect.unwrap(getattr(function, "__func__", function)), inspect.getmodule(function))


def test_fragments_are_flattened_as_in_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_fragments(Path("fragments"), count=2, shape=(128, 128))
    run(lamina.flatten, inspect.getmodule(lamina.flatten))


def run(value: Any, module: ModuleType | None) -> None:
    assert module is not None
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    (found,) = doctest.DocTestFinder(recurse=False).find(value, globs=dict(vars(module)))
    assert found.examples
    said: list[str] = []
    result = runner.run(found, out=said.append)
    assert result.failed == 0, "".join(said)


def test_examples_of_other_functions_run() -> None:
    public = {inspect.unwrap(getattr(one, "__func__", one)) for one in FUNCTIONS.values()}
    tried = 0
    for found in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if found.name.endswith("__main__"):
            continue
        module = importlib.import_module(found.name)
        for test in doctest.DocTestFinder(exclude_empty=True).find(module):
            if test.examples and not _is(test, public):
                test.globs["__name__"] = "example"  # a class made in one is none of lamina
                said: list[str] = []
                result = doctest.DocTestRunner().run(test, out=said.append)
                assert result.failed == 0, "".join(said)
                tried += 1
    assert tried > 20


def _is(test: doctest.DocTest, functions: set[Any]) -> bool:
    return any(
        isinstance(function, FunctionType)
        and test.name == f"{function.__module__}.{function.__qualname__}"
        for function in functions
    )
