"""What the command line names becomes images, with the ids of the recipe's catalog."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import pytest
import segyio
import tifffile
import zarr
from PIL import Image
from typer.testing import CliRunner

from lamina.cli.main import app
from lamina.errors import DataError, RecipeError
from lamina.prediction.cases.inputs import gather, open_input, open_listed
from lamina.recipe.recipe import Recipe
from lamina.volume import read_all


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("images/b.png", "images/sub/a.png", "masks/b.png", "images/.hidden.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / name)
    (tmp_path / "images/readme.txt").write_text("x")
    return tmp_path


@pytest.fixture
def folder(make: Any) -> Recipe:
    return make.recipe()  # type: ignore[no-any-return]


@pytest.fixture
def csv_rle(make: Any) -> Recipe:
    return make.recipe(data={"kind": "csv_rle"})  # type: ignore[no-any-return]


@pytest.fixture
def pairs(make: Any) -> Recipe:
    return make.recipe(  # type: ignore[no-any-return]
        data={"kind": "volume_pairs", "image": "raw*.tif"}, frame={"slices": {"axes": "z"}}
    )


def ids(recipe: Recipe, *paths: Path) -> list[str]:
    return [one.id for one in gather(paths, recipe)]


def test_a_folder_laid_out_as_the_data_gives_only_its_images(root: Path, folder: Recipe) -> None:
    assert ids(folder, root) == ids(folder, root / "images") == ["b", "sub/a"]


def test_names_keep_their_suffix_for_csv_rle(root: Path, csv_rle: Recipe) -> None:
    assert ids(csv_rle, root) == ["b.png", "a.png"]


def test_files_and_folders_mix_and_each_file_counts_once(root: Path, folder: Recipe) -> None:
    assert ids(folder, root / "images/sub/a.png", root / "images") == ["a", "b"]


@pytest.mark.parametrize(
    "text",
    [
        "ImageId\nb.png\na.png\n",
        "ImageId,ClassId,EncodedPixels\nb.png,1,1 2\nb.png,2,3 4\na.png,1,\n",
        "ImageId_ClassId,EncodedPixels\nb.png_1,\nb.png_2,\na.png_1,\n",
        "group;path\n1;b.png\n2;a.png\n",
        "name\nb\na\n",
    ],
)
def test_a_table_names_images_beside_it(root: Path, csv_rle: Recipe, text: str) -> None:
    (root / "images/sub/a.png").rename(root / "images/a.png")
    (root / "list.csv").write_text(text)
    assert ids(csv_rle, root / "list.csv") == ["b.png", "a.png"]


def test_a_row_without_an_image_is_named_with_its_line(root: Path, csv_rle: Recipe) -> None:
    (root / "list.csv").write_text("ImageId\nb.png\nmissing.png\n")
    with pytest.raises(DataError, match=r"list\.csv: line 3: no image 'missing\.png'"):
        gather([root / "list.csv"], csv_rle)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/passwd"])
def test_a_row_does_not_leave_the_folder(root: Path, csv_rle: Recipe, name: str) -> None:
    (root / "list.csv").write_text(f"ImageId\n{name}\n")
    with pytest.raises(DataError, match="leaves the folder"):
        gather([root / "list.csv"], csv_rle)


def test_what_is_not_there_is_said(root: Path, folder: Recipe) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        gather([root / "nothing"], folder)
    (root / "empty").mkdir()
    with pytest.raises(DataError, match="no image to predict"):
        gather([root / "empty"], folder)


def test_volumes_have_the_ids_of_their_pairs(tmp_path: Path, pairs: Recipe) -> None:
    for name in ("raw.tif", "mitochondria.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((3, 4, 5), np.uint8))
    assert ids(pairs, tmp_path) == ids(pairs, tmp_path / "raw.tif") == ["raw"]
    assert open_input(tmp_path / "raw.tif", pairs).axes == "zyx"
    for pair in ("one", "two"):
        (tmp_path / "apart" / pair).mkdir(parents=True)
        tifffile.imwrite(tmp_path / "apart" / pair / "raw.tif", np.zeros((3, 4, 5), np.uint8))
    assert ids(pairs, tmp_path / "apart") == ["one", "two"]


@pytest.mark.parametrize("suffix", [".zarr", ".h5", ".nii.gz", ".sgy", ".npy"])
def test_volumes_of_every_format_are_inputs_alone_and_in_folders(
    tmp_path: Path, make: Any, suffix: str
) -> None:
    cube = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    for name in ("one", "two"):
        place = tmp_path / name
        place.mkdir()
        if suffix == ".zarr":
            zarr.create_array(place / "raw.zarr", shape=cube.shape, dtype="f4")[...] = cube + 1
        elif suffix == ".h5":
            with h5py.File(place / "raw.h5", "w") as file:
                file["inner/volume"], file["inner/other"] = cube + 1, cube
        elif suffix == ".nii.gz":
            nibabel.save(nibabel.Nifti1Image(cube + 1, np.eye(4)), place / "raw.nii.gz")
        elif suffix == ".sgy":
            segyio.tools.from_array3D(str(place / "raw.sgy"), cube + 1, format=5)
        else:
            np.save(place / "raw.npy", cube + 1)
    data = {"kind": "volume_pairs", "image": f"raw{suffix}"}
    if suffix == ".h5":
        data["dataset"] = "inner/volume"
    recipe = make.recipe(data=data, frame={"slices": {"axes": "z"}})
    assert ids(recipe, tmp_path) == ["one", "two"]
    assert ids(recipe, tmp_path / "one" / f"raw{suffix}") == ["raw"]
    for one in gather([tmp_path], recipe):
        found = read_all(open_input(one.path, recipe, one.id))[0]
        np.testing.assert_array_equal(found, cube + 1)


def test_a_store_in_a_folder_of_images_is_one_image(tmp_path: Path, folder: Recipe) -> None:
    place = tmp_path / "images" / "a.ome.zarr"
    zarr.create_array(place, shape=(4, 5), dtype="u1")[...] = 7
    assert ids(folder, tmp_path) == ids(folder, place) == ["a"]
    assert open_input(place, folder).shape == (4, 5)


def test_a_recipe_for_volumes_still_opens_images(root: Path, pairs: Recipe) -> None:
    assert open_input(root / "images/b.png", pairs).axes == "yx"


def test_noise_is_put_on_images_only_where_asked_for_and_declared(
    root: Path, folder: Recipe, make: Any
) -> None:
    """The noise is that of the catalog's own case of the same id."""
    corrupt = {"kind": "corrupt", "noise": [{"kind": "gaussian", "sigma": 9}]}
    recipe = make.recipe(data=corrupt, task={"kind": "restore"}, loss=[{"kind": "mse"}])
    assert ids(recipe, root / "images") == ["b", "sub/a"]
    one = gather([root / "images"], recipe)[1]
    assert not read_all(open_input(one.path, recipe, one.id)).any()
    noisy = read_all(open_input(one.path, recipe, one.id, corrupt=True))
    case = recipe.data.open(root / "images", recipe.task).cases[1]
    np.testing.assert_array_equal(noisy, read_all(case.image))
    assert noisy.std() > 5
    with pytest.raises(RecipeError, match="kind folder has none"):
        open_input(one.path, folder, corrupt=True)


def test_images_of_a_corrupt_catalog_lie_where_it_says(root: Path, make: Any) -> None:
    data = {"kind": "corrupt", "images": "images"}
    recipe = make.recipe(data=data, task={"kind": "restore"}, loss=[{"kind": "mse"}])
    assert ids(recipe, root) == ["b", "sub/a"]
    whole = make.recipe(data={"kind": "corrupt"}, task={"kind": "restore"}, loss=[{"kind": "mse"}])
    assert ids(whole, root) == ["images/b", "images/sub/a", "masks/b"]


@pytest.fixture
def ink(make: Any) -> Recipe:
    return make.recipe(  # type: ignore[no-any-return]
        data={"kind": "fragments", "layers": [1, 3]},
        frame={"channels": 2, "normalise": {"kind": "fixed"}},
    )


@pytest.fixture
def scroll(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        folder = tmp_path / "test" / name / "surface_volume"
        folder.mkdir(parents=True)
        for layer in range(4):
            tifffile.imwrite(folder / f"{layer:02d}.tif", np.full((6, 5), 10 * layer, np.uint16))
    mask = np.zeros((6, 5), np.uint8)
    mask[2:4] = 255
    Image.fromarray(mask).save(tmp_path / "test" / "a" / "mask.png")
    return tmp_path / "test"


def test_a_fragment_without_labels_is_one_image_of_its_layers(scroll: Path, ink: Recipe) -> None:
    """INK-1."""
    for given in (scroll, scroll / "a", scroll / "a" / "surface_volume"):
        first, *others = gather([given], ink)
        assert (first.id, first.path) == ("a", scroll / "a" / "surface_volume")
        assert [other.id for other in others] == (["b"] if given == scroll else [])
    image = open_input(first.path, ink, first.id)
    assert (image.axes, image.shape, image.channels) == ("yx", (6, 5), 2)
    assert read_all(image)[:, 0, 0].tolist() == [10, 20]


def test_a_fragment_counts_inside_its_mask_or_everywhere(scroll: Path, ink: Recipe) -> None:
    """INK-22."""
    valid = ink.data.open_valid(scroll / "a" / "surface_volume")
    assert valid is not None
    assert read_all(valid)[0, :, 0].tolist() == [0, 0, 1, 1, 0, 0]
    assert ink.data.open_valid(scroll / "b" / "surface_volume") is None


def test_what_is_no_fragment_is_refused(scroll: Path, ink: Recipe) -> None:
    (scroll / "empty").mkdir()
    with pytest.raises(DataError, match="is not a fragment and contains none"):
        gather([scroll / "empty"], ink)
    with pytest.raises(DataError, match="no such file or folder"):
        gather([scroll / "c"], ink)


def test_work_19_a_list_names_paths_relative_to_its_own_folder(
    root: Path, folder: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are those of the folder itself, whatever the working folder; empty lines do not count."""
    listed = root / "list.txt"
    listed.write_text("\ufeffimages/sub/a.png\r\n\nimages/b.png\n", encoding="utf-8")
    monkeypatch.chdir(root.parent)
    assert ids(folder, listed) == ["sub/a", "b"]
    assert set(ids(folder, listed)) == set(ids(folder, root))
    below = root / "lists" / "absolute.txt"
    below.parent.mkdir()
    below.write_text(f"{root}/images/b.png\n../images/sub\n", encoding="utf-8")
    assert ids(folder, below) == ["b", "a"]


def test_work_19_standard_input_names_paths_relative_to_the_working_folder(
    root: Path, folder: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.TextIOWrapper(io.BytesIO(b"images/sub/a.png\nimages/b.png\n"), encoding="utf-8")
    monkeypatch.chdir(root)
    monkeypatch.setattr("sys.stdin", text)
    assert ids(folder, Path("-")) == ["sub/a", "b"]


def test_work_19_a_line_that_names_no_image_is_an_input_with_its_reason(
    root: Path, folder: Recipe
) -> None:
    listed = root / "list.txt"
    listed.write_text("images/b.png\nimages/c.png\nlist.txt\n", encoding="utf-8")
    first, second, third = gather([listed], folder)
    assert (first.id, first.why_not) == ("b", "")
    assert second.why_not == f"{listed}: line 2: {root}/images/c.png: no such file or folder"
    assert "is a list itself; name it on the command line" in third.why_not
    with pytest.raises(DataError, match=r"list\.txt: line 2: .*c\.png: no such file"):
        open_listed(second, folder)


def test_work_19_lists_that_cannot_be_read_are_refused(root: Path, folder: Recipe) -> None:
    with pytest.raises(DataError, match=r"no\.txt: no such file or folder"):
        gather([root / "no.txt"], folder)
    (root / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"bytes\.txt: is no text, and a list names one path"):
        gather([root / "bytes.txt"], folder)
    (root / "empty.txt").write_text("\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"empty\.txt: no image to predict"):
        gather([root / "empty.txt"], folder)


def test_work_19_the_command_predicts_what_is_listed_and_leaves_out_bad_lines_with_exit_5(
    make: Any, root: Path, tmp_path: Path
) -> None:
    """Through a pipe; the mended list goes on in the same folder."""
    make.bundle().save(tmp_path / "run" / "bundle")
    runner, out = CliRunner(), tmp_path / "pred"
    command = ["predict", str(tmp_path / "run"), "-", "--out", str(out), "--json"]
    lines = [str(root / "images" / name) for name in ("b.png", "no.png")]
    found = runner.invoke(app, command, input="\n".join(lines))
    assert found.exit_code == 5
    result = json.loads(found.stdout)
    assert [one["source"] for one in result["failed"]] == [lines[1]]
    assert "standard input: line 2" in result["failed"][0]["why"]
    (root / "list.txt").write_text("images/b.png\n", encoding="utf-8")
    again = runner.invoke(app, [*command[:2], str(root / "list.txt"), *command[3:]])
    assert json.loads(again.stdout)["kept"] == 1
