"""Files that ``predict --save`` makes: complete, current, covered by digests, made again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
import pytest
from PIL import Image

from lamina.bundle import Bundle
from lamina.errors import RecipeError
from lamina.files import digest
from lamina.folders import DATA_INDEX, PREDICTION
from lamina.prediction.folder.ledger import LEDGER
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.result.decisions import Threshold
from tests.factories.commands import run_command

ALL = ("overlays", "objects", "native")


@pytest.fixture(scope="module")
def bundle(make: Any) -> Bundle:
    return make.bundle()  # type: ignore[no-any-return]


@pytest.fixture
def place(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for name, shape in (("a.png", (40, 52)), ("b.png", (33, 64))):
        pixels = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / name)
    return tmp_path


def run(place: Path, *save: str, **options: Any) -> Predictions:
    images = options.pop("images", place / "images")
    predict([place / "bundle"], [images], place / "pred", device="cpu", save=save, **options)
    return Predictions.open(place / "pred")


def files_of(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if name.split("/")[0] not in ("probabilities", "log.txt")}


def test_every_kind_is_there_and_covered_by_the_ledger(place: Path) -> None:
    """Issue 14, part 2: names without suffix, a folder per class, digests of all."""
    found = run(place, *ALL)
    assert files_of(found.folder) == {
        *(f"masks/{class_}/{name}.png" for class_ in ("dot", "line") for name in "ab"),
        *(f"overlays/{name}.jpg" for name in "ab"),
        *(f"objects/{name}.geojson" for name in "ab"),
        *("objects.csv", "objects.geojson", PREDICTION, LEDGER, DATA_INDEX),
    }
    rows = [json.loads(line) for line in (found.folder / LEDGER).read_text().splitlines()]
    noted = {name: sha for row in rows for name, sha in row.get("files", {}).items()}
    noted |= {row["file"]: row["sha256"] for row in rows if "file" in row}
    assert set(noted) == {
        name for name in files_of(found.folder) if name.startswith(("o", "native"))
    }
    for name, sha in noted.items():
        assert digest(found.folder / name) == sha


def test_masks_of_classes_are_those_decided_and_objects_cover_them(place: Path) -> None:
    """Issue 14, part 2: the areas of all objects are the pixels of the masks."""
    found = run(place, "objects")
    text = (found.folder / "objects.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    features = json.loads((found.folder / "objects.geojson").read_text())["features"]
    assert len(rows) == len(features)
    for id in found.ids:
        for k, class_ in enumerate(("dot", "line")):
            mask = cv2.imread(str(found.folder / "masks" / class_ / f"{id}.png"), -1)
            np.testing.assert_array_equal(mask == 255, found.mask(id)[k])
            own = [row for row in rows if (row["case"], row["class"]) == (id, class_)]
            assert sum(int(row["area_px"]) for row in own) == found.mask(id)[k].sum()
    assert sum(found.mask(id).sum() for id in found.ids) > 0


def test_the_same_command_makes_nothing_and_a_damaged_file_alone_is_made_again(
    place: Path,
) -> None:
    """Issue 14, part 2."""
    found = run(place, *ALL)
    before = {name: digest(found.folder / name) for name in files_of(found.folder)}
    times = {name: (found.folder / name).stat().st_mtime_ns for name in before if "/" in name}
    run(place, *ALL)
    assert {name: digest(found.folder / name) for name in before} == before
    assert all((found.folder / name).stat().st_mtime_ns == t for name, t in times.items())
    (found.folder / "overlays" / "a.jpg").write_bytes(b"edited")
    run(place)  # nothing asked for: what was made before stays right
    after = {name: digest(found.folder / name) for name in files_of(found.folder)}
    assert {k: v for k, v in after.items() if k != LEDGER} == {
        k: v for k, v in before.items() if k != LEDGER
    }


def test_another_decision_makes_all_again(bundle: Bundle, place: Path) -> None:
    """Issue 14, part 2: no file of the earlier decision is left, asked for or not."""
    first = run(place, *ALL)
    old = {name: digest(first.folder / name) for name in files_of(first.folder)}
    bundle.with_decision(Threshold(threshold=0.9999), {}).save(place / "bundle")
    found = run(place, "objects")
    assert not any(found.mask(id).any() for id in found.ids)
    assert (found.folder / "objects.csv").read_text().count("\n") == 1
    assert digest(found.folder / "objects.csv") != old["objects.csv"]
    assert not list((found.folder / "overlays").iterdir())


def nifti(path: Path) -> nibabel.Nifti1Image:
    voxels = np.random.default_rng(0).integers(0, 256, (36, 40, 5), np.uint8)
    affine = np.array([[0, -2, 0, 9], [2, 0, 0, 1], [0, 0, 3, 4], [0, 0, 0, 1.0]])
    image = nibabel.Nifti1Image(voxels, affine)
    nibabel.save(image, path)
    return image


def test_predict_of_nifti_gives_masks_on_its_grid(
    make: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Issue 14, part 3: by default; with the affine of the file, whose axes are read turned."""
    source = tmp_path / "scan.nii.gz"
    image = nifti(source)
    slices = {"size": [32, 32], "channels": 1, "slices": {"axes": "z"}}
    data = {"kind": "volume_pairs", "image": "scan.nii.gz"}
    make.bundle(data=data, frame=slices).save(tmp_path / "bundle")
    result = predict([tmp_path / "bundle"], [source], tmp_path / "pred", device="cpu")
    assert result.left_out == ()
    found = Predictions.open(tmp_path / "pred")
    (id,) = found.ids
    for k, class_ in enumerate(("dot", "line")):
        native = nibabel.load(tmp_path / "pred" / "native" / class_ / "scan.nii.gz")
        np.testing.assert_array_equal(native.affine, image.affine)
        assert native.shape == image.shape
        twin = nibabel.as_closest_canonical(native)
        np.testing.assert_array_equal(np.asarray(twin.dataobj), found.mask(id)[k])
        assert 0 < np.asarray(native.dataobj).mean() < 1
    files = {f"native/{class_}/scan.nii.gz": "labels" for class_ in ("dot", "line")}
    assert found.case(id).native == files

    # Asked for later, probabilities lie beside labels, in float32 and on the same grid.
    run_command(
        *("predict", tmp_path / "bundle", source, "--out", tmp_path / "pred"),
        *("--native", "probabilities", "--device", "cpu"),
    )
    found = Predictions.open(tmp_path / "pred")
    names = {f"native/probabilities/{class_}/scan.nii.gz" for class_ in ("dot", "line")}
    assert found.case(id).native == files | dict.fromkeys(names, "probability")
    for k, class_ in enumerate(("dot", "line")):
        native = nibabel.load(tmp_path / f"pred/native/probabilities/{class_}/scan.nii.gz")
        assert native.get_data_dtype() == np.float32
        np.testing.assert_array_equal(native.affine, image.affine)
        twin = nibabel.as_closest_canonical(native)
        np.testing.assert_array_equal(np.asarray(twin.dataobj), found.prob(id)[k])

    # Of an image that is gone while its answer stays, only this is left out, and said.
    from lamina.data.readers import open_volume
    from lamina.prediction.outputs.write import Outputs

    opened = open_volume(source)
    source.unlink()
    for path in (tmp_path / "pred" / "native").rglob("*.gz"):
        path.unlink()
    outputs = Outputs(found, ("native",))
    outputs.update(id, opened)
    (why,) = outputs.finish()
    assert "scan.nii.gz is gone or changed" in why
    assert why in capsys.readouterr().err
    assert not list((tmp_path / "pred" / "native").rglob("*.gz"))


def test_slices_of_a_volume_have_no_native_output_and_it_is_said(make: Any, tmp_path: Path) -> None:
    """Issue 14, part 3."""
    nifti(tmp_path / "scan.nii.gz")
    slices = {"size": [32, 32], "channels": 1, "slices": {"axes": "z"}}
    data = {"kind": "volume_pairs", "image": "scan.nii.gz"}
    make.bundle(data=data, frame=slices).save(tmp_path / "bundle")
    result = predict(
        [tmp_path / "bundle"],
        [tmp_path / "scan.nii.gz"],
        tmp_path / "pred",
        device="cpu",
        slices=[0.5],
        save=["native"],
    )
    (why,) = result.left_out
    assert "no native output, since it is a part of" in why
    assert not (tmp_path / "pred" / "native").exists()


def test_an_unknown_kind_is_refused_with_the_nearest(place: Path) -> None:
    """Issue 14, part 2: before anything is predicted."""
    with pytest.raises(RecipeError, match=r"--save overlay: .*did you mean 'overlays'"):
        run(place, "overlay")
    assert not (place / "pred").exists()


def test_native_probabilities_are_refused_where_native_is_left_out(place: Path) -> None:
    with pytest.raises(RecipeError, match="--native probabilities: --save leaves out native"):
        run(place, "masks", native="probabilities")
    with pytest.raises(RecipeError, match="--native is 'percent'; it must be one of labels"):
        run(place, "native", native="percent")


def test_save_on_the_command_line(place: Path) -> None:
    """Issue 14, part 2."""
    words = ["predict", place / "bundle", place / "images", "--out", place / "pred"]
    run_command(*words, "--save", "masks,overlays", "--device", "cpu")
    names = files_of(place / "pred")
    assert {name for name in names if name.startswith("o")} == {"overlays/a.jpg", "overlays/b.jpg"}
