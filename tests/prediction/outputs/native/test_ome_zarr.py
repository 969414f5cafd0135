"""Pyramids of OME-Zarr: values against brute force, metadata against the standard's formulas."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from ome_zarr_models.v05 import Image, ImageLabel, Labels
from pydantic import ValidationError

from lamina.data.readers import open_volume
from lamina.prediction.outputs.native.ome_zarr import (
    OME_ZARR,
    block_means,
    block_modes,
    levels_of,
)
from lamina.volume import placement_of
from tests.factories.native import answer_of, chances

SHAPE = (5, 300, 7)


def blocks(shape: tuple[int, ...], side: int) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    sides = [range(-(-n // side)) for n in shape]
    return [
        (place, tuple(slice(side * at, side * at + side) for at in place))
        for place in product(*sides)
    ]


@pytest.mark.parametrize("side", [1, 2, 4])
@pytest.mark.parametrize("shape", [(5, 9), (3, 4, 7), (8, 1, 2)])
def test_block_means_and_modes_by_brute_force(side: int, shape: tuple[int, ...]) -> None:
    """Issue 14, part 3: odd ends cover fewer voxels; of equal labels the greatest."""
    rng = np.random.default_rng(side)
    bytes_, floats = rng.integers(0, 256, shape, np.uint8), rng.normal(size=shape)
    labels = rng.integers(0, 4, shape, np.uint8)
    for place, box in blocks(shape, side):
        assert block_means(floats, side)[place] == pytest.approx(floats[box].mean())
        assert block_means(bytes_, side)[place] == np.rint(bytes_[box].mean())
        counts = Counter(labels[box].ravel().tolist())
        most = max(counts.values())
        assert block_modes(labels, side)[place] == max(v for v, n in counts.items() if n == most)


def put(path: Path) -> NDArray[Any]:
    """Write an OME-Zarr image (c, z, y, x) with scales, translations and units of its own."""
    values = np.random.default_rng(0).integers(0, 255, (1, *SHAPE), np.uint8)
    group = zarr.create_group(path, zarr_format=3)
    group.create_array("full", data=values, chunks=(1, 4, 64, 7), dimension_names=list("czyx"))
    axes = [{"name": "c", "type": "channel"}] + [
        {"name": name, "type": "space", "unit": unit}
        for name, unit in zip("zyx", ("nanometer", "micrometer", "micrometer"), strict=True)
    ]
    steps = [
        {"type": "scale", "scale": [1, 400.0, 0.1, 0.25]},
        {"type": "translation", "translation": [0, 1000.0, 7.0, -3.0]},
    ]
    datasets = [{"path": "full", "coordinateTransformations": steps}]
    image = {"axes": axes, "datasets": datasets, "name": "raw"}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    return values


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "restore"])
def test_native_ome_zarr_lies_where_its_source_lies(tmp_path: Path, kind: str) -> None:
    """Issue 14, part 3: axes, units, scale and translation of every level, values and labels."""
    path = tmp_path / "raw.ome.zarr"
    put(path)
    image = open_volume(path)
    prob = chances(kind, image.shape)
    answer = answer_of(tmp_path, image, path, kind, prob)
    target = tmp_path / "native" / "raw.ome.zarr"
    OME_ZARR.write(target, answer, OME_ZARR.layers(answer)[0])
    root = zarr.open_group(target, mode="r")
    about = json.loads((target / "zarr.json").read_text())["attributes"]["ome"]
    check(about, lead=["c"])
    stored = prob if kind == "restore" else np.rint(prob * 255).astype(np.uint8)
    assert about["multiscales"][0]["name"] == ("values" if kind == "restore" else "probability")
    np.testing.assert_array_equal(root["0"][:], stored)
    levels = levels_of(SHAPE)
    assert levels == 2
    for k, level in product(range(len(prob)), range(levels)):
        np.testing.assert_allclose(root[str(level)][k], block_means(stored[k], 2**level), 1e-6)
    assert root["1"].shape == (len(prob), 3, 150, 4)
    assert root["1"].metadata.dimension_names == ("c", "z", "y", "x")
    if kind == "restore":
        assert "labels" not in root
        return
    names = ["a", "b", "c"] if kind == "multilabel" else ["decided"]
    assert root["labels"].attrs["ome"] == {"version": "0.5", "labels": names}
    for k, name in enumerate(names):
        own = root["labels"][name]
        check(own.attrs["ome"], lead=[])
        wanted = prob.argmax(axis=0) if kind == "multiclass" else prob[k] > 0.5
        np.testing.assert_array_equal(own["0"][:], wanted)
        np.testing.assert_array_equal(own["1"][:], block_modes(wanted.astype(np.uint8), 2))
        label = own.attrs["ome"]["image-label"]
        source = target / "labels" / name / label["source"]["image"]
        assert source.resolve() == target.resolve()
        classes = {one["label-value"]: one["class"] for one in label["properties"]}
        assert classes == ({1: "a", 2: "b"} if kind == "multiclass" else {1: name_of(name)})
    # Lamina itself reads it at the same place, and so does what follows the standard.
    assert placement_of(open_volume(target, dataset="labels/" + names[0])) == placement_of(image)


def name_of(name: str) -> str:
    return "a" if name == "decided" else name


def check(about: dict[str, Any], lead: list[str]) -> None:
    """Compare the metadata of an image with the source's, and with the formula of levels."""
    assert about["version"] == "0.5"
    (image,) = about["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == [*lead, "z", "y", "x"]
    assert [axis.get("unit") for axis in image["axes"]][-3:] == [
        "nanometer",
        "micrometer",
        "micrometer",
    ]
    for level, dataset in enumerate(image["datasets"]):
        assert dataset["path"] == str(level)
        scale, shift = dataset["coordinateTransformations"]
        step, begin = np.array([400.0, 0.1, 0.25]), np.array([1000.0, 7.0, -3.0])
        assert (scale["type"], shift["type"]) == ("scale", "translation")
        np.testing.assert_allclose(scale["scale"][-3:], step * 2**level)
        np.testing.assert_allclose(shift["translation"][-3:], begin + (2**level - 1) / 2 * step)
        assert scale["scale"][:-3] == [1.0] * len(lead)
        assert shift["translation"][:-3] == [0.0] * len(lead)


def test_native_ome_zarr_of_npy_has_no_unit_and_is_written_again(tmp_path: Path) -> None:
    """Issue 14, part 3: npy says nothing of spacing: 1 without a unit; an older one is replaced."""
    path = tmp_path / "raw.npy"
    np.save(path, np.zeros((30, 40, 50), np.uint8))
    image = open_volume(path)
    answer = answer_of(tmp_path, image, path, "binary", chances("binary", image.shape))
    target = tmp_path / "native" / "raw.ome.zarr"
    first, again = (OME_ZARR.write(target, answer, OME_ZARR.layers(answer)[0]) for _ in range(2))
    assert first == again
    (one,) = zarr.open_group(target, mode="r").attrs["ome"]["multiscales"]
    assert one["axes"][1:] == [{"name": name, "type": "space"} for name in "zyx"]
    assert one["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0] * 4
    assert [path.name for path in target.parent.iterdir()] == ["raw.ome.zarr"]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "restore"])
def test_native_ome_zarr_is_accepted_by_ome_zarr_models(tmp_path: Path, kind: str) -> None:
    """The standard as its own community checks it: image, labels and each label."""
    put(tmp_path / "raw.ome.zarr")
    image = open_volume(tmp_path / "raw.ome.zarr")
    prob = chances(kind, image.shape)
    answer = answer_of(tmp_path, image, tmp_path / "raw.ome.zarr", kind, prob)
    target = tmp_path / "native" / "raw.ome.zarr"
    OME_ZARR.write(target, answer, OME_ZARR.layers(answer)[0])
    root = zarr.open_group(target, mode="r")
    found = Image.from_zarr(root)
    assert [axis.name for axis in found.ome_attributes.multiscales[0].axes] == list("czyx")
    if kind != "restore":
        names = Labels.from_zarr(root["labels"]).ome_attributes.labels
        assert names == (["a", "b", "c"] if kind == "multilabel" else ["decided"])
        for name in names:
            ImageLabel.from_zarr(root["labels"][name])


@pytest.mark.parametrize("fault", ["axis", "path", "scale", "version"])
def test_a_damaged_ome_zarr_is_refused_by_ome_zarr_models(tmp_path: Path, fault: str) -> None:
    """So that being accepted says something."""
    np.save(tmp_path / "raw.npy", np.zeros((3, 4, 5), np.uint8))
    image = open_volume(tmp_path / "raw.npy")
    prob = chances("binary", image.shape)
    answer = answer_of(tmp_path, image, tmp_path / "raw.npy", "binary", prob)
    target = tmp_path / "native" / "raw.ome.zarr"
    OME_ZARR.write(target, answer, OME_ZARR.layers(answer)[0])
    about = json.loads((target / "zarr.json").read_text())
    ome = about["attributes"]["ome"]
    (scales,) = ome["multiscales"]
    match fault:
        case "axis":
            scales["axes"].pop()
        case "path":
            scales["datasets"][0]["path"] = "elsewhere"
        case "scale":
            scales["datasets"][0]["coordinateTransformations"].pop(0)
        case "version":
            ome["version"] = "0.9"
    Image.from_zarr(zarr.open_group(target, mode="r"))
    (target / "zarr.json").write_text(json.dumps(about))
    with pytest.raises((ValidationError, ValueError, KeyError)):
        Image.from_zarr(zarr.open_group(target, mode="r"))
