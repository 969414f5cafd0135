"""Dense prediction on images and volumes, from one recipe to trained bundle, masks and report.

    recipe = lamina.load_recipe("folder-laptop", ["train.epochs=20"])
    lamina.train(recipe, data="tiles", out="runs/tiles")
    lamina.tune("runs/tiles")
    lamina.predict("runs/tiles", "new_images", "pred")
    print(lamina.score("pred", "new_images").value)

    model = lamina.load("runs/tiles")
    prediction = model(image)               # a NumPy array; stays loaded, any thread
    prediction.masks, prediction.objects()

Paths are ``str`` or ``os.PathLike[str]``, one or several. Each verb returns a frozen value whose
``to_dict()`` is what the command line prints with ``--json``. All errors that are raised on purpose
derive from ``LaminaError``.

The names below are loaded on first use, so that importing lamina costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lamina import rle as rle
    from lamina.bundle import Bundle as Bundle
    from lamina.data.case import Case as Case
    from lamina.data.readers import open_volume as open_volume
    from lamina.deployment.export import ExportResult as ExportResult
    from lamina.deployment.export import export as export
    from lamina.doctor.run import ExamineResult as ExamineResult
    from lamina.doctor.run import examine as examine
    from lamina.errors import BundleError as BundleError
    from lamina.errors import DataError as DataError
    from lamina.errors import LaminaError as LaminaError
    from lamina.errors import LeakError as LeakError
    from lamina.errors import OptionError as OptionError
    from lamina.errors import PartialError as PartialError
    from lamina.errors import RecipeError as RecipeError
    from lamina.errors import ResourceError as ResourceError
    from lamina.errors import StoppedError as StoppedError
    from lamina.evaluation.score import score as score
    from lamina.evaluation.score_result import ScoreResult as ScoreResult
    from lamina.geometry.region import Region as Region
    from lamina.inference.load import load as load
    from lamina.inference.model import Failure as Failure
    from lamina.inference.model import Model as Model
    from lamina.inference.prediction import Prediction as Prediction
    from lamina.outputs.flattened import FlattenResult as FlattenResult
    from lamina.outputs.flattened import flatten as flatten
    from lamina.outputs.objects import ObjectsResult as ObjectsResult
    from lamina.outputs.submit import SubmitResult as SubmitResult
    from lamina.outputs.submit import submit as submit
    from lamina.prediction.folder.predictions import Predictions as Predictions
    from lamina.prediction.predict_result import PredictResult as PredictResult
    from lamina.prediction.run import predict as predict
    from lamina.pseudo_labels.make import PseudoResult as PseudoResult
    from lamina.pseudo_labels.make import pseudo as pseudo
    from lamina.recipe.load import load_recipe as load_recipe
    from lamina.recipe.recipe import Recipe as Recipe
    from lamina.reporting.page import ReportResult as ReportResult
    from lamina.reporting.page import report as report
    from lamina.result.objects import Object as Object
    from lamina.result.objects import Objects as Objects
    from lamina.training.ensembles.ensemble import ensemble as ensemble
    from lamina.training.ensembles.ensemble_result import EnsembleResult as EnsembleResult
    from lamina.training.ensembles.member_runs import train as train
    from lamina.training.probe import ProbeResult as ProbeResult
    from lamina.training.probe import probe as probe
    from lamina.training.train_result import TrainResult as TrainResult
    from lamina.tuning.table import TuneResult as TuneResult
    from lamina.tuning.tune import tune as tune
    from lamina.volume import Volume as Volume

_HOMES = {
    "Bundle": "lamina.bundle",
    "BundleError": "lamina.errors",
    "Case": "lamina.data.case",
    "DataError": "lamina.errors",
    "EnsembleResult": "lamina.training.ensembles.ensemble_result",
    "ExamineResult": "lamina.doctor.run",
    "ExportResult": "lamina.deployment.export",
    "Failure": "lamina.inference.model",
    "FlattenResult": "lamina.outputs.flattened",
    "LaminaError": "lamina.errors",
    "LeakError": "lamina.errors",
    "Model": "lamina.inference.model",
    "Object": "lamina.result.objects",
    "Objects": "lamina.result.objects",
    "ObjectsResult": "lamina.outputs.objects",
    "OptionError": "lamina.errors",
    "PartialError": "lamina.errors",
    "PredictResult": "lamina.prediction.predict_result",
    "Prediction": "lamina.inference.prediction",
    "Predictions": "lamina.prediction.folder.predictions",
    "ProbeResult": "lamina.training.probe",
    "PseudoResult": "lamina.pseudo_labels.make",
    "Recipe": "lamina.recipe.recipe",
    "RecipeError": "lamina.errors",
    "Region": "lamina.geometry.region",
    "ReportResult": "lamina.reporting.page",
    "ResourceError": "lamina.errors",
    "ScoreResult": "lamina.evaluation.score_result",
    "StoppedError": "lamina.errors",
    "SubmitResult": "lamina.outputs.submit",
    "TrainResult": "lamina.training.train_result",
    "TuneResult": "lamina.tuning.table",
    "Volume": "lamina.volume",
    "ensemble": "lamina.training.ensembles.ensemble",
    "examine": "lamina.doctor.run",
    "export": "lamina.deployment.export",
    "flatten": "lamina.outputs.flattened",
    "load": "lamina.inference.load",
    "load_recipe": "lamina.recipe.load",
    "open_volume": "lamina.data.readers",
    "predict": "lamina.prediction.run",
    "probe": "lamina.training.probe",
    "pseudo": "lamina.pseudo_labels.make",
    "report": "lamina.reporting.page",
    "score": "lamina.evaluation.score",
    "submit": "lamina.outputs.submit",
    "train": "lamina.training.ensembles.member_runs",
    "tune": "lamina.tuning.tune",
}
"""The module of each name; the block above says the same to type checkers and editors."""

_MODULES = ("rle",)

__all__ = ["__version__", *sorted([*_HOMES, *_MODULES])]

if not TYPE_CHECKING:  # a checker that saw this would take any name for there

    def __getattr__(name):
        import importlib

        if name in _MODULES:
            return importlib.import_module(f"lamina.{name}")
        if name in _HOMES:
            return getattr(importlib.import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'lamina' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
