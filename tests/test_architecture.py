"""The rules of the house that a machine can hold: imports run down, options are strict."""

from __future__ import annotations

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
from tests.ways_to_run_code import ways_to_run

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
    "doctor/checks": "one check of machine, recipe or data in each",
    "model/modules": "the torch.nn.Module of one network or encoder in each",
    "plan/layouts": "one layout of data folders in each",
    "plan/rules": "one decision of a planned recipe in each",
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
    return {member for part in get_args(annotation) for member in members(part)}


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


ALLOWED = {"__init__.py": ["importlib.import_module"] * 2}
"""The public names, loaded on first use: their modules stand in a list of the same file."""


def test_r4_nothing_in_the_package_can_run_what_it_reads() -> None:
    """R4, G06, W01: no way to run code or a program from what is read; chance is made once."""
    found = {
        path.relative_to(SOURCE).as_posix(): ways
        for path in SOURCE.rglob("*.py")
        if (ways := ways_to_run(path.read_text(encoding="utf-8")))
    }
    assert found == ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import pickle as p",
        "import torch, pickle",
        "from pickle import loads",
        "from pickle import loads as read",
        "def f():\n    from pickle import Unpickler",
        "import _pickle",
        "import dill",
        "import joblib",
        "import shelve",
        "import marshal",
        "import yaml",
        "import subprocess",
        "from subprocess import run",
        "import multiprocessing.reduction",
        "from multiprocessing import reduction",
        "import runpy",
        "import code",
        "import os\nos.system(name)",
        "from os import system",
        "from os import system as s\ns(name)",
        "import os as o\no.popen(name)",
        "import os\nrun = os.system",
        "import os\nos.execv(name, [])",
        "import os\nos.spawnl(os.P_WAIT, name)",
        "import os\nos.posix_spawn(name, [], {})",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(name)",
        "from importlib.util import spec_from_file_location",
        "__import__(name)",
        "eval(text)",
        "exec(text)",
        "run = eval",
        "list(map(eval, texts))",
        "import builtins\nbuiltins.exec(text)",
        "from builtins import eval as safe",
        "compile(text, '', 'exec')",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "import torch\ntorch.load(path, weights_only=trust)",
        "from torch import load\nload(path)",
        "import torch\ntorch.load(path, **options)",
        "import torch\ntorch.save(model, path)",
        "import torch\ntorch.jit.load(path)",
        "import torch\ntorch.hub.load(name)",
        "from torch import hub",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.load(path, allow_pickle=trust)",
        "from numpy.lib.format import read_array\nread_array(stream, allow_pickle=True)",
        "import numpy\nnumpy.load(path, **options)",
        "start(words, shell=True)",
        "import builtins\ngetattr(builtins, name)(text)",
        "import torch\ngetattr(torch.nn, kind)()",
        "import os\ngetattr(os, name)(text)",
        "from ruamel.yaml import YAML\nYAML(typ='unsafe')",
        "from pydoc import locate",
        "import numpy as np\nnp.random.default_rng(3)",
        "from numpy.random import default_rng\ndefault_rng()",
        "import numpy\nnumpy.random.seed(3)",
    ],
)
def test_r4_each_way_to_run_code_is_seen(text: str) -> None:
    """R4: the search above would find each of these, by whatever name it is called."""
    assert ways_to_run(text)


@pytest.mark.parametrize(
    "text",
    [
        "network.eval()",
        "class Stage:\n    compile: bool = False",
        "import torch\ntorch.load(path, weights_only=True)",
        "import numpy as np\nnp.load(path, allow_pickle=False)",
        "import numpy as np\nnp.load(path)",
        "import re\nre.compile(text)",
        "import os\nos.kill(pid, 0)",
        "getattr(values, name)",
        "import torch\ngetattr(torch, 'float32')",
        "from ruamel.yaml import YAML\nYAML(typ='safe', pure=True)",
        "'eval(text)'",
        "# import pickle",
        "def f(rng: np.random.Generator) -> None: ...",
    ],
)
def test_r4_what_cannot_run_code_is_not_called_so(text: str) -> None:
    assert ways_to_run(text) == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, lamina; print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
