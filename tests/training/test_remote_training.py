"""Training on volumes in object storage is training on the same volumes in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import lamina
from lamina.errors import DataError, RecipeError
from lamina.training.dataset import open_data
from tests.factories.storage import SECRET, s3_storage

pytest.importorskip("obstore")
CHANGES = [
    "data.image=raw.zarr",
    "data.target=labels.zarr",
    "split.train=[[0,6]]",
    "split.validate=[[6,9]]",
    "frame.size=[16,16]",
    "network={kind: drunet, widths: [4, 8], blocks: 1, residual: false}",
    "train.sampler.count=4",
    "train.epochs=1",
    "train.validate_every=1",
    "predict.views=as_is",
]


@pytest.mark.slow
def test_a_run_from_object_storage_is_the_run_from_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng, root = np.random.default_rng(0), tmp_path / "data"
    image = rng.integers(0, 255, (9, 24, 20), np.uint8)
    for name, values in (("raw", image), ("labels", (image > 128) * np.uint8(255))):
        path = root / f"{name}.zarr"
        array = zarr.create_array(path, shape=image.shape, dtype="u1", chunks=(4, 12, 20))
        array[...] = values
    recipe = lamina.load_recipe("volume-laptop", CHANGES)
    lamina.train(recipe, data=root, out=tmp_path / "files", workers=0, device="cpu")
    with s3_storage(monkeypatch) as storage:
        for name in ("raw", "labels"):
            storage.upload(root / f"{name}.zarr", f"set/{name}.zarr")
        lamina.train(recipe, data="s3://bucket/set", out=tmp_path / "run", workers=0, device="cpu")
        asked = [one for one in storage.requests if "/c/" in one and one.startswith("GET")]
        assert len(asked) <= 4 * len(set(asked))  # one copy; else what identifies the volumes
        lamina.tune(tmp_path / "run")
        page = lamina.report(tmp_path / "run").report.read_text(encoding="utf-8")
    assert "out of fold" in page or "held-out" in page
    for one in ("fold0/oof/probabilities", "fold0/oof/masks"):
        for path in (tmp_path / "files" / one).rglob("*"):
            if path.is_file() and path.name != "zarr.json":
                other = tmp_path / "run" / path.relative_to(tmp_path / "files")
                assert other.read_bytes() == path.read_bytes()
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_other_kinds_of_data_are_refused_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"s3://bucket/set: data.kind is 'csv_rle', and only"):
        open_data(lamina.load_recipe("steel-laptop"), Path("s3://bucket/set"))
    with pytest.raises(DataError, match="no such folder"):
        open_data(lamina.load_recipe("steel-laptop"), tmp_path / "set")
