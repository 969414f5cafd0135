"""Exports: what is written, what is refused, and that nothing wrong is ever written."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import venv
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import lamina
from lamina.bundle import KnownCase, MemberWeights, Part, join
from lamina.data.network_input.normalise import Fixed
from lamina.deployment import export as export_module
from lamina.deployment.graph import SUFFIXES, Format
from lamina.deployment.run import Pipeline
from lamina.errors import BundleError, LaminaError, RecipeError
from lamina.model.networks import AnyNetwork
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import Policy
from lamina.recipe import builtin
from lamina.recipe.recipe import MeanOf
from tests.deployment.conftest import NETWORK, traced_once
from tests.factories.bundles import Maker

Exported = Callable[..., tuple[Path, Path]]


def test_the_folder_holds_networks_numbers_runner_sample_and_page(exported: Exported) -> None:
    _, edge = exported()
    names = {str(path.relative_to(edge)) for path in edge.rglob("*") if path.is_file()}
    assert names == {
        *("README.md", "member-0.onnx", "member-1.onnx", "pipeline.json", "run.py", "window.npy"),
        *("sample/input.npy", "sample/mask.npy", "sample/probabilities.npy"),
    }
    assert (edge / "run.py").read_bytes() == (
        Path(export_module.__file__).with_name("run.py").read_bytes()
    )
    parity = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))["parity"]
    assert max(parity["tile_difference"].values()) <= 1e-5
    assert parity["image_difference"] <= 1e-5
    sample = {path.stem: np.load(path) for path in (edge / "sample").iterdir()}
    found = Pipeline(edge)(sample["input"], axes="cyx")
    assert np.abs(found.probabilities - sample["probabilities"]).max() <= 1e-5
    assert found.masks is not None
    assert int((found.masks != sample["mask"]).sum()) == parity["mask_pixels"]
    assert "python run.py photo.png" in (edge / "README.md").read_text(encoding="utf-8")


def test_some_members_another_tile_and_another_threshold(
    exported: Exported, tmp_path: Path
) -> None:
    options = {"members": ["fold1"], "tile": (48, 24), "threshold": 0.25}
    bundle, edge = exported(options)
    about = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))
    (member,) = about["members"]
    assert (member["name"], member["tile"], member["step"]) == ("fold1", [48, 24], [24, 12])
    assert [one["threshold"] for one in about["decision"]["classes"]] == [0.25, 0.25]
    image = np.random.default_rng(0).integers(0, 256, (40, 24), np.uint8)
    with lamina.load(bundle, device="cpu", precision="float32", members=["fold1"]) as model:
        theirs = model(image).probabilities
    ours = Pipeline(edge)(image).probabilities
    assert ours.shape == theirs.shape  # tiles of another size: answers are near, not equal
    assert np.abs(ours - theirs).mean() < 0.05


def test_an_ensemble_keeps_tiles_borders_and_weights_of_its_members(
    tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W11."""
    monkeypatch.setattr(export_module, "write_network", traced_once)
    one = make.bundle(network=NETWORK, predict={"views": "flip_x"})
    frame = {"size": [24, 40], "border": "zero", "pad": "after", "turn": 1}
    two = make.bundle(network=NETWORK, frame=frame, seed=5)
    parts = [Part("one", one, 3.0), Part("two", two, 1.0)]
    join(parts, MeanOf(members="root_mean_square")).save(tmp_path / "both")
    found = lamina.export(tmp_path / "both", tmp_path / "edge")
    assert len(found.members) == 4
    about = json.loads((tmp_path / "edge" / "pipeline.json").read_text(encoding="utf-8"))
    assert [tuple(one["tile"]) for one in about["members"]] == [(32, 32)] * 2 + [(24, 40)] * 2
    assert len({one["window"] for one in about["members"]}) == 2
    first, *_, last = (one["weight"] for one in about["members"])
    assert first == pytest.approx(3 * last)
    pipeline = Pipeline(tmp_path / "edge")
    with lamina.load(tmp_path / "both", device="cpu", precision="float32") as model:
        for shape in ((70, 50), (20, 35)):
            image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            apart = np.abs(pipeline(image).probabilities - model(image).probabilities)
            assert apart.max() <= 1e-5


def test_of_torch_the_folder_holds_programs(exported: Exported) -> None:
    """The same numbers around them; what runs them is tested with the runner."""
    _, edge = exported({"format": "torch"})
    names = {path.name for path in edge.iterdir()}
    assert names == {
        *("README.md", "member-0.pt2", "member-1.pt2", "pipeline.json", "run.py", "window.npy"),
        "sample",
    }
    about = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))
    assert [one["opset"] for one in about["members"]] == [None, None]
    assert about["parity"]["onnxruntime"] is None
    assert max(about["parity"]["tile_difference"].values()) <= 1e-5
    page = (edge / "README.md").read_text(encoding="utf-8")
    assert "pip install numpy torch pillow" in page
    assert "onnx" not in page.lower()


CASES = {
    "a": KnownCase(sha256=("a" * 64,), fold=0),
    "b": KnownCase(sha256=("b" * 64,), fold=1),
    "always": KnownCase(sha256=("c" * 64,), fold=-1),
    "twin": KnownCase(sha256=("a" * 64,), fold=1),
    "made": KnownCase(sha256=("d" * 64,), fold=0, labels="pseudo"),
}


def test_known_images_have_the_weights_that_predict_gives(
    exported: Exported, tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain = exported(cases=CASES)
    assert "known" not in json.loads((plain / "pipeline.json").read_text(encoding="utf-8"))
    _, edge = exported({"with_known": True}, name="two", cases=CASES)
    known = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))["known"]
    assert known == {"a" * 64: [0, 0], "b" * 64: [0, 1], "c" * 64: [0, 0]}
    _, edge = exported({"with_known": True, "members": ["fold0"]}, name="three", cases=CASES)
    known = json.loads((edge / "pipeline.json").read_text(encoding="utf-8"))["known"]
    assert known["b" * 64] == [0]

    monkeypatch.setattr(export_module, "write_network", traced_once)
    one = make.bundle({"b": CASES["b"]}, network=NETWORK)
    two = make.bundle({"a": KnownCase(sha256=("b" * 64,), fold=-1)}, network=NETWORK, seed=5)
    other = make.bundle(network=NETWORK, seed=9)
    parts = [Part("one", one, 3.0), Part("two", two, 1.0), Part("other", other, 1.0)]
    join(parts, MeanOf()).save(tmp_path / "several")
    lamina.export(tmp_path / "several", tmp_path / "edge", with_known=True)
    about = json.loads((tmp_path / "edge" / "pipeline.json").read_text(encoding="utf-8"))
    loaded = LoadedMembers([lamina.Bundle.load(tmp_path / "several")], torch.device("cpu"), None)
    chosen = Policy(loaded.bundles, "auto").choose("any", "b" * 64)
    wanted = dict(zip(chosen.members, loaded.weights(chosen), strict=True))
    assert about["known"]["b" * 64] == [wanted.get((0, number), 0) for number in range(6)]
    assert np.count_nonzero(about["known"]["b" * 64]) == 3


BLOCKS = {"kind": "resunet", "width": 8, "blocks": [1, 1]}

REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "valid areas": ({"predict": {"only_valid": True}}, {}, "predict.only_valid is set"),
    "fragments": (
        {
            "frame": {
                "size": [32, 32],
                "channels": 8,
                "depth": {"see": 4},
                "normalise": {"kind": "fixed"},
            }
        },
        {},
        "frame.depth is set",
    ),
    "volumes": ({"frame": {"size": [32, 32], "slices": {}}}, {}, "frame.slices is set"),
    "blocks": (
        {"frame": {"size": [16, 16, 16]}, "network": BLOCKS},
        {},
        "frame.size is [16, 16, 16]",
    ),
    "resize": ({"frame": {"size": [32, 32], "resize": [32, 32]}}, {}, "frame.resize is"),
    "expected": ({"decide": {"kind": "expected"}}, {}, "the decision is expected"),
    "contour": ({"decide": {"kind": "triplet", "contour": 5}}, {}, "decide.contour is 5"),
    "turned": (
        {"frame": {"size": [32, 48]}, "predict": {"views": "rotations"}},
        {},
        "pass square tiles, such as --tile 32x32",
    ),
    "member": ({}, {"members": ["fold7"]}, "no member is called 'fold7'"),
    "nobody": ({}, {"members": []}, "members is empty"),
    "format": ({}, {"format": "tensorrt"}, "format is 'tensorrt'"),
    "threshold": ({}, {"threshold": 1.5}, "the threshold is 1.5"),
    "tile": (
        {
            "network": {
                "kind": "unet",
                "encoder": "mobilenetv3_small_050",
                "decoder": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]},
            }
        },
        {"tile": (36, 36)},
        "tile is 36 x 36; unet needs multiples of 8",
    ),
    "no tile": ({}, {"tile": (0, 8)}, "tile is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_exported_is_refused_with_the_reason(
    exported: Exported, tmp_path: Path, name: str
) -> None:
    changes, options, said = REFUSED[name]
    with pytest.raises(RecipeError, match=r"\S") as caught:
        exported(options, **changes)
    assert said in str(caught.value).splitlines()[0]
    assert [path.name for path in tmp_path.iterdir()] == ["one-bundle"]


def test_the_page_lists_every_refusal_and_no_other() -> None:
    source = Path(export_module.__file__).with_name("pipeline.py").read_text(encoding="utf-8")
    refused = set(re.findall(r"\"((?:predict|frame|data|decide)\.\w+) (?:is|maps)\b", source))
    assert len(refused) == 7
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    table = page[page.index("## What is not exported") :].split("\n\n")[2]
    assert set(re.findall(r"`((?:predict|frame|data|decide)\.\w+)`", table)) == refused
    assert "a decision `expected`" in table


def test_a_remedy_that_a_refusal_names_works(exported: Exported) -> None:
    _, edge = exported({"threshold": 0.5}, decide={"kind": "expected"})
    assert (edge / "pipeline.json").is_file()
    frame = {"size": [32, 48]}
    exported({"tile": (32, 32)}, name="two", frame=frame, predict={"views": "rotations"})


def test_a_folder_that_is_there_and_a_prediction_are_refused(
    exported: Exported, tmp_path: Path
) -> None:
    bundle, edge = exported()
    before = sorted(path.stat().st_mtime_ns for path in edge.rglob("*"))
    with pytest.raises(RecipeError, match="is there already"):
        lamina.export(bundle, edge)
    assert before == sorted(path.stat().st_mtime_ns for path in edge.rglob("*"))
    (tmp_path / "pred").mkdir()
    (tmp_path / "pred" / "prediction.json").write_text("{}")
    with pytest.raises(RecipeError, match=r"written by `lamina objects .*pred --out DIR`"):
        lamina.export(tmp_path / "pred", tmp_path / "objects")


def test_a_wrong_graph_is_refused_and_nothing_is_written(
    tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decision 7: the exporter has written wrong graphs; here one of other weights."""
    make.bundle(network=NETWORK).save(tmp_path / "bundle")

    def wrong(
        network: nn.Module, shape: tuple[int, int, int], path: Path, name: str, format: Format
    ) -> None:
        other = copy.deepcopy(network)
        if name == "fold1":
            with torch.no_grad():
                next(iter(other.parameters())).mul_(1.01)
        traced_once(other, shape, path, name, format)

    monkeypatch.setattr(export_module, "write_network", wrong)
    with pytest.raises(BundleError, match="member fold1: its file answers differently") as why:
        lamina.export(tmp_path / "bundle", tmp_path / "edge")
    assert why.value.exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
    assert lamina.export(tmp_path / "bundle", tmp_path / "edge", members=["fold0"]).bytes > 0


def test_a_wrong_number_around_the_graph_is_refused_and_nothing_is_written(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flat(kind: str, side: int) -> NDArray[np.float64]:
        return np.ones(side)

    monkeypatch.setattr(export_module, "window", flat)
    with pytest.raises(BundleError, match="the export answers differently") as why:
        exported()
    assert why.value.exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["one-bundle"]


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LaminaError, match="nowhere"):
        lamina.export(tmp_path / "nowhere", tmp_path / "edge")


SMALL = {"encoder": "resnet18"}
LARGER = {"frame": {"size": [64, 64], "channels": 3}}
KINDS: dict[str, dict[str, Any]] = {
    "albunet": {"network": {"kind": "albunet"}, **LARGER},
    "dncnn": {"network": {"kind": "dncnn", "residual": False}},
    "drunet": {"network": {"kind": "drunet", "widths": [8, 16], "blocks": 1, "residual": False}},
    "dynunet": {"network": {"kind": "dynunet"}, **LARGER},
    "segresnet": {"network": {"kind": "segresnet"}, **LARGER},
    "swinunetr": {"network": {"kind": "swinunetr"}, **LARGER},
    "nafnet": {"network": {"kind": "nafnet", "width": 8, "residual": False}, **LARGER},
    "pixel_shuffle": {"network": {"kind": "pixel_shuffle", **SMALL}, **LARGER},
    "quarter_unet": {"network": {"kind": "quarter_unet", **SMALL}, **LARGER},
    "resunet": {"network": BLOCKS},
    "slice_fusion": {"network": {"kind": "slice_fusion"}, **LARGER},
    "upconv_unet": {"network": {"kind": "upconv_unet", **SMALL}, **LARGER},
    "volume_unet": {"network": {"kind": "volume_unet", **SMALL}, **LARGER},
    **{
        kind: {"network": {"kind": kind, **SMALL}, **LARGER}
        for kind in ("unet", "unet_plus_plus", "fpn", "linknet", "manet", "pspnet")
    },
    **{
        kind: {"network": {"kind": kind, **SMALL}, **LARGER}
        for kind in ("deeplabv3", "deeplabv3_plus", "upernet", "segformer")
    },
    "pan": {"network": {"kind": "pan", **SMALL}, "frame": {"size": [128, 128], "channels": 3}},
    **{
        encoder: {"network": {"kind": "unet", "encoder": encoder}, **LARGER}
        for encoder in ("se_resnet50", "timm-efficientnet-b0", "tu-convnext_atto")
    },
}


def test_every_kind_of_network_is_among_those_tried() -> None:
    fields = [get_type_hints(arg)["kind"] for arg in get_args(get_args(AnyNetwork)[0])]
    kinds = {kind for field in fields for kind in get_args(field)}
    assert kinds == {values["network"]["kind"] for values in KINDS.values()}


@pytest.fixture(scope="module")
def empty_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an environment that holds numpy and onnxruntime alone; return its interpreter."""
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=True, symlinks=True)
    python = str(folder / "bin" / "python")
    wanted = [f"{name}=={version(name)}" for name in ("numpy", "onnxruntime")]
    command = [python, "-m", "pip", "install", "-q", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"numpy and onnxruntime could not be installed: {done.stderr[-300:]}")
    for name in ("lamina", "torch", "PIL"):
        found = subprocess.run([python, "-I", "-c", f"import {name}"], capture_output=True)
        assert found.returncode == 1, name
    return python


def answer_in(python: str, edge: Path, image: NDArray[Any]) -> NDArray[Any]:
    """Return what run.py of an exported folder answers in another environment."""
    np.save(edge / "image.npy", image)
    words = ["image.npy", "--out", "masks.npy", "--probabilities", "answer.npy", "--threads", "1"]
    command = [python, "-I", "run.py", *words]
    done = subprocess.run(command, cwd=edge, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.asarray(np.load(edge / "answer.npy"))


LAPTOP = {
    "denoise-blind-laptop": None,
    "denoise-gray-laptop": None,
    "denoise-laptop": "frame.slices is set",
    "denoise-noisy-laptop": None,
    "faults-laptop": "frame.slices is set",
    "faults3d-laptop": "block by block",
    "folder-laptop": None,
    "ink-laptop": "predict.only_valid is set",
    "steel-laptop": None,
    "volume-laptop": "frame.slices is set",
    "volume3d-laptop": "block by block",
    "xray-laptop": "frame.resize is",
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", LAPTOP)
def test_every_laptop_recipe_is_exported_or_refused_with_a_reason(
    tmp_path: Path, name: str, empty_python: str
) -> None:
    recipe = lamina.load_recipe(name)
    if recipe.task.names is None:
        task = recipe.task.model_copy(update={"names": ("one",)})
        recipe = recipe.model_copy(update={"task": task})
    torch.manual_seed(0)
    network = recipe.network.untrained().build(recipe.frame.inputs, recipe.task.outputs)
    normalise = Fixed(mean=0.4, std=0.2)
    member = MemberWeights("fold0", network.state_dict(), 0, "main", 0.5, normalise)
    lamina.Bundle.make(recipe, [member], cases={}).save(tmp_path / "bundle")
    why = LAPTOP[name]
    if why is not None:
        with pytest.raises(RecipeError) as caught:
            lamina.export(tmp_path / "bundle", tmp_path / "edge")
        assert why in str(caught.value)
        return
    options = {"threshold": 0.5} if recipe.decide.kind == "expected" else {}
    lamina.export(tmp_path / "bundle", tmp_path / "edge", **options)
    shape = (recipe.tile[0] + 40, recipe.tile[1] // 2)
    size = (*shape, 3) if recipe.frame.channels == 3 else shape
    image = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    ours = Pipeline(tmp_path / "edge")(image)
    with lamina.load(tmp_path / "bundle", device="cpu", precision="float32") as model:
        theirs = model(image).probabilities
    unit = max(1.0, float(recipe.task.unit or 1))
    assert np.abs(ours.probabilities - theirs).max() <= 1e-4 * unit
    alone = answer_in(empty_python, tmp_path / "edge", image)
    assert np.abs(alone - theirs).max() <= 1e-4 * unit


def test_laptop_recipes_are_all_tried() -> None:
    assert {name for name in builtin.names() if name.endswith("-laptop")} == set(LAPTOP)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("format", SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_is_exported_and_answers_alike(
    exported: Exported, kind: str, format: Format, request: pytest.FixtureRequest
) -> None:
    """W11."""
    bundle, edge = exported({"members": ["fold0"], "format": format}, **KINDS[kind])
    image = np.random.default_rng(0).integers(0, 256, (90, 70), np.uint8)
    if "frame" in KINDS[kind]:
        image = np.stack([image] * 3, axis=-1)
    with lamina.load(bundle, device="cpu", precision="float32", members=["fold0"]) as model:
        theirs = model(image).probabilities
    assert np.abs(Pipeline(edge)(image).probabilities - theirs).max() <= 1e-4
    if format == "onnx":
        alone = answer_in(request.getfixturevalue("empty_python"), edge, image)
        assert np.abs(alone - theirs).max() <= 1e-4
