"""The rules of the house that a machine can hold: imports run down, options are strict."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest

import lamina
from lamina.spec import Spec, option_docs

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "lamina"

FAMILIES = {
    "lamina.data.catalogs": "AnyCatalog",
    "lamina.data.corruptions": "AnyCorruption",
    "lamina.data.mixing": "AnyMix",
    "lamina.data.samplers": "AnySampler",
    "lamina.data.splits": "AnySplit",
    "lamina.data.transforms": "AnyTransform",
    "lamina.model.losses": "AnyLoss",
    "lamina.model.metrics": "AnyMetric",
    "lamina.model.networks": "AnyNetwork",
    "lamina.result.decisions": "AnyDecision",
    "lamina.result.submissions": "AnySubmission",
}
LARGEST_FILE = 400
LARGEST_FOLDER = 8
FAMILIES_OF_FILES = {
    "doctor/checks": "one check of machine, recipe or data in each, called with a Patient",
    "model/modules": "the torch.nn.Module of one network or encoder in each",
}
"""Folders with one base that are no family of a recipe."""


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(lamina.__path__, "lamina."):
        if not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def below(model: type[Spec]) -> Iterator[type[Spec]]:
    for child in model.__subclasses__():
        yield child
        yield from below(child)


def specs() -> list[type[Spec]]:
    """Return every Spec of the package, whether a recipe can name it or not."""
    for _ in modules():
        pass
    return [model for model in below(Spec) if model.__module__.startswith("lamina.")]


def members(annotation: Any) -> set[type[Spec]]:
    if isinstance(annotation, type):
        return {annotation}
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    assert get_origin(annotation) is Union or annotation.__class__.__name__ == "UnionType"
    return {one for part in get_args(annotation) for one in members(part)}


def test_every_spec_is_frozen_and_refuses_unknown_names() -> None:
    found = specs()
    assert len(found) > 30
    loose = [
        model.__qualname__
        for model in found
        if model.model_config.get("extra") != "forbid"
        or not model.model_config.get("frozen")
        or model.model_config.get("allow_inf_nan", True)
    ]
    assert loose == []


@pytest.mark.parametrize("package", FAMILIES)
def test_a_family_lists_exactly_the_components_of_its_folder(package: str) -> None:
    face = importlib.import_module(package)
    in_folder = set()
    for found in pkgutil.iter_modules(face.__path__, f"{package}."):
        module = importlib.import_module(found.name)
        in_folder |= {
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Spec)
            and value.__module__ == module.__name__
            and "kind" in value.model_fields
        }
    assert members(getattr(face, FAMILIES[package])) == in_folder


@pytest.mark.parametrize("package", FAMILIES)
def test_a_face_names_its_members(package: str) -> None:
    face = importlib.import_module(package)
    for member in members(getattr(face, FAMILIES[package])):
        assert getattr(face, member.__name__) is member


def test_every_option_says_what_it_is() -> None:
    silent = [
        f"{model.__name__}.{name}"
        for model in specs()
        for name in model.model_fields
        if name != "kind" and not option_docs(model).get(name)
    ]
    assert silent == []


def test_imports_run_one_way() -> None:
    command = Path(sysconfig.get_path("scripts")) / "lint-imports"
    if not command.exists():
        pytest.skip("import-linter is not installed; it comes with the extra 'lint'")
    done = subprocess.run(
        [str(command), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {
        str(path.relative_to(SOURCE)): lines
        for path in SOURCE.rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LARGEST_FILE
    }
    assert long == {}


def test_no_folder_holds_more_than_eight_loose_files() -> None:
    """Beside ``__init__.py`` and sub-folders; families of components excepted."""
    families = {name.removeprefix("lamina.").replace(".", "/") for name in FAMILIES}
    full = {}
    for folder in (SOURCE, *(path for path in SOURCE.rglob("*") if path.is_dir())):
        files = [
            path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "__main__")
        ]
        name = folder.relative_to(SOURCE).as_posix()
        if len(files) > LARGEST_FOLDER and name not in families | set(FAMILIES_OF_FILES):
            full[name] = sorted(files)
    assert full == {}


BANNED = {"utils", "helpers", "common", "misc", "manager"}


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = {path.stem for path in SOURCE.rglob("*.py")} | {
        path.name for path in SOURCE.rglob("*") if path.is_dir()
    }
    assert names & BANNED == set()


def test_nothing_in_the_package_can_run_what_it_reads() -> None:
    """No eval, exec or pickle anywhere; generators are made in one place."""
    forbidden = []
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            imported = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            makes_chance = name.endswith(("default_rng", "random.seed", "RandomState"))
            if (
                name in ("eval", "exec", "torch.load", "torch.save", "__import__")
                or {"pickle", "shelve", "marshal"} & set(imported)
                or (makes_chance and path.name != "seeding.py")
            ):
                forbidden.append(f"{path.relative_to(SOURCE)}: {name or imported}")
    assert forbidden == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, lamina; print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
