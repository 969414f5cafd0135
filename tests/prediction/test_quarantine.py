"""A batch goes on whatever one of its items does, and says what was left out."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from lamina.bundle import Bundle, MemberWeights
from lamina.errors import BundleError, DataError, PartialError, RecipeError, ResourceError
from lamina.outputs.submit import submit
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.quarantine import Quarantine
from lamina.prediction.run import predict
from lamina.prediction.streaming import row_bands
from lamina.prediction.workers import worker as worker_module
from lamina.pseudo_labels.confidence import Filters
from lamina.pseudo_labels.make import pseudo


@pytest.fixture(scope="module")
def saved(make: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    make.bundle().save(path / "bundle")
    return path


def good(folder: Path, count: int = 2) -> Path:
    folder.mkdir()
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50), np.uint8)
        Image.fromarray(pixels).save(folder / f"good{number}.png")
    return folder


def three_axes(folder: Path) -> Path:
    np.save(folder / "bad.npy", np.zeros((3, 8, 8), np.uint8))
    return folder / "bad.npy"


def broken_header(folder: Path) -> Path:
    path = folder / "bad.npy"
    np.save(path, np.zeros((8, 8), np.uint8))
    path.write_bytes(path.read_bytes().replace(b"'descr'", b"\\x\xff(]:'"))
    return path


def broken_tree(folder: Path) -> Path:
    path = folder / "bad.h5"
    with h5py.File(path, "w") as file:
        values = (np.arange(4096) % 256).astype(np.uint8).reshape(64, 64)
        file.create_dataset("image", data=values, chunks=(16, 16), compression="gzip")
    data = bytearray(path.read_bytes())
    at = data.index(b"TREE")
    data[at + 6 : at + 8] = struct.pack("<H", 0xFFFF)
    path.write_bytes(data)
    return path


def too_large(folder: Path) -> Path:
    np.save(folder / "bad.npy", np.full((64, 96), 1e300))
    return folder / "bad.npy"


def not_numbers(folder: Path) -> Path:
    values = np.zeros((64, 96), np.float32)
    values[3, 4] = np.nan
    np.save(folder / "bad.npy", values)
    return folder / "bad.npy"


@pytest.mark.parametrize("plant", [three_axes, broken_header, broken_tree, too_large, not_numbers])
def test_trust_3_whatever_one_image_is_the_others_are_predicted(
    saved: Path, tmp_path: Path, plant: Callable[[Path], Path]
) -> None:
    """TRUST-3, B09, I09: exit 5, the reason, and a folder that can be submitted."""
    folder = good(tmp_path / "in")
    bad = plant(folder)
    with pytest.raises(PartialError, match="2 cases are predicted, 1 could not be read") as caught:
        predict(saved, folder, tmp_path / "pred", device="cpu")
    assert caught.value.exit_code == 5
    result = caught.value.result
    assert result is not None
    (failed,) = result.to_dict()["failed"]
    assert failed["source"].startswith(str(bad))
    assert str(bad) in failed["why"]
    assert "Traceback" not in failed["why"]
    assert submit(tmp_path / "pred", tmp_path / "sub.csv", format="severstal").cases == 2
    with pytest.raises((DataError, RecipeError), match="bad"):
        predict(saved, bad, tmp_path / "alone", device="cpu")
    bad.unlink()  # as the message says, then the same command
    assert predict(saved, folder, tmp_path / "pred", device="cpu").kept == 2


def test_trust_3_a_pipe_among_images_does_not_hang(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRUST-3: named alone, in a folder, and beside others; pipes would be waited for."""
    folder = good(tmp_path / "in")
    os.mkfifo(folder / "f.png")
    assert predict(saved, folder, tmp_path / "one", device="cpu").predicted == 2
    assert "f.png is no regular file" in capsys.readouterr().err
    with pytest.raises(PartialError, match=r"f\.png: is a pipe and no regular file"):
        predict(saved, [folder / "f.png", folder / "good0.png"], tmp_path / "two", device="cpu")
    with pytest.raises(DataError, match=r"f\.png: is a pipe and no regular file"):
        predict(saved, folder / "f.png", tmp_path / "three", device="cpu")


def test_trust_5_values_beyond_float32_are_refused_by_name(saved: Path, tmp_path: Path) -> None:
    """TRUST-5: 1e300 is finite as it is stored and infinite for a network."""
    bad = too_large(tmp_path)
    with pytest.raises(DataError, match=r"bad\.npy: holds values from 1e\+300 .* float32; rescale"):
        predict(saved, bad, tmp_path / "pred", device="cpu")
    assert Predictions.open(tmp_path / "pred").ids == []
    assert not list((tmp_path / "pred").glob("probabilities/*"))


@pytest.mark.parametrize("how", ["image", "bands", "volume"])
def test_trust_5_an_answer_that_is_not_finite_is_never_stored(
    make: Any, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N02; TRUST-5, R3: of an image, of one that is written in bands, and of a volume."""
    frame = make.recipe().frame.model_dump(mode="json")
    if how == "volume":
        frame["slices"] = {"axes": "z"}
    bundle = make.bundle(frame=frame)
    members = [
        MemberWeights(
            file.name,
            {name: value * 1e30 for name, value in bundle.weights(number).items()},
            file.fold,
            file.stage,
            file.score,
            file.normalise,
        )
        for number, file in enumerate(bundle.members)
    ]
    Bundle.make(bundle.recipe, members, cases={}).save(tmp_path / "bundle")
    if how == "bands":
        monkeypatch.setattr(row_bands, "LARGE", 1)
    values = np.random.default_rng(0).random((3, 40, 40) if how == "volume" else (40, 40))
    np.save(tmp_path / "bad.npy", values.astype(np.float32))
    with pytest.raises(DataError, match=r"bad\.npy: \d+ of \d+ values of the members' answer"):
        predict(tmp_path / "bundle", tmp_path / "bad.npy", tmp_path / "pred", device="cpu")
    assert Predictions.open(tmp_path / "pred").ids == []
    assert not list((tmp_path / "pred").glob("probabilities/*.npy"))
    assert not list((tmp_path / "pred").glob("probabilities/*/c/*"))


def test_trust_3_a_mistake_in_the_code_is_noted_with_its_traceback(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TRUST-3, B10: any exception of one item; where all fail alike, it is raised as it is."""
    folder = good(tmp_path / "in", 3)
    real = worker_module.predict_case

    def odd(case: Any, *args: Any, **kwargs: Any) -> Any:
        if "good1" in case.image.name:
            raise RuntimeError("CUDA error: device-side assert triggered\nmore")
        return real(case, *args, **kwargs)

    monkeypatch.setattr(worker_module, "predict_case", odd)
    with pytest.raises(PartialError, match=r"good1\.png: RuntimeError: CUDA error") as caught:
        predict(saved, folder, tmp_path / "pred", device="cpu")
    assert json.dumps(caught.value.result.to_dict())  # type: ignore[union-attr]
    assert Predictions.open(tmp_path / "pred").ids == ["good0", "good2"]
    assert "Traceback" in (tmp_path / "pred" / "log.txt").read_text(encoding="utf-8")

    def always(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(worker_module, "predict_case", always)
    with pytest.raises(RuntimeError, match="a mistake"):
        predict(saved, folder, tmp_path / "other", device="cpu")


def test_trust_3_what_stops_every_item_stops_the_batch() -> None:
    """TRUST-3, M02: a full disk and damaged weights are nothing to go on with."""
    full = ResourceError("full")
    full.__cause__ = OSError(28, "No space left on device")
    for error in (full, BundleError("damaged")):
        with pytest.raises(type(error)), Quarantine(5).item("a"):
            raise error
    batch = Quarantine(2)
    for error in (ResourceError("too large for the memory"), ResourceError("and so is this")):
        with batch.item("a"):
            raise error
    assert len(batch.failed) == 2
    batch.check_any(1, "images")
    with pytest.raises(ResourceError, match="too large"):
        batch.check_any(0, "images")


def test_trust_3_pseudo_labels_leave_bad_images_out(saved: Path, tmp_path: Path) -> None:
    """TRUST-3: images that cannot be read or answered, and the index without them."""
    folder = good(tmp_path / "in")
    too_large(folder)
    (folder / "cut.png").write_bytes((folder / "good0.png").read_bytes()[:80])
    filters = Filters(unsure=1e9, unsure_empty=1)
    with pytest.raises(PartialError, match="2 images are labelled, 2 could not be") as caught:
        pseudo(saved, folder, tmp_path / "labels", filters=filters, device="cpu")
    result = caught.value.result
    assert result is not None
    assert result.to_dict()["images"] == 2
    index = json.loads((tmp_path / "labels" / "pseudo.json").read_text(encoding="utf-8"))
    assert sorted(one["id"] for one in index["images"]) == ["good0", "good1"]
    for one in index["sets"].values():
        assert sorted(one["soft"]) == ["good0", "good1"]
