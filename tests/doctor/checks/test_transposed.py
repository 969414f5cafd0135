"""FAULT-2: volumes whose image is transposed against its label are found, and no others."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from lamina.doctor.case_statistics import statistics_of
from lamina.doctor.checks.transposed import Transposed
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Finding
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.synthetic.seismic import volume, write_faults
from lamina.synthetic.steel import write_severstal
from lamina.volume import read_all

SHAPE = (48, 48, 72)


def transposed(folder: Path, order: tuple[int, ...]) -> None:
    """Store the image of a volume with its axes in another order."""
    (path,) = folder.glob("seismicCubes*.npy")
    np.save(path, np.ascontiguousarray(np.load(path).transpose(order)))


def patient(recipe: Recipe, root: Path) -> Examined:
    listing = recipe.data.open(root, recipe.task)
    return Examined(
        recipe, root, tuple(statistics_of(listing.cases, recipe.task.found(listing.names)))
    )


def errors(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.level == "error"]


def test_the_volumes_that_are_transposed_are_named_with_their_axes(tmp_path: Path) -> None:
    """FAULT-2."""
    write_faults(tmp_path, count=4, seed=11, shape=SHAPE)
    for name in ("seismic_00001", "seismic_00003"):
        transposed(tmp_path / name, (1, 0, 2))
    found = list(Transposed()(patient(load_recipe("faults-laptop"), tmp_path)))
    wrong = errors(found)
    assert [one.where for one in wrong] == ["case seismic_00001", "case seismic_00003"]
    assert wrong[0].fix == {"transpose": {"seismic_00001": "yzx"}}
    assert "data.transpose" in wrong[0].remedy
    assert [one.where for one in found if one.level == "fine"] == ["2 of 4 volumes"]


@pytest.mark.parametrize("order", [(1, 2, 0), (2, 0, 1)])
def test_the_fix_undoes_any_order_of_the_axes(tmp_path: Path, order: tuple[int, ...]) -> None:
    write_faults(tmp_path, count=1, seed=11, first=3, shape=(64, 64, 64))
    (folder,) = tmp_path.iterdir()
    transposed(folder, order)
    recipe = load_recipe("faults-laptop")
    (wrong,) = errors(list(Transposed()(patient(recipe, tmp_path))))
    assert wrong.fix is not None
    data = recipe.data.model_copy(update=dict(wrong.fix))
    (case,) = data.open(tmp_path, recipe.task).cases
    image, _ = volume(3, seed=11, shape=(64, 64, 64))
    np.testing.assert_array_equal(read_all(case.image)[0], image)
    assert (
        errors(list(Transposed()(patient(recipe.model_copy(update={"data": data}), tmp_path))))
        == []
    )


def test_a_transpose_that_the_recipe_should_not_make_is_taken_back(tmp_path: Path) -> None:
    write_faults(tmp_path, count=1, seed=11, shape=SHAPE)
    recipe = load_recipe("faults-laptop", ['data.transpose={"seismic_*": yzx}'])
    (wrong,) = errors(list(Transposed()(patient(recipe, tmp_path))))
    assert wrong.fix == {"transpose": {"seismic_00000": "zyx"}}


@pytest.mark.data
@pytest.mark.parametrize(
    ("target", "rows"),
    [
        ("membranes.tif", 0),
        ("labels.tif", 448),
        pytest.param("mitochondria.tif", 448, marks=pytest.mark.slow),
        pytest.param("synapses.tif", 0, marks=pytest.mark.slow),
    ],
)
def test_a_real_volume_transposed_in_its_plane_is_found_and_only_then(
    shared_data: Path, tmp_path: Path, target: str, rows: int
) -> None:
    part = (slice(None), slice(rows, rows + 576))
    source = shared_data / "em-drosophila-vnc"
    image, label = (tifffile.imread(source / name)[part] for name in ("raw.tif", target))
    changes = ["data.image=raw.npy", "data.target=label.npy"]
    if target == "labels.tif":
        label = np.searchsorted(np.unique(label), label).astype(np.uint8)
        kinds = [
            "task.kind=multiclass",
            "task.names=null",
            "data.labels=null",
            "decide.kind=argmax",
        ]
        changes += kinds
    np.save(tmp_path / "label.npy", label)
    recipe = load_recipe("volume-laptop", changes)
    np.save(tmp_path / "raw.npy", image)
    assert errors(list(Transposed()(patient(recipe, tmp_path)))) == []
    np.save(tmp_path / "raw.npy", np.ascontiguousarray(image.transpose(0, 2, 1)))
    (wrong,) = errors(list(Transposed()(patient(recipe, tmp_path))))
    assert wrong.fix == {"transpose": {"raw": "zxy"}}


def test_square_images_are_judged_together(tmp_path: Path) -> None:
    write_severstal(tmp_path, count=24, seed=1, shape=(128, 128))
    recipe = load_recipe("steel-laptop")
    assert errors(list(Transposed()(patient(recipe, tmp_path)))) == []
    for path in (tmp_path / "train_images").iterdir():
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        cv2.imwrite(str(path), np.ascontiguousarray(np.swapaxes(image, 0, 1)))
    (wrong,) = errors(list(Transposed()(patient(recipe, tmp_path))))
    assert wrong.where == "7 images of 128 x 128 with labels"
    assert "rows and columns exchanged" in wrong.what
    assert wrong.fix is None


def test_empty_labels_and_sides_that_differ_are_passed_over(tmp_path: Path) -> None:
    write_faults(tmp_path, count=1, seed=11, shape=(16, 24, 32))
    write_faults(tmp_path, count=1, seed=11, shape=(24, 24, 32), first=1)
    label = tmp_path / "seismic_00001" / "fault_00001.npy"
    np.save(label, np.zeros((24, 24, 32), np.uint8))
    assert list(Transposed()(patient(load_recipe("faults-laptop"), tmp_path))) == []
