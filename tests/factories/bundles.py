"""Bundles small enough to predict with in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lamina.bundle import Bundle, KnownCase, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.recipe.recipe import Recipe

VALUES: dict[str, Any] = {
    "name": "tiny",
    "precision": "float32",
    "task": {"kind": "multilabel", "names": ["dot", "line"]},
    "data": {"kind": "folder"},
    "network": {
        "kind": "unet",
        "encoder": "test_resnet",
        "decoder": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]},
    },
    "frame": {"size": [32, 32], "channels": 1},
    "loss": [{"kind": "bce"}],
    "stages": [{"epochs": 1}],
}


class Maker:
    """Makes recipes and bundles that differ in a few values."""

    def recipe(self, **changes: Any) -> Recipe:
        return Recipe.model_validate({**VALUES, **changes})

    def bundle(
        self, cases: Mapping[str, KnownCase] | None = None, seed: int = 0, **changes: Any
    ) -> Bundle:
        recipe, members = self.recipe(**changes), []
        for fold in range(2):
            torch.manual_seed(seed + fold)
            weights = recipe.network.build(recipe.frame.inputs, recipe.task.outputs).state_dict()
            normalise = Fixed(mean=0.1 * fold)
            members.append(MemberWeights(f"fold{fold}", weights, fold, "main", 0.5, normalise))
        return Bundle.make(recipe, members, cases=cases or {})
