"""What training lists, prediction finds: every catalog predicts its own folder to its own cases."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import TypeAdapter

from lamina.data.catalogs import AnyCatalog, Catalog
from lamina.data.catalogs.inputs import Input
from lamina.data.names import by_stem
from lamina.data.readers import SUFFIXES, has_suffix, images_below, stem_of
from lamina.errors import DataError, RecipeError
from lamina.seeding import rng
from lamina.spec import kinds_of
from lamina.synthetic.scroll import write_fragments
from lamina.synthetic.steel import write_severstal
from lamina.synthetic.xray import write_siim
from lamina.task import Task
from lamina.volume import read_all

Write = Callable[[Path], object]


def png(path: Path, seed: int, *, mask: bool = False) -> None:
    pixels = rng(seed, path.name).integers(0, 255, (12, 10)).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((pixels > 120).astype(np.uint8) if mask else pixels).save(path)


def folder(root: Path) -> None:
    for name in ("b", "a", "inner/c"):
        png(root / "images" / f"{name}.png", 1)
        png(root / "masks" / f"{name}.png", 2, mask=True)
    png(root / "preview.png", 3)


def corrupt(root: Path) -> None:
    for name in ("b.png", "a.png", "inner/c.png", "thumbnail.jpg"):
        png(root / "clean" / name, 1)
    png(root / "noisy" / "b.png", 2)


def pairs_beside(root: Path) -> None:
    for name in ("one", "two"):
        cube = rng(1, name).integers(0, 9, (3, 4, 5)).astype(np.uint8)
        np.save(root / f"{name}_raw.npy", cube)
        np.save(root / f"{name}_labels.npy", (cube > 5).astype(np.uint8))


def pairs_apart(root: Path) -> None:
    for name in ("one", "two", "broken"):
        (root / name).mkdir()
        cube = rng(1, name).integers(0, 9, (6, 4, 5)).astype(np.uint8)
        stored = cube.transpose(1, 0, 2) if name == "two" else cube
        tifffile.imwrite(root / name / "raw_1.tif", stored, photometric="minisblack")
        tifffile.imwrite(root / name / "raw_2.tif", stored[::-1], photometric="minisblack")
        tifffile.imwrite(
            root / name / "labels.tif", (cube > 5).astype(np.uint8), photometric="minisblack"
        )


def xrays(root: Path) -> None:
    write_siim(root, count=3, seed=1, shape=(64, 64))
    write_siim(root / "later", count=2, seed=1, shape=(64, 64), first=10)


def coco(root: Path) -> None:
    names = ["b.png", "inner/a.png"]
    for name in names:
        png(root / "images" / name, 1)
    images = [
        {"id": k, "file_name": name, "height": 12, "width": 10} for k, name in enumerate(names)
    ]
    shape = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 5]]}
    found = {"images": images, "annotations": [shape], "categories": [{"id": 1, "name": "x"}]}
    (root / "annotations.json").write_text(json.dumps(found))


def labelme(root: Path) -> None:
    for name in ("b", "inner/a"):
        png(root / f"{name}.png", 1)
        shape = {"label": "x", "points": [[1, 1], [5, 1], [5, 5]]}
        found = {"shapes": [shape], "imageHeight": 12, "imageWidth": 10}
        (root / f"{name}.json").write_text(json.dumps(found))


def nnunet(root: Path) -> None:
    about = {"channel_names": {"0": "a", "1": "b"}, "labels": {"background": 0, "x": 1}}
    (root / "imagesTr").mkdir()
    (root / "labelsTr").mkdir()
    (root / "dataset.json").write_text(json.dumps(about))
    for name in ("one", "two"):
        cube = rng(1, name).integers(0, 9, (2, 3, 4, 5)).astype(np.uint8)
        for channel in (0, 1):
            np.save(root / "imagesTr" / f"{name}_000{channel}.npy", cube[channel])
        np.save(root / "labelsTr" / f"{name}.npy", (cube[0] > 5).astype(np.uint8))


def suffixed(root: Path) -> None:
    for part, name in (("train", "b"), ("val", "a"), ("val", "b")):
        png(root / part / f"{name}_im.png", 1)
        png(root / part / f"{name}_im_mask.png", 2, mask=True)


CATALOGS: list[tuple[dict[str, Any], Task, Write]] = [
    ({"kind": "folder"}, Task(kind="binary"), folder),
    (
        {"kind": "folder", "images": "{split}/{id}.png", "masks": "{split}/{id}_mask.png"},
        Task(kind="binary"),
        suffixed,
    ),
    ({"kind": "nnunet"}, Task(kind="binary"), nnunet),
    ({"kind": "coco"}, Task(kind="multilabel"), coco),
    ({"kind": "labelme"}, Task(kind="multilabel"), labelme),
    ({"kind": "corrupt", "images": "clean", "pattern": "*.png"}, Task(kind="restore"), corrupt),
    (
        {"kind": "volume_pairs", "image": "*_raw.npy", "target": "*_labels.npy"},
        Task(kind="binary"),
        pairs_beside,
    ),
    (
        {
            "kind": "volume_pairs",
            "image": "raw*.tif",
            "exclude": ["broken"],
            "stretch": {"to": "unit"},
            "transpose": {"two": "yzx"},
        },
        Task(kind="binary"),
        pairs_apart,
    ),
    (
        {"kind": "csv_rle"},
        Task(kind="multilabel", names=("a", "b", "c", "d")),
        lambda root: write_severstal(root, count=3, seed=1, shape=(32, 64)),
    ),
    (
        {
            "kind": "csv_rle",
            "dialect": "siim",
            "second": {"images": "later/train", "table": "later/train.csv"},
        },
        Task(kind="binary"),
        xrays,
    ),
    (
        {"kind": "fragments", "layers": [2, 5]},
        Task(kind="binary"),
        lambda root: write_fragments(root, count=2, seed=1, shape=(64, 70)),
    ),
    ({"kind": "synthetic", "count": 2, "shape": (32, 32)}, Task(kind="multilabel"), Path.mkdir),
]


def opened(options: dict[str, Any]) -> Catalog:
    found: Catalog = TypeAdapter(AnyCatalog).validate_python(options)
    return found


def test_every_kind_of_catalog_is_here() -> None:
    assert {options["kind"] for options, _, _ in CATALOGS} == set(kinds_of(AnyCatalog))


@pytest.mark.parametrize(
    ("options", "task", "write"),
    CATALOGS,
    ids=[f"{number}_{options['kind']}" for number, (options, _, _) in enumerate(CATALOGS)],
)
def test_a_catalog_predicts_its_own_folder_to_its_own_cases(
    tmp_path: Path, options: dict[str, Any], task: Task, write: Write
) -> None:
    root = tmp_path / "data"
    if options["kind"] != "synthetic":
        root.mkdir()
    write(root)
    catalog = opened(options)
    cases = [case for case in catalog.open(root, task).cases if case.files]
    found = list(catalog.inputs(root))
    assert sorted(one.id for one in found) == sorted(case.id for case in cases)
    by_id = {one.id: one for one in found}
    for case in cases:
        one = by_id[case.id]
        assert str(one.path) in case.files
        image = catalog.open_image(one.path, one.id)
        if options["kind"] == "corrupt":
            image = catalog.corrupted(image, one.id)
        np.testing.assert_array_equal(read_all(image), read_all(case.image))
        assert (image.axes, image.shape) == (case.image.axes, case.image.shape)
        valid = catalog.open_valid(one.path)
        assert (valid is None) == (case.valid is None)
        if valid is not None and case.valid is not None:
            np.testing.assert_array_equal(read_all(valid), read_all(case.valid))


@pytest.mark.parametrize(
    "options", [{"kind": kind} for kind in kinds_of(AnyCatalog)], ids=lambda one: one["kind"]
)
def test_what_is_not_there_is_said_by_every_catalog(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"nothing: no such file or folder"):
        list(opened(options).inputs(tmp_path / "nothing"))
    if options["kind"] != "corrupt":
        with pytest.raises(RecipeError, match=f"data.kind {options['kind']} has none"):
            opened(options).corrupted(None, "a")  # type: ignore[arg-type]


def test_a_catalog_that_does_not_say_how_it_predicts_is_no_catalog() -> None:
    class Half(Catalog):
        def open(self, root: Path, task: Task) -> Any:
            raise NotImplementedError

    with pytest.raises(TypeError, match="abstract"):
        Half()
    with pytest.raises(TypeError, match="abstract"):
        Half.model_validate({})


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_list_of_files_knows_what_the_readers_read(tmp_path: Path, suffix: str) -> None:
    """One place says which suffixes there are; folders, tables and stacks follow."""
    path = tmp_path / "images" / f"one.two{suffix}"
    path.parent.mkdir()
    path.write_bytes(b"x")
    assert has_suffix(path)
    assert stem_of(path) == stem_of(Path("one.two.png")) == "one.two"
    assert list(images_below(tmp_path)) == [path]
    assert list(by_stem(path.parent, "data.images")) == ["one.two"]
    for options in ({"kind": "folder"}, {"kind": "csv_rle", "dialect": "siim"}):
        found = [Input("one.two", path)]
        assert list(opened(options).inputs(tmp_path)) == found
        (tmp_path / "list.csv").write_text("image\none.two\n")
        assert list(opened(options).inputs(tmp_path / "list.csv")) == found
    stack = opened({"kind": "fragments", "image": "one.two"})
    assert stack.stack_of(path.parent) == path  # type: ignore[attr-defined]
