"""The runner of an exported folder: a second implementation, compared with the first."""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

import lamina
from lamina.bundle import KnownCase
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.image_types.image_kind import as_learnt as lamina_as_learnt
from lamina.data.network_input.normalise import PerCase
from lamina.deployment import run
from lamina.deployment.pipeline import decision_entry
from lamina.deployment.run import (
    Pipeline,
    PipelineError,
    as_learnt,
    components,
    decide,
    read_image,
    write,
)
from lamina.errors import DataError
from lamina.result.calibration import Calibration
from lamina.result.decisions import AnyDecision, Argmax, Threshold, Triplet
from lamina.volume import ArrayVolume, read_all

Exported = Callable[..., tuple[Path, Path]]

SOURCE = Path(run.__file__)

FORBIDDING = """
import sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ImportError(f"{name} is forbidden here")
sys.meta_path.insert(0, Forbid())
forbidden = {"lamina", *sys.argv[1].split()}
import runpy
sys.argv = sys.argv[2:]
sys.path.insert(0, ".")
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_it_imports_nothing_of_lamina_and_has_at_most_400_lines() -> None:
    """NumPy; ONNX Runtime or torch by the networks; Pillow only for pictures."""
    text = SOURCE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    imported, tree = set(), ast.parse(text)
    first = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    }
    assert first - set(sys.stdlib_module_names) == {"numpy"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("__import__", "importlib.import_module", "exec")
    assert imported - set(sys.stdlib_module_names) == {"numpy", "onnxruntime", "torch", "PIL"}


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (33, 47), (120, 90)])
def test_components_are_those_of_opencv(shape: tuple[int, int], share: float) -> None:
    for seed in range(5):
        mask = np.random.default_rng(seed).random(shape) < share
        assert_same_parts(mask)


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_components_of_any_small_mask_are_those_of_opencv(mask: NDArray[np.bool_]) -> None:
    assert_same_parts(mask)


def test_components_of_a_spiral_and_of_a_comb_are_one() -> None:
    spiral = np.zeros((31, 31), np.bool_)
    for ring in range(0, 15, 2):
        spiral[ring, ring : 31 - ring] = spiral[30 - ring, ring : 31 - ring] = True
        spiral[ring : 31 - ring, ring] = spiral[ring : 31 - ring, 30 - ring] = True
        spiral[ring + 1, ring] = ring == 0
    comb = np.zeros((20, 41), np.bool_)
    comb[:, ::2] = True
    comb[-1] = True
    for mask in (spiral, comb, comb[::-1], comb.T):
        assert_same_parts(mask)
    assert components(comb).max() == 1


def assert_same_parts(mask: NDArray[np.bool_]) -> None:
    ours = components(mask)
    count, theirs = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    pairs = np.unique(np.stack([ours.ravel(), theirs.ravel()]), axis=1)
    assert pairs.shape[1] == len(set(pairs[0])) == len(set(pairs[1]))
    assert ours.max(initial=0) == count - 1
    assert ((ours > 0) == mask).all()


DECISIONS: list[AnyDecision] = [
    Threshold(),
    Threshold(threshold=(0.4, 0.6, 0.7)),
    Threshold(threshold=0.6, min_component=12),
    Threshold(threshold=0.55, min_component=(1, 5, 30), min_area=(0, 200, 10_000)),
    Threshold(threshold=0.5, overlap="largest"),
    Threshold(threshold=0.58, min_component=4, overlap="largest", min_area=300),
    Threshold(threshold=1.0, overlap="largest"),
    Argmax(),
    Triplet(top=0.7, area=20, bottom=0.4),
    Triplet(top=(0.7, 0.6, 0.99), area=(0, 5000, 1), bottom=(0.4, 0.3, 0.2)),
    Triplet(top=0.7, area=9, bottom=0.5, unit="component"),
    Triplet(top=0.4, area=3, bottom=0.6, unit="component"),
]


@pytest.mark.parametrize("decision", DECISIONS, ids=[str(n) for n in range(len(DECISIONS))])
def test_decisions_are_those_of_lamina(decision: AnyDecision) -> None:
    for seed in range(6):
        noise = np.random.default_rng(seed).random((3, 60, 70)).astype(np.float32)
        prob = np.stack([cv2.GaussianBlur(one, (0, 0), 1 + seed / 3) for one in noise])
        prob = (prob - prob.min()) / np.ptp(prob)
        assert np.array_equal(decide(prob, decision_entry(decision, 3)), decision(prob))


LEVELS = np.random.default_rng(0).integers(0, 256, (1, 20, 30))
IMAGES = {
    "uint8": LEVELS.astype(np.uint8),
    "uint16 levels": LEVELS.astype(np.uint16),
    "uint16 times 257": (LEVELS * 257).astype(np.uint16),
    "uint16": np.random.default_rng(1).integers(0, 65536, (1, 20, 30)).astype(np.uint16),
    "uint16 of 12 bits": (LEVELS * 16 + 3).astype(np.uint16),
    "int32": (LEVELS * 1000 - 5).astype(np.int32),
    "float32 of 0 to 1": (LEVELS / 255).astype(np.float32),
    "float32 levels": LEVELS.astype(np.float32),
    "float64": np.random.default_rng(2).normal(0, 300, (1, 20, 30)),
    "nothing": np.zeros((1, 20, 30), np.float32),
    "faint": np.random.default_rng(3).random((1, 20, 30)).astype(np.float32) / 1e4,
    "constant": np.full((1, 20, 30), 7, np.int16),
}
KINDS = {
    "8 bits": ImageKind(types=("uint8",), low=0, high=255, scale="whole"),
    "both": ImageKind(types=("uint16", "uint8"), low=0, high=65535),
    "times 257": ImageKind(types=("uint16",), low=0, high=65535, scale="times_257"),
    "unit": ImageKind(types=("float32",), low=0, high=1, scale="over_255"),
    "float": ImageKind(types=("float32",), low=-900, high=900),
    "signed": ImageKind(types=("int16",), low=-1000, high=1000),
}


@pytest.mark.parametrize(("image", "kind"), list(product(IMAGES, KINDS)))
def test_read_11_images_are_converted_exactly_or_refused_as_by_lamina(
    image: str, kind: str
) -> None:
    array, learnt = IMAGES[image], KINDS[kind]
    try:
        theirs = read_all(lamina_as_learnt(ArrayVolume(array, "yx", "x"), learnt)[0])
    except DataError:
        with pytest.raises(PipelineError, match="save it"):
            as_learnt(array, learnt.model_dump(mode="json"))
        return
    ours = as_learnt(array, learnt.model_dump(mode="json"))
    assert ours.dtype == theirs.dtype
    assert np.array_equal(ours, theirs)


KNOTS = Calibration(knots=((0.1, 0.0), (0.4, 0.2), (0.6, 0.7), (0.9, 1.0)))
COLOURS = {"size": [32, 32], "channels": 3}
FLIPS = {"views": "flips"}
VARIANTS: dict[str, dict[str, Any]] = {
    "views": {"predict": {"views": "dihedral", "overlap": 0.25, "window": "spline"}},
    "twelve views": {"predict": {"views": "ink12", "window": "hann", "overlap": 0.6}},
    "views of logits": {"predict": {**FLIPS, "mean_of": {"views": "logit"}}},
    "tiles of logits": {"predict": {**FLIPS, "mean_of": {"views": "logit", "tiles": "logit"}}},
    "logits": {
        "predict": {"mean_of": {"views": "logit", "tiles": "logit", "members": "logit"}},
        "decide": {"kind": "threshold", "threshold": [0.45, 0.5], "min_component": 3},
    },
    "squares": {"predict": {"mean_of": {"members": "root_mean_square"}, "window": "linear"}},
    "rounding": {"predict": {"rounding": "uint8", "window": "constant"}},
    "beyond": {"predict": {"border_tiles": "beyond"}},
    "turned": {"frame": {"size": [32, 32], "turn": 3, "pad": "after", "border": "zero"}},
    "own numbers": {"learnt": {"normalise": PerCase()}},
    "own ends": {"learnt": {"normalise": PerCase(how="minmax")}},
    "percentiles": {"learnt": {"normalise": PerCase(how="percentile", low=2, high=95)}},
    "calibrated": {"learnt": {"calibration": (Calibration(slope=0.6, shift=-0.3), KNOTS)}},
    "calibrated logits": {
        "learnt": {"calibration": (Calibration(slope=1.4, shift=0.3), KNOTS)},
        "predict": {"mean_of": {"views": "logit", "tiles": "logit", "members": "logit"}},
    },
    "16 bits learnt": {
        "images": ImageKind(types=("uint16",), low=0, high=65535, scale="times_257")
    },
    "exclusive": {
        "task": {"kind": "multiclass", "names": ["none", "dot", "line"]},
        "predict": {"mean_of": {"members": "cubic"}},
        "decide": {"kind": "argmax"},
    },
    "colours": {
        "frame": COLOURS,
        "task": {"kind": "binary", "names": ["spot"]},
        "decide": {"kind": "triplet", "top": 0.5, "area": 4, "bottom": 0.45},
    },
    "restored": {
        "seed": 7,
        "task": {"kind": "restore", "names": ["value"], "unit": 255},
        "network": {"kind": "dncnn", "width": 8, "depth": 3, "residual": True},
        "decide": {"kind": "as_is"},
        "loss": [{"kind": "l1"}],
        "monitor": {"kind": "psnr"},
        "metric": {"kind": "psnr"},
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_it_answers_as_lamina_does_in_float32(exported: Exported, name: str) -> None:
    bundle, edge = exported(**VARIANTS[name])
    pipeline = Pipeline(edge, threads=1)
    channels = pipeline.about["input"]["channels"]
    with lamina.load(bundle, device="cpu", precision="float32") as model:
        for shape in ((32, 32), (20, 70), (9, 11), (75, 50)):
            image = picture(shape, channels)
            theirs, ours = model(image), pipeline(image)
            if ours.masks is None:
                assert np.abs(ours.probabilities - theirs.probabilities).max() <= 1e-4 * 255
                continue
            apart = np.abs(ours.probabilities - theirs.probabilities)
            # a step of 1/255 where a value lies on the edge of a rounding
            steps = (apart > 1e-5) if pipeline.about["rounding"] == "uint8" else apart > 1e-4
            assert steps.mean() <= (0.001 if pipeline.about["rounding"] == "uint8" else 0)
            near = near_the_threshold(theirs.probabilities, pipeline.about["decision"])
            if model.decision.pixelwise or not near.any():
                assert not ((ours.masks != theirs.masks) & ~near).any()


def near_the_threshold(prob: NDArray[Any], decision: dict[str, Any]) -> NDArray[np.bool_]:
    """Return where a difference of 1e-4 decides."""
    near = np.zeros(prob.shape, np.bool_)
    if decision["kind"] == "argmax":
        first, second = np.sort(prob, axis=0)[::-1][:2]
        near |= first - second <= 2e-4
    for k, numbers in enumerate(decision.get("classes", [])):
        for at in (numbers["threshold"], numbers["sure"]):
            near[k] |= np.abs(prob[k] - at) <= 1e-4
    return near


def picture(shape: tuple[int, int], channels: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(sum(shape)).random((*shape, channels)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2).reshape(*shape, channels)
    levels = (255 * (smooth - smooth.min()) / np.ptp(smooth)).astype(np.uint8)
    return levels[..., 0] if channels == 1 else levels


def test_work_it_runs_where_lamina_and_torch_cannot_be_imported(exported: Exported) -> None:
    """Decision 8: in a process of its own, isolated, with NumPy, ONNX Runtime and Pillow."""
    task = {"kind": "binary", "names": ["spot"]}
    bundle, edge = exported(task=task, predict=FLIPS, options={"threshold": 0.4})
    image = picture((50, 61), 1)
    cv2.imwrite(str(edge / "photo.png"), image)
    said = isolated(edge, "photo.png", "--out", "mask.png", "--probabilities", "p.npy")
    assert said.stdout == "wrote mask.png, predicted by fold0, fold1\n", said.stderr
    with lamina.load(bundle, device="cpu", precision="float32", decision=0.4) as model:
        theirs = model(image)
    assert np.abs(np.load(edge / "p.npy") - theirs.probabilities).max() <= 1e-4
    mask = cv2.imread(str(edge / "mask.png"), cv2.IMREAD_UNCHANGED)
    sure = np.abs(theirs.probabilities[0] - 0.4) > 1e-4
    assert np.array_equal((mask == 255)[sure], theirs.masks[0][sure])
    assert set(np.unique(mask)) <= {0, 255}

    sample = edge / "sample"
    said = isolated(edge, "sample/input.npy", "--out", "again.npy")
    assert said.returncode == 0, said.stderr
    assert np.array_equal(np.load(edge / "again.npy"), np.load(sample / "mask.npy"))

    cv2.imwrite(str(edge / "alpha.png"), np.zeros((5, 5, 4), np.uint8))
    said = isolated(edge, "alpha.png", "--out", "mask.png")
    assert said.returncode == 1
    assert said.stderr.startswith("error: alpha.png: is of mode RGBA; save one grey or RGB image")


LOADING = """
import numpy, sys, torch
program = torch.export.load("member-0.pt2")
arrays = numpy.load("tiles.npz")
with torch.inference_mode():
    logits = program.module()(torch.from_numpy(arrays["tiles"])).numpy()
assert numpy.abs(logits - arrays["logits"]).max() <= 1e-5
assert not [name for name in sys.modules if name.partition(".")[0] in ("lamina", "onnxruntime")]
"""


@pytest.mark.slow
def test_programs_of_torch_run_without_lamina_and_onnx_runtime(exported: Exported) -> None:
    bundle, edge = exported({"format": "torch"}, predict=FLIPS)
    tiles = np.random.default_rng(0).standard_normal((3, 1, 32, 32)).astype(np.float32)
    with torch.inference_mode():
        logits = lamina.Bundle.load(bundle).network(0)(torch.from_numpy(tiles)).numpy()
    np.savez(edge / "tiles.npz", tiles=tiles, logits=logits)
    command = [sys.executable, "-I", "-c", LOADING]
    alone = subprocess.run(command, cwd=edge, capture_output=True, text=True, check=False)
    assert alone.returncode == 0, alone.stderr

    image = picture((50, 61), 1)
    np.save(edge / "image.npy", image)
    words = ("image.npy", "--out", "masks.npy", "--probabilities", "p.npy", "--threads", "1")
    said = isolated(edge, *words, forbidden="cv2")
    assert said.returncode == 0, said.stderr
    with lamina.load(bundle, device="cpu", precision="float32") as model:
        theirs = model(image)
    assert np.abs(np.load(edge / "p.npy") - theirs.probabilities).max() <= 1e-4
    sure = np.abs(theirs.probabilities - 0.5) > 1e-4
    assert np.array_equal(np.load(edge / "masks.npy")[sure], theirs.masks[sure])


def test_training_images_are_predicted_out_of_fold_as_predict_does(
    exported: Exported, tmp_path: Path
) -> None:
    files = [tmp_path / "images" / f"{name}.png" for name in ("a", "b", "seen", "new")]
    files[0].parent.mkdir()
    for number, path in enumerate(files):
        cv2.imwrite(str(path), picture((40 + number, 50), 1))
    folds = {"a": 0, "b": 1, "seen": -1}
    cases = {
        name: KnownCase(sha256=(hashlib.sha256(path.read_bytes()).hexdigest(),), fold=folds[name])
        for name, path in zip(folds, files, strict=False)
    }
    bundle, edge = exported({"with_known": True}, cases=cases)
    lamina.predict(bundle, files[0].parent, tmp_path / "pred", device="cpu", members="auto")
    stored, pipeline = lamina.Predictions.open(tmp_path / "pred"), Pipeline(edge, threads=1)
    every = {}
    for path in files:
        result = pipeline(read_image(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
        assert result.members == stored.case(path.stem).members
        assert np.abs(result.probabilities - stored.prob(path.stem)).max() <= 1e-3  # float16
        every[path.stem] = np.abs(result.probabilities - pipeline(read_image(path)).probabilities)
    assert min(every["a"].max(), every["b"].max()) > 1e-2
    assert max(every["seen"].max(), every["new"].max()) == 0
    for name, said in {
        "a": "fold0",
        "new": "fold0, fold1",
        "seen": "fold0, fold1, which all trained on it",
    }.items():
        done = isolated(edge, str(tmp_path / "images" / f"{name}.png"), "--out", "mask.npy")
        assert done.stdout == f"wrote mask.npy, predicted by {said}\n", done.stderr


def isolated(
    folder: Path, *words: str, forbidden: str = "torch cv2 scipy skimage onnx"
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-c", FORBIDDING, forbidden, "run.py", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


WRITTEN: dict[str, NDArray[Any]] = {
    "grey.png": picture((20, 31), 1),
    "colour.png": picture((20, 31), 3),
    "deep.png": (picture((20, 31), 1).astype(np.uint16) * 251),
    "grey.tif": picture((20, 31), 1),
    "colour.tif": picture((20, 31), 3),
    "deep.tif": (picture((20, 31), 1).astype(np.uint16) * 251),
    "float.tif": picture((20, 31), 1).astype(np.float32) / 7,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_read_2_files_are_read_as_lamina_reads_them(tmp_path: Path, name: str) -> None:
    path, array = tmp_path / name, WRITTEN[name]
    if path.suffix == ".tif":
        tifffile.imwrite(path, array, photometric="rgb" if array.ndim == 3 else "minisblack")
    else:
        cv2.imwrite(str(path), array[..., ::-1] if array.ndim == 3 else array)
    ours, theirs = read_image(path), read_all(lamina.open_volume(path))
    assert ours.dtype == theirs.dtype == array.dtype
    assert np.array_equal(ours, array)
    assert np.array_equal(ours[None] if ours.ndim == 2 else np.moveaxis(ours, -1, 0), theirs)


def test_read_2_an_orientation_is_applied_and_a_jpeg_is_near(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture((40, 62), 3)).save(path, quality=95, exif=exif)
    ours = np.moveaxis(read_image(path), -1, 0).astype(int)
    with pytest.warns(UserWarning, match="EXIF"):
        theirs = read_all(lamina.open_volume(path)).astype(int)
    assert ours.shape == theirs.shape == (3, 62, 40)
    assert np.abs(ours - theirs).max() <= 4


def test_several_pages_and_masks_that_a_picture_cannot_hold_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "pages.tif", np.zeros((3, 8, 9), np.uint8), photometric="minisblack"
    )
    with pytest.raises(PipelineError, match="save one grey or RGB image"):
        read_image(tmp_path / "pages.tif")
    masks = np.zeros((2, 8, 9), np.bool_)
    masks[1, 2:] = masks[0, 5:] = True
    with pytest.raises(PipelineError, match=r"2 planes of uint8; write .npy"):
        write(tmp_path / "masks.png", masks, exclusive=False)
    exclusive = np.stack([~masks[1], masks[1]])
    write(tmp_path / "labels.png", exclusive, exclusive=True)
    assert np.array_equal(read_image(tmp_path / "labels.png"), masks[1].astype(np.uint8))
    with pytest.raises(PipelineError, match=r"1 planes of float32; write .npy or .tif"):
        write(tmp_path / "values.png", np.zeros((1, 4, 4), np.float32), exclusive=False)
    write(tmp_path / "values.tif", np.full((1, 4, 4), 0.3, np.float32), exclusive=False)
    assert np.array_equal(read_image(tmp_path / "values.tif"), np.full((4, 4), 0.3, np.float32))


def test_a_folder_that_was_changed_is_refused(exported: Exported) -> None:
    _, edge = exported()
    about = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))

    def refused(values: dict[str, Any], match: str) -> None:
        (edge / "pipeline.json").write_text(json.dumps(values), encoding="utf-8")
        with pytest.raises(PipelineError, match=match):
            Pipeline(edge)

    refused({**about, "format": "lamina-pipeline/2"}, "its format is lamina-pipeline/2")
    refused({**about, "sharpen": True}, "unknown or missing: sharpen of top")
    refused({**about, "known": {"0" * 64: [1.0]}}, "known has not a weight for each member")
    refused({k: v for k, v in about.items() if k != "means"}, "means")
    refused({**about, "decision": {**about["decision"], "kind": "magic"}}, "magic")
    member = {**about["members"][0], "gamma": 2}
    refused({**about, "members": [member]}, "unknown or missing: gamma of member")
    outside = {**about["files"], "../one-bundle/bundle.json": "0"}
    refused({**about, "files": outside}, "is missing or damaged")
    (edge / "pipeline.json").write_text(json.dumps(about), encoding="utf-8")
    path = edge / "member-0.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(PipelineError, match=r"member-0.onnx: is missing or damaged"):
        Pipeline(edge)


def test_images_that_do_not_fit_are_refused(exported: Exported) -> None:
    pipeline = Pipeline(exported(frame=COLOURS)[1])
    image = picture((40, 30), 3)
    first = pipeline(image)
    again = pipeline(np.moveaxis(image, -1, 0))
    assert np.array_equal(first.probabilities, again.probabilities)
    grey = pipeline(image[..., 0])  # a grey image is repeated, as lamina does with files
    assert np.array_equal(
        grey.probabilities, pipeline(np.repeat(image[..., :1], 3, axis=-1)).probabilities
    )
    with pytest.raises(PipelineError, match="name them: yx, yxc or cyx"):
        pipeline(np.zeros((3, 40, 3), np.uint8))
    for wrong in (np.zeros((4, 4), np.bool_), np.zeros((2, 4, 4, 3)), np.zeros((0, 4))):
        with pytest.raises(PipelineError, match="no image of 2 or 3 axes"):
            pipeline(wrong)
    with pytest.raises(PipelineError, match="NaN"):
        pipeline(np.full((4, 4), np.nan))
    with pytest.raises(PipelineError, match="2 channels, not 3"):
        pipeline(picture((8, 8), 3)[..., :2], axes="yxc")
