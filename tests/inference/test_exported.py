"""A model loaded from an exported folder: as the runner answers, without torch."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import lamina
from lamina import folders
from lamina.deployment.pipeline import decision_entry
from lamina.deployment.run import Pipeline, read_image
from lamina.errors import BundleError, DataError, LaminaError, RecipeError
from lamina.inference.exported import decision_of_entry
from lamina.result.decisions import AnyDecision
from tests.deployment.test_run import COLOURS, DECISIONS, VARIANTS, picture

Exported = Callable[..., tuple[Path, Path]]

ALIKE = {
    "plain": {},
    **{name: VARIANTS[name] for name in ("exclusive", "colours", "restored", "16 bits learnt")},
}


@pytest.mark.parametrize("name", ALIKE)
def test_it_answers_as_the_runner_and_near_the_bundle(exported: Exported, name: str) -> None:
    bundle, edge = exported(**ALIKE[name])
    runner, model = Pipeline(edge, threads=1), lamina.load(edge, threads=1)
    trained = lamina.load(bundle, device="cpu", precision="float32")
    assert (model.task.kind, model.names) == (trained.task.kind, trained.names)
    assert (model.expects, model.members, model.digest) == (
        trained.expects,
        trained.members,
        trained.digest,
    )
    assert (model.device, model.precision, model.axes) == ("cpu", "float32", "yx")
    for shape in ((32, 32), (45, 61)):
        image = picture(shape, model.channels)
        theirs, ours = runner(image), model(image)
        np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)
        unit = 255 if theirs.masks is None else 1
        near = np.abs(ours.probabilities - trained(image).probabilities).max()
        assert near <= 1e-4 * unit
        if theirs.masks is not None:
            np.testing.assert_array_equal(ours.masks, theirs.masks)
            assert ours.objects().to_csv() == ours.decided(model.decision).objects().to_csv()
        assert ours.overlay().shape == (*shape, 3)
        assert ours.converted == trained(image).converted


@pytest.mark.parametrize("decision", DECISIONS, ids=[str(n) for n in range(len(DECISIONS))])
def test_decisions_come_back_from_their_numbers(decision: AnyDecision) -> None:
    again = decision_of_entry(json.loads(json.dumps(decision_entry(decision, 3))))
    for seed in range(4):
        noise = np.random.default_rng(seed).random((3, 60, 70)).astype(np.float32)
        prob = np.stack([cv2.GaussianBlur(one, (0, 0), 1 + seed / 3) for one in noise])
        prob = (prob - prob.min()) / np.ptp(prob)
        np.testing.assert_array_equal(again(prob), decision(prob))


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None  # import torch raises ImportError
import numpy
import lamina
model = lamina.load("edge", threads=1)
found = model("image.png")
numpy.savez("found.npz", probabilities=found.probabilities, masks=found.masks)
assert found.labels_by("priority").shape == found.probabilities.shape[1:]
assert found.save("out", name="one")[-1].name == "one_objects.geojson"
assert len(list(model.map(["image.png", numpy.zeros((4, 4), bool)], errors="keep"))) == 2
assert not [name for name in sys.modules if name.startswith("torch.")]
"""


def test_work_torch_is_not_imported(exported: Exported, tmp_path: Path) -> None:
    _, edge = exported()
    (tmp_path / "edge").symlink_to(edge)
    cv2.imwrite(str(tmp_path / "image.png"), picture((50, 61), 1))
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = np.load(tmp_path / "found.npz")
    theirs = Pipeline(edge, threads=1)(picture((50, 61), 1))
    np.testing.assert_array_equal(found["probabilities"], theirs.probabilities)
    np.testing.assert_array_equal(found["masks"], theirs.masks)


def test_files_are_read_as_the_runner_reads_them(exported: Exported, tmp_path: Path) -> None:
    _, edge = exported(frame=COLOURS)
    model, runner = lamina.load(edge, threads=1), Pipeline(edge, threads=1)
    colour, grey = picture((40, 50), 3), picture((40, 50), 1)
    cv2.imwrite(str(tmp_path / "colour.png"), colour[..., ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    tifffile.imwrite(tmp_path / "colour.tif", colour, photometric="rgb")
    for path in sorted(tmp_path.glob("*.*")):
        found = model(path)
        np.testing.assert_array_equal(
            found.probabilities, runner(read_image(path)).probabilities, err_msg=path.name
        )
        assert found.id == path.stem
    with pytest.raises(DataError, match=r"numpy\.repeat"):
        model(grey)  # an array is not repeated unasked


def test_members_decisions_threads_and_pickling(exported: Exported) -> None:
    bundle, edge = exported()
    images = [picture((30 + 7 * (n % 3), 40), 1) for n in range(12)]
    one = lamina.load(edge, members=["fold1"], decision=0.3, threads=1)
    theirs = lamina.load(bundle, device="cpu", precision="float32", members=["fold1"])
    found = one(images[0])
    assert found.members == ("fold1",)
    assert np.abs(found.probabilities - theirs(images[0]).probabilities).max() <= 1e-4
    np.testing.assert_array_equal(found.masks, found.probabilities > np.float32(0.3))

    def answer(image: NDArray[Any]) -> bytes:
        return one(image).probabilities.tobytes()

    alone = [answer(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, images)) == alone
    sent = pickle.loads(pickle.dumps(one))
    assert (sent.members, sent.decision) == (one.members, one.decision)
    assert sent(images[0]).probabilities.tobytes() == alone[0]
    one.close()
    with pytest.raises(RecipeError, match="was closed"):
        one(images[0])
    assert one.members == ("fold1",)


def test_what_it_does_not_do_is_refused_in_words(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, edge = exported()
    options: dict[str, tuple[dict[str, Any], str]] = {
        "device": ({"device": "cuda"}, "runs on the cpu: load the run or bundle"),
        "precision": ({"precision": "bfloat16"}, "computes in float32"),
        "members": ({"members": ["fold9"]}, "no member is called 'fold9'"),
        "text": ({"members": "fold1"}, "pass 'all' or a list of names"),
        "threads": ({"threads": 0}, "threads is 0"),
    }
    for given, message in options.values():
        with pytest.raises(RecipeError, match=message):
            lamina.load(edge, **given)
    with pytest.raises(RecipeError, match="answers alone; join the runs with `lamina ensemble`"):
        lamina.load([edge, bundle])
    model = lamina.load(edge, threads=1)
    stack = np.zeros((4, 20, 20), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    with pytest.raises(DataError, match="one slice at a time"):
        model(tmp_path / "stack.tif")
    with pytest.raises(DataError, match="one slice at a time"):
        model(np.zeros((3, 20, 20), np.uint8), axes="zyx")
    with pytest.raises(LaminaError, match=r"is an exported folder.*run\.py IMAGE"):
        folders.check_bundles([edge])
    (edge / "member-0.onnx").write_bytes(b"")
    with pytest.raises(BundleError, match=r"member-0.onnx: is missing or damaged"):
        lamina.load(edge)
    _, again = exported(name="two")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RecipeError, match=r"needs onnxruntime.*pip install 'lamina\[onnx\]'"):
        lamina.load(again)
