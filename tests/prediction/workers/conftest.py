"""A prediction with images, a large image in bands and a volume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from lamina.files import digest
from lamina.prediction.streaming import slabs


class Inputs(NamedTuple):
    run: Path
    images: Path


@pytest.fixture(scope="session")
def inputs(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder, rng = tmp_path_factory.mktemp("workers"), np.random.default_rng(0)
    frame = {"size": [32, 32], "channels": 1, "slices": {"axes": "zy"}}
    make.bundle(frame=frame, predict={"batch": 3}).save(folder / "run/bundle")
    (folder / "images").mkdir()
    for number in range(4):
        pixels = rng.integers(0, 256, (40 + number, 50), np.uint8)
        Image.fromarray(pixels).save(folder / f"images/i{number}.png")
    np.save(folder / "images/v.npy", rng.integers(0, 256, (70, 20, 20), np.uint8))
    return Inputs(folder / "run", folder / "images")


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut volumes into slabs of 16 slices, whatever the memory."""
    monkeypatch.setattr(slabs, "THICKEST", 16)
    monkeypatch.setattr(slabs, "MOST", 16)


def contents(folder: Path) -> dict[str, Any]:
    """Return the digests of what was predicted, and the ledger as a set of rows."""
    kinds = ("prediction.json", "probabilities", "masks", "objects", "native")
    found: dict[str, Any] = {
        kind: digest(folder / kind) for kind in kinds if (folder / kind).exists()
    }
    rows = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    found["rows"] = {json.dumps(row, sort_keys=True) for row in rows}
    return found
