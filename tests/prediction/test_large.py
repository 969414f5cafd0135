"""The verbs on images answered band by band: fragments, decided and handed in by bands."""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.errors import ResourceError
from lamina.evaluation.score import score
from lamina.files import digest
from lamina.outputs.submit import submit
from lamina.prediction.cases.inputs import open_input
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.mask_files import read_mask, write_bands
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.prediction.streaming import row_bands as bands
from lamina.prediction.streaming import zarr_store as store
from lamina.result.decisions import Threshold
from lamina.rle.codec import decode
from lamina.task import Task
from tests.tolerance import assert_rounded_once

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

SHAPE = (60, 50)


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an image of a few thousand pixels a large one, of several chunks."""
    monkeypatch.setattr(bands, "LARGE", 1000)
    monkeypatch.setattr(bands, "_THICKEST", 16)
    monkeypatch.setattr(bands, "_THINNEST", 16)
    monkeypatch.setattr(store, "_CHUNK", 1024)


@pytest.fixture(scope="module")
def scrolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("scrolls"), np.random.default_rng(0)
    for name in ("a", "b"):
        below = folder / name / "surface_volume"
        below.mkdir(parents=True)
        for layer in range(3):
            tifffile.imwrite(
                below / f"{layer:02d}.tif", rng.integers(0, 65536, SHAPE).astype(np.uint16)
            )
        mask = np.zeros(SHAPE, np.uint8)
        mask[8:44, 3:40] = 255
        Image.fromarray(mask).save(folder / name / "mask.png")
        ink = (rng.random(SHAPE) < 0.3).astype(np.uint8) * 255
        Image.fromarray(ink).save(folder / name / "inklabels.png")
    return folder


@pytest.fixture(scope="module")
def bundle(make: Any) -> Bundle:
    return make.bundle(  # type: ignore[no-any-return]
        task={"kind": "binary", "names": ["ink"]},
        data={"kind": "fragments", "layers": [1, 3]},
        frame={"size": [32, 32], "channels": 2, "normalise": {"kind": "fixed", "scale": 65535}},
        metric={"kind": "f_beta", "beta": 0.5, "over": "pooled"},
        predict={"only_valid": True, "rounding": "uint8", "views": "flip_x", "batch": 3},
        submit={"kind": "vesuvius"},
    )


def answer(bundle: Bundle, scrolls: Path, id: str) -> NDArray[np.float32]:
    members = [
        Member(bundle.network(number), bundle.members[number].normalise) for number in range(2)
    ]
    stack, recipe = scrolls / id / "surface_volume", bundle.recipe
    valid = recipe.data.open_valid(stack)
    case = Case(id, id, open_input(stack, recipe), valid=valid)
    return predict_case(case, members, recipe, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def middle(bundle: Bundle, scrolls: Path) -> float:
    """A threshold that half of a mask's pixels pass."""
    prob = answer(bundle, scrolls, "a")
    return float(np.median(prob[prob > 0]))


@pytest.fixture(scope="module")
def saved(bundle: Bundle, middle: float, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    bundle.with_decision(Threshold(threshold=middle), {}).save(path / "bundle")
    return path


def test_fragments_are_predicted_decided_scored_and_handed_in(
    saved: Path, bundle: Bundle, scrolls: Path, middle: float, tmp_path: Path
) -> None:
    summary = predict([saved], [scrolls], tmp_path / "pred", device="cpu", progress=False)
    assert summary.cases == summary.predicted == 2
    found = Predictions.open(tmp_path / "pred")
    for id in ("a", "b"):
        whole = answer(bundle, scrolls, id)
        assert found.prob_path(id).suffix == ".zarr"
        assert_rounded_once(found.prob(id), whole)
        assert not whole[0, :8].any()
        wanted = found.prob(id) > np.float32(middle)
        np.testing.assert_array_equal(found.mask(id), wanted)
        assert 0 < wanted.mean() < 0.5
        assert len(list(found.decided(id))) == 4  # bands of 16 rows
        mask = tifffile.imread(found.mask_path(id))
        np.testing.assert_array_equal(mask, wanted[0] * 255)
        np.testing.assert_array_equal(found.stored_mask(id), wanted)
    assert not (tmp_path / "pred/work").exists()
    assert submit(tmp_path / "pred", tmp_path / "s.csv").rows == 2
    lines = (tmp_path / "s.csv").read_text().split("\n")
    assert [line.partition(",")[0] for line in lines] == ["Id", "a", "b"]
    for id, line in zip("ab", lines[1:], strict=True):
        mask = decode(line.partition(",")[2], SHAPE, "vesuvius")
        np.testing.assert_array_equal(mask, found.mask(id)[0])
    check_score(score(tmp_path / "pred", scrolls), found, scrolls)


def check_score(summary: dict[str, Any], found: Predictions, scrolls: Path) -> None:
    """INK-24: F0.5 over the pixels inside the mask."""
    counts = np.zeros(3)
    for id in ("a", "b"):
        inside = np.asarray(Image.open(scrolls / id / "mask.png")) > 0
        ink = (np.asarray(Image.open(scrolls / id / "inklabels.png")) > 0)[inside]
        mine = found.mask(id)[0][inside]
        counts += (mine & ink).sum(), mine.sum(), ink.sum()
    precision, recall = counts[0] / counts[1:]
    wanted = 1.25 * precision * recall / (0.25 * precision + recall)
    assert summary.value == pytest.approx(wanted, abs=1e-9)


def test_another_decision_writes_only_the_masks_anew(
    saved: Path, bundle: Bundle, scrolls: Path, middle: float, tmp_path: Path
) -> None:
    predict([saved], [scrolls / "a"], tmp_path / "pred", device="cpu", progress=False)
    before = digest(tmp_path / "pred/probabilities")
    bundle.with_decision(Threshold(threshold=middle, min_component=9), {}).save(tmp_path / "bundle")
    summary = predict([tmp_path], [scrolls / "a"], tmp_path / "pred", device="cpu", progress=False)
    assert (summary.redecided, summary.predicted) == (1, 0)
    assert digest(tmp_path / "pred/probabilities") == before
    found = Predictions.open(tmp_path / "pred")
    wanted = Threshold(threshold=middle, min_component=9)(found.prob("a"))
    np.testing.assert_array_equal(found.stored_mask("a"), wanted)
    assert not np.array_equal(wanted, found.prob("a") > np.float32(middle))


def test_killed_within_a_fragment_it_goes_on(saved: Path, scrolls: Path, tmp_path: Path) -> None:
    """B01, N09."""
    predict([saved], [scrolls / "a"], tmp_path / "whole", device="cpu", progress=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAMINA_FAULT", "slab.after_ledger:3")
        child = multiprocessing.get_context("fork").Process(
            target=predict,
            args=([saved], [scrolls / "a"], tmp_path / "pred"),
            kwargs={"device": "cpu", "progress": False},
        )
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
    assert (tmp_path / "pred/work").is_dir()
    predict([saved], [scrolls / "a"], tmp_path / "pred", device="cpu", progress=False)
    for part in ("probabilities", "masks", "ledger.jsonl"):
        assert digest(tmp_path / "pred" / part) == digest(tmp_path / "whole" / part)
    assert not (tmp_path / "pred/work").exists()


def test_an_answer_made_in_memory_is_stored_alike(
    saved: Path, scrolls: Path, tmp_path: Path
) -> None:
    predict([saved], [scrolls / "a"], tmp_path / "pred", device="cpu", progress=False)
    found = Predictions.open(tmp_path / "pred")
    other = Predictions.create(tmp_path / "other", found.info)
    other.add("a", found.prob("a").astype(np.float32))
    np.testing.assert_array_equal(other.prob("a"), found.prob("a"))
    assert digest(other.mask_path("a")) == digest(found.mask_path("a"))


def test_a_disk_that_is_too_small_is_said_before_the_work(
    saved: Path, scrolls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M02."""
    usage = type("Usage", (), {"free": 100})
    monkeypatch.setattr("lamina.prediction.streaming.plan.shutil.disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="needs 6 KiB of disk"):
        predict([saved], [scrolls / "a"], tmp_path / "pred", device="cpu", progress=False)


@pytest.mark.parametrize("kind", ["binary", "multilabel", "multiclass", "restore"])
@pytest.mark.parametrize("shape", [(300, 520), (256, 256), (2, 20)])
def test_masks_of_every_task_come_in_tiles(
    tmp_path: Path, kind: Any, shape: tuple[int, int]
) -> None:
    outputs = 1 if kind == "binary" else 3
    task = Task(kind=kind, names=tuple("abc"[:outputs]))
    rng = np.random.default_rng(0)
    answer: Any = rng.random((outputs, *shape)) < 0.5
    if kind == "multiclass":
        ids = rng.integers(0, 3, shape)
        answer = ids == np.arange(3)[:, None, None]
    if kind == "restore":
        answer = rng.random((outputs, *shape)).astype(np.float32)
    cuts = sorted({0, *rng.integers(0, shape[0], 5).tolist(), shape[0]})
    pairs = list(itertools.pairwise(cuts))
    path = tmp_path / "m.tif"
    write_bands(path, lambda: (answer[:, a:b] for a, b in pairs), task, answer.shape)
    np.testing.assert_array_equal(read_mask(path, task, shape), answer)
    with tifffile.TiffFile(path) as tif:
        assert tif.pages.first.is_tiled
