"""Dense prediction on images and volumes, from one recipe to trained bundle, masks and report.

The names below are loaded on first use, so that importing lamina costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "lamina.bundle",
    "Case": "lamina.data.case",
    "LaminaError": "lamina.errors",
    "Recipe": "lamina.recipe.recipe",
    "Region": "lamina.geometry.region",
    "Volume": "lamina.volume",
    "ensemble": "lamina.training.ensembles.ensemble",
    "load_recipe": "lamina.recipe.load",
    "predict": "lamina.prediction.run",
    "pseudo": "lamina.pseudo_labels.make",
    "report": "lamina.reporting.page",
    "score": "lamina.evaluation.score",
    "submit": "lamina.outputs.submit",
    "train": "lamina.training.member_runs",
    "tune": "lamina.tuning.tune",
}
_MODULES = {"rle": "lamina.rle"}

__all__ = ["__version__", *sorted([*_HOMES, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lamina' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
