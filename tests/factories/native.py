"""Finished cases of files, for outputs in the format of the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.prediction.folder.digests import source_digest
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.native.base import Answer, trail_of
from lamina.volume import Volume
from tests.factories.bundles import Maker
from tests.factories.predictions import predicted_case, prediction_info

NAMES = {
    "binary": ("a",),
    "multilabel": ("a", "b", "c"),
    "multiclass": ("none", "a", "b"),
    "restore": ("value",),
}


def chances(kind: str, shape: Sequence[int], seed: int = 1) -> NDArray[np.float32]:
    """Return an answer (K, *S) that float16 holds exactly; of exclusive classes the sum is 1."""
    rng, outputs = np.random.default_rng(seed), len(NAMES[kind])
    drawn = rng.integers(0, 65, (outputs, *shape)).astype(np.float32) / 64
    if kind == "multiclass":
        best = rng.integers(0, outputs, shape)
        drawn = np.where(np.arange(outputs).reshape(-1, *[1] * len(shape)) == best, 0.75, 0.125)
    return drawn.astype(np.float32)


def answer_of(
    folder: Path, image: Volume, source: Path, kind: str, prob: NDArray[Any], **case: Any
) -> Answer:
    """Write the prediction of one file without a network, and return its answer."""
    decide = {"multiclass": {"kind": "argmax"}, "restore": {"kind": "as_is"}}.get(
        kind, {"kind": "threshold"}
    )
    changes: dict[str, Any] = {
        "task": {"kind": kind, "names": list(NAMES[kind])},
        "decide": decide,
    }
    if kind == "multiclass":
        changes["loss"] = [{"kind": "cross_entropy"}]
    if kind == "restore":
        changes |= {"loss": [{"kind": "l1"}], "metric": {"kind": "psnr"}}
    recipe = Maker().recipe(**changes)
    about = {"source": str(source), "sha256": source_digest([str(source)]), "axes": image.axes}
    one = predicted_case(source.name, image.shape, **{**about, **case})
    predictions = Predictions.create(folder / "pred", prediction_info(recipe, one))
    predictions.add(one.id, np.asarray(prob, np.float32))
    trail = trail_of(image)
    assert trail is not None
    return Answer(predictions, one.id, trail)
