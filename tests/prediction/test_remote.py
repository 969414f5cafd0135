"""Volumes of object storage are predicted as their files are, by members that never saw them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zarr

import lamina
from lamina.bundle import Bundle
from lamina.data.index import index as index_module
from lamina.errors import DataError
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from tests.factories.storage import SECRET, Storage, s3_storage

pytest.importorskip("obstore")
RNG = np.random.default_rng(3)
CHANGES = [
    "data={kind: volume_pairs, image: raw.zarr, target: labels.zarr}",
    "split={kind: sections, train: [[0, 4]], validate: [[4, 6]]}",
    "network={kind: drunet, widths: [4, 8], blocks: 1, residual: false}",
    "frame.size=[16,16]",
    "train.epochs=1",
    "predict.views=as_is",
]


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    with s3_storage(monkeypatch) as running:
        yield running


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("remote")
    cube = RNG.integers(0, 256, (6, 16, 16), np.uint8)
    for name, array in (("raw", cube), ("labels", cube // 128 * 255)):
        path = folder / "data" / f"{name}.zarr"
        zarr.create_array(path, shape=array.shape, chunks=(2, 8, 8), dtype="u1")[...] = array
    recipe = load_recipe("volume-laptop", CHANGES)
    lamina.train(recipe, data=folder / "data", out=folder / "run", workers=0)
    return folder


def test_a_remote_volume_is_predicted_as_its_files_are(
    storage: Storage, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new.zarr"
    array = RNG.integers(0, 256, (5, 20, 24), np.uint8)
    zarr.create_array(path, shape=array.shape, chunks=(2, 8, 8), dtype="u1")[...] = array
    url = storage.upload(path, "new.zarr")
    lamina.predict(trained / "run", path, tmp_path / "local")
    storage.fail("new.zarr/c/", 3)
    found = lamina.predict(trained / "run", url, tmp_path / "remote")
    assert found.known == {"new": 1}
    here, there = (Predictions.open(tmp_path / name) for name in ("local", "remote"))
    assert there.ids == here.ids == ["new"]
    np.testing.assert_array_equal(there.prob("new"), here.prob("new"))
    assert there.case("new").source == url
    assert there.case("new").sha256 == here.case("new").sha256
    again = lamina.predict(trained / "run", url, tmp_path / "remote")
    assert (again.kept, again.predicted) == (1, 0)
    written = [one for one in (tmp_path / "remote").rglob("*") if one.is_file()]
    assert not [one for one in written if SECRET.encode() in one.read_bytes()]


def test_a_missing_chunk_is_told_and_nothing_is_written_for_it(
    storage: Storage, trained: Path, tmp_path: Path
) -> None:
    url = storage.upload(trained / "data" / "raw.zarr", "holed.zarr")
    storage.delete("holed.zarr/c/2/1/1")
    with pytest.raises(DataError, match=r"chunk \(2, 1, 1\) is not stored"):
        lamina.predict(trained / "run", url, tmp_path / "pred")


def test_a_copy_of_a_training_volume_is_known_by_a_sample(
    storage: Storage, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = storage.upload(trained / "data" / "raw.zarr", "copy.zarr")

    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read as a whole")

    monkeypatch.setattr(index_module, "digest_of", refuse)
    for source in (url, str(trained / "data" / "raw.zarr")):
        found = lamina.predict(trained / "run", source, tmp_path / source[-8:-5])
        assert found.known == {"partly_seen": 1}


def test_a_bundle_of_an_earlier_version_compares_the_whole(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = Bundle.load(trained / "run" / "bundle")
    cases = {
        id: case.model_copy(update={"sha256": case.sha256[:1]})
        for id, case in bundle.index.cases.items()
    }
    assert all(not one.startswith("sampled:") for case in cases.values() for one in case.sha256)
    earlier = bundle.index.model_copy(update={"cases": cases, "sampled_stores": False})
    Bundle(earlier, bundle.store).save(tmp_path / "bundle")
    found = lamina.predict(tmp_path / "bundle", trained / "data" / "raw.zarr", tmp_path / "pred")
    assert found.known == {"partly_seen": 1}
    assert "all of it is read first" in capsys.readouterr().err
