"""Dense prediction on images and volumes, from one recipe to trained bundle, masks and report.

The names below are loaded on first use, so that importing lamina costs nothing.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "lamina.bundle",
    "Case": "lamina.data.case",
    "LaminaError": "lamina.errors",
    "Recipe": "lamina.recipe.recipe",
    "Region": "lamina.geometry.region",
    "Volume": "lamina.volume",
    "ensemble": "lamina.train.ensemble",
    "load_recipe": "lamina.recipe.load",
    "predict": "lamina.predict.run",
    "pseudo": "lamina.predict.pseudo",
    "report": "lamina.report.page",
    "score": "lamina.predict.score",
    "submit": "lamina.predict.submit",
    "train": "lamina.train.members",
    "tune": "lamina.train.search",
}
_MODULES = {"rle": "lamina.rle"}

__all__ = ["__version__", *sorted([*_HOMES, *_MODULES])]


class _Verb(ModuleType):
    """A package that is called as the function of its name: ``lamina.train`` is both."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return _function(self)(*args, **options)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(_function(self))


class _Face(ModuleType):
    """Importing ``lamina.train.loop`` binds the package ``lamina.train`` here, by its name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOMES and isinstance(value, ModuleType):
            value.__class__ = _Verb
        super().__setattr__(name, value)


def _function(package: ModuleType) -> Any:
    name = package.__name__.rpartition(".")[2]
    return getattr(importlib.import_module(_HOMES[name]), name)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lamina' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__


sys.modules[__name__].__class__ = _Face
