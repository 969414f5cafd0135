"""Answers in object storage: the bytes of those in files, resumed after kills, lost chunks told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.errors import DataError, PartialError, RecipeError
from lamina.files import read_lines
from lamina.prediction.folder.digests import agrees
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.prediction.streaming import slabs
from tests.factories.storage import SECRET, Storage, s3_storage

pytest.importorskip("obstore")
OUT = "s3://bucket/out"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setattr(slabs, "THICKEST", 8)
    monkeypatch.setattr(slabs, "MOST", 8)
    with s3_storage(monkeypatch) as running:
        yield running


@pytest.fixture
def run(make: Any, tmp_path: Path) -> Path:
    frame = {"size": [16, 16], "channels": 1, "slices": {"axes": "zy"}}
    make.bundle(frame=frame, predict={"batch": 2}).save(tmp_path / "run/bundle")
    volume = np.random.default_rng(0).integers(0, 256, (20, 18, 16), np.uint8)
    np.save(tmp_path / "v.npy", volume)
    return tmp_path / "run"


def predicted(run: Path, out: Path, store: str | None = OUT) -> Predictions:
    predict(run, run.parent / "v.npy", out, device="cpu", progress=False, store=store)
    return Predictions.open(out)


def puts(storage: Storage) -> list[str]:
    words = [one.split() for one in storage.requests]
    return [name.partition("/out/")[2].rstrip("?") for verb, name in words if verb == "PUT"]


def test_chunks_are_the_files_and_all_else_is_in_the_folder(
    storage: Storage, run: Path, tmp_path: Path
) -> None:
    local = predicted(run, tmp_path / "local", None)
    remote = predicted(run, tmp_path / "remote")
    np.testing.assert_array_equal(remote.prob("v"), local.prob("v"))
    np.testing.assert_array_equal(remote.stored_mask("v"), local.stored_mask("v"))
    assert not (tmp_path / "remote/probabilities").exists()
    files = [path for path in (tmp_path / "local").rglob("v.zarr/c/**/*") if path.is_file()]
    sent = [name for name in puts(storage) if "/c/" in name]
    names = [path.relative_to(tmp_path / "local/probabilities").as_posix() for path in files]
    assert sorted(sent) == sorted(names)
    for name, path in zip(names, files, strict=True):
        assert storage.get(f"out/{name}") == path.read_bytes()
    rows = [row for row in read_lines(tmp_path / "remote/ledger.jsonl") if row.get("id") == "v"]
    assert re.fullmatch(r"[0-9a-f]{64}\+etags:[0-9a-f]{64}", rows[-1]["probability"])
    header = json.loads((tmp_path / "remote/prediction.json").read_text())
    assert header["store"] == OUT
    for path in (tmp_path / "remote").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


def test_what_is_finished_is_verified_by_etags_and_not_read(
    storage: Storage, run: Path, tmp_path: Path
) -> None:
    predicted(run, tmp_path / "pred")
    storage.requests.clear()
    again = predict(
        run, run.parent / "v.npy", tmp_path / "pred", device="cpu", progress=False, store=OUT
    )
    assert (again.kept, again.predicted) == (1, 0)
    assert not [one for one in storage.requests if one.startswith("GET") and "/c/" in one]


@pytest.mark.slow
def test_a_chunk_that_is_lost_or_changed_is_told_and_made_again(
    storage: Storage, run: Path, tmp_path: Path
) -> None:
    before = predicted(run, tmp_path / "pred").prob("v")
    name = next(one for one in puts(storage) if "/c/" in one)
    storage.put(f"out/{name}", b"other")
    with pytest.raises(DataError, match=r"s3://bucket/out/v\.zarr: does not match its digest"):
        Predictions.open(tmp_path / "pred").prob("v")
    storage.delete(f"out/{name}")
    with pytest.raises(DataError, match=r"s3://bucket/out/v\.zarr"):
        Predictions.open(tmp_path / "pred").prob("v")
    np.testing.assert_array_equal(predicted(run, tmp_path / "pred").prob("v"), before)


KILLED = """
import sys
from pathlib import Path
from lamina.prediction.run import predict
from lamina.prediction.streaming import slabs
slabs.THICKEST = slabs.MOST = 8
run = Path(sys.argv[1])
predict(run, run.parent / "v.npy", sys.argv[2], device="cpu", progress=False, store=sys.argv[3])
"""


@pytest.mark.slow
def test_a_prediction_that_was_killed_goes_on_with_what_is_stored(
    storage: Storage, run: Path, tmp_path: Path
) -> None:
    wanted = predicted(run, tmp_path / "local", None).prob("v")
    words = [sys.executable, "-c", KILLED, str(run), str(tmp_path / "pred"), OUT]
    environment = {**os.environ, "LAMINA_FAULT": "slab.after_ledger:5"}  # three of z, two of y
    assert subprocess.run(words, env=environment).returncode == -9
    first = [name for name in puts(storage) if "/c/" in name]
    assert first
    storage.fail("out/v.zarr/c/", 3)  # 503
    np.testing.assert_array_equal(predicted(run, tmp_path / "pred").prob("v"), wanted)
    later = [name for name in puts(storage) if "/c/" in name][len(first) :]
    assert later
    assert not {*first} & {*later}  # nothing that was noted is made again


@pytest.mark.slow
def test_predictions_of_another_plan_are_replaced(
    storage: Storage, run: Path, tmp_path: Path
) -> None:
    predicted(run, tmp_path / "pred")
    options = {"device": "cpu", "progress": False, "store": OUT}
    changes = ["predict.views=flips"]
    predict(run, run.parent / "v.npy", tmp_path / "other", changes=changes, **options)  # type: ignore[arg-type]
    other = Predictions.open(tmp_path / "other").prob("v")
    predict(run, run.parent / "v.npy", tmp_path / "local", changes=changes, device="cpu")
    np.testing.assert_array_equal(other, Predictions.open(tmp_path / "local").prob("v"))
    with pytest.raises(DataError, match="does not match its digest"):
        Predictions.open(tmp_path / "pred").prob("v")  # its chunks are replaced


def test_other_objects_are_left_alone(storage: Storage, run: Path, tmp_path: Path) -> None:
    storage.put("out/v.zarr/notes.txt", b"mine")
    with pytest.raises((RecipeError, PartialError), match="no predictions; choose another --store"):
        predicted(run, tmp_path / "pred")
    assert not [one for one in storage.requests if one.startswith("DELETE")]


def test_what_is_no_address_is_refused(run: Path, tmp_path: Path) -> None:
    for store in ("folder", "s3://key:secret@bucket/out"):
        with pytest.raises(RecipeError, match="--store must be an address"):
            predicted(run, tmp_path / "pred", store)


def test_digests_agree_by_their_etags() -> None:
    assert agrees("ab", "ab")
    assert not agrees("ab", "b")
    assert agrees("ab+etags:cd", "+etags:cd")
    assert not agrees("ab+etags:cd", "+etags:ce")
    assert not agrees("ab", None)
