"""Objects of volumes whose planes are known, of synthetic faults, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import cc3d
import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.outputs.objects import write_objects
from lamina.prediction.folder.predictions import Predictions
from lamina.recipe.load import load_recipe
from lamina.result.objects import columns
from lamina.synthetic.seismic import volume
from lamina.synthetic.shapes.faults import Fault
from tests.factories.predictions import predicted_case, prediction_info, write_predictions
from tests.result.vtp import read_vtp

TWO = "task={kind: multiclass, names: [rock, fault]}"
ARGMAX = "decide={kind: argmax}"


def predicted(
    folder: Path, maps: dict[str, NDArray[Any]], *changes: str, finished: int | None = None
) -> Path:
    recipe = load_recipe("volume-laptop", ["data.labels=null", *(changes or (TWO, ARGMAX))])
    return write_predictions(folder, recipe, maps, finished=finished)


def two(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.stack([~mask, mask]).astype(np.float32)


def planes() -> NDArray[np.bool_]:
    """A level plane, a wall, a roof of 45 degrees, and dust; 80 slices, two slabs."""
    mask = np.zeros((80, 40, 50), np.bool_)
    mask[2:30, 2:20, 5:7] = True  # level at x = 5.5
    mask[40:78, 30, 10:40] = True  # a wall along z
    for z in range(35):
        mask[40 + z, 2:20, 10 + z] = True  # x grows with z
    mask[0, 39, 49] = mask[35, 39, 0] = True
    return mask


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "objects.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def numbers(row: dict[str, str], word: str) -> list[float]:
    return [float(row[f"{word}_{i}"]) for i in range(3)]


def test_planes_of_known_dip_are_found_and_measured(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", {"survey": two(planes())})
    assert len(list(Predictions.open(pred).decided("survey"))) == 2
    found = write_objects(pred, tmp_path / "out", minimum=10)
    level, wall, roof = table(tmp_path / "out")
    assert found.to_dict() == {
        "out": str(tmp_path / "out"),
        "kind": "points",
        "cases": 1,
        "objects": 3,
        "voxels": 28 * 18 * 2 + 38 * 30 + 35 * 18,
    }
    # by size: the wall has 1140 voxels, the level plane 1008, the roof 630
    level, wall = wall, level
    assert [int(row["volume_voxels"]) for row in (wall, level, roof)] == [1140, 1008, 630]
    assert [row["object"] for row in (wall, level, roof)] == ["1", "2", "3"]
    assert {(row["case"], row["class"]) for row in (wall, level, roof)} == {("survey", "fault")}
    assert list(level)[3:15] == [
        *("volume_voxels", "volume", "unit", "z0", "y0", "x0", "z1", "y1", "x1", "cz", "cy", "cx"),
    ]
    assert [level[name] for name in ("z0", "y0", "x0", "z1", "y1", "x1")] == [
        *("2", "2", "5", "30", "20", "7"),
    ]
    assert [float(level[f"c{axis}"]) for axis in "zyx"] == [15.5, 10.5, 5.5]
    assert [float(level[f"place_{axis}"]) for axis in "zyx"] == [15.5, 10.5, 5.5]
    assert (level["score_mean"], level["score_max"], level["volume"]) == ("1.0000", "1.0000", "")
    assert numbers(level, "normal") == [0, 0, -1]
    assert float(level["dip"]) == 0
    assert float(level["rms"]) == pytest.approx(0.5)
    assert (float(wall["dip"]), float(wall["azimuth"]), float(wall["rms"])) == (90, 90, 0)
    assert float(roof["dip"]) == pytest.approx(45)
    assert float(roof["azimuth"]) == pytest.approx(0)
    assert float(roof["strike"]) == pytest.approx(270)
    half = math.sqrt(0.5)
    assert numbers(roof, "normal") == pytest.approx([half, 0, -half])


@pytest.mark.parametrize("banded", [False, True])
def test_objects_of_images_have_the_columns_of_predict(tmp_path: Path, banded: bool) -> None:
    """Places in the spacing of the source; of a large image its bands are walked."""
    recipe = load_recipe("volume-laptop", ["data.labels=null", TWO, ARGMAX])
    place = {"spacing": (0.5, 2.0), "unit": "um", "banded": banded}
    case = predicted_case("i", (300, 20), **place)
    mask = np.zeros((300, 20), np.bool_)
    mask[10:290, 4] = mask[290, 5] = mask[100:104, 10:13] = mask[0, 0] = True
    predictions = Predictions.create(tmp_path / "pred", prediction_info(recipe, case))
    predictions.add("i", two(mask))
    found = write_objects(tmp_path / "pred", tmp_path / "out", minimum=5)
    assert (found.cases, found.objects, found.voxels) == (1, 2, 281 + 12)
    tall, small = table(tmp_path / "out")
    assert list(tall) == [*columns("yx"), "place_y", "place_x", "file"]
    assert small == {
        **{"case": "i", "class": "fault", "object": "2", "area_px": "12", "area": "12.0"},
        **{"unit": "um^2", "y0": "100", "x0": "10", "y1": "104", "x1": "13"},
        **{"cy": "101.50", "cx": "11.00", "score_mean": "1.0000", "score_max": "1.0000"},
        **{"touches_border": "0", "place_y": "50.75", "place_x": "22"},
        "file": "i/fault_0002.csv",
    }
    assert (tall["y0"], tall["y1"], tall["x1"], tall["area_px"]) == ("10", "291", "6", "281")
    places = np.loadtxt(tmp_path / "out" / small["file"], delimiter=",", skiprows=1)
    np.testing.assert_allclose(places, np.argwhere(mask[99:105, 9:14]) * (0.5, 2) + (49.5, 18))
    write_objects(tmp_path / "pred", tmp_path / "edges", minimum=5, connectivity=6, kind="npy")
    assert [row["area_px"] for row in table(tmp_path / "edges")] == ["280", "12"]
    assert np.load(tmp_path / "edges" / "i" / "fault_0002.npy").shape == (12, 2)


def test_points_are_the_voxels_of_each_part(tmp_path: Path) -> None:
    mask = planes()
    pred = predicted(tmp_path / "pred", {"survey": two(mask)})
    write_objects(pred, tmp_path / "csv", minimum=10)
    write_objects(pred, tmp_path / "npy", minimum=10, kind="npy")
    write_objects(pred, tmp_path / "vtk", minimum=10, kind="vtk")
    whole = cc3d.connected_components(mask)
    for row in table(tmp_path / "csv"):
        path = tmp_path / "csv" / row["file"]
        assert path.name == f"fault_{int(row['object']):04d}.csv"
        voxels = np.loadtxt(path, delimiter=",", skiprows=1, dtype=int)
        (label,) = set(whole[tuple(voxels.T)])
        np.testing.assert_array_equal(voxels, np.argwhere(whole == label))  # in C order
        same = np.load(tmp_path / "npy" / row["file"].replace(".csv", ".npy"))
        np.testing.assert_array_equal(same, voxels)
        points, vertices, _ = read_vtp(tmp_path / "vtk" / row["file"].replace(".csv", ".vtp"))
        np.testing.assert_array_equal(points, voxels[:, ::-1])
        assert len(vertices) == int(row["volume_voxels"])


def test_places_have_spacing_and_origin(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", {"survey": two(planes())})
    write_objects(pred, tmp_path / "plain", minimum=10)
    write_objects(
        pred,
        tmp_path / "out",
        minimum=10,
        spacing=(25.0, 12.5, 4.0),
        origin=(1000.0, 5.5e6, 0.0),
        down="x",
    )
    for plain, row in zip(table(tmp_path / "plain"), table(tmp_path / "out"), strict=True):
        voxels = np.loadtxt(tmp_path / "plain" / plain["file"], delimiter=",", skiprows=1)
        places = np.loadtxt(tmp_path / "out" / row["file"], delimiter=",", skiprows=1)
        np.testing.assert_allclose(places, voxels * (25, 12.5, 4) + (1000, 5.5e6, 0))
        centre = [float(row[f"place_{axis}"]) for axis in "zyx"]
        assert centre == pytest.approx(places.mean(axis=0).tolist())
        assert (row["z0"], row["cx"]) == (plain["z0"], plain["cx"])
        assert float(row["volume"]) == int(row["volume_voxels"]) * 25 * 12.5 * 4
    roof = table(tmp_path / "out")[2]
    assert float(roof["dip"]) == pytest.approx(math.degrees(math.atan2(4, 25)))
    asked = json.loads((tmp_path / "out" / "export.json").read_text())
    assert (asked["spacing"], asked["minimum"], asked["down"]) == ([25, 12.5, 4], 10, "x")


def test_a_surface_is_a_sheet_through_the_voxels(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", {"survey": two(planes())})
    write_objects(pred, tmp_path / "out", minimum=10, kind="surface")
    for row in table(tmp_path / "out"):
        points, vertices, faces = read_vtp(tmp_path / "out" / row["file"])
        assert len(vertices) == 0
        one, two_, three = (points[faces[:, i]] for i in range(3))
        area = np.linalg.norm(np.cross(two_ - one, three - one), axis=1).sum() / 2
        wide = {"1": 37 * 29, "2": 27 * 17, "3": 34 * math.sqrt(2) * 17}[row["object"]]
        assert area == pytest.approx(wide, rel=0.15)
        normal = np.array(numbers(row, "normal"))
        centre = np.array([float(row[f"place_{axis}"]) for axis in "zyx"])
        assert np.abs((points[:, ::-1] - centre) @ normal).max() < 0.6


def test_what_lies_in_a_line_has_a_row_and_no_surface(tmp_path: Path) -> None:
    mask = np.zeros((4, 5, 60), np.bool_)
    mask[1, 1] = True
    pred = predicted(tmp_path / "pred", {"survey": two(mask)})
    write_objects(pred, tmp_path / "out", minimum=10, kind="surface")
    (row,) = table(tmp_path / "out")
    assert (row["volume_voxels"], row["dip"], row["normal_0"], row["file"]) == ("60", "", "", "")


def test_every_class_but_the_background_has_its_objects(tmp_path: Path) -> None:
    mask = planes()
    both = np.stack([mask, np.roll(mask, 1, 1)]).astype(np.float32)
    several = ("task={kind: multilabel, names: [a, b]}", "decide={kind: threshold}")
    pred = predicted(tmp_path / "pred", {"one": both, "two": both}, *several)
    found = write_objects(pred, tmp_path / "out", minimum=10)
    assert (found.cases, found.objects) == (2, 12)
    rows = table(tmp_path / "out")
    assert {(row["case"], row["class"]) for row in rows} == {
        (case, name) for case in ("one", "two") for name in "ab"
    }
    assert all((tmp_path / "out" / row["file"]).is_file() for row in rows)
    assert len({row["file"] for row in rows}) == 12


def test_faults_dip_as_they_were_drawn(tmp_path: Path) -> None:
    drawn = {"steep": (80, 20), "gentle": (50, 110), "back": (65, 300)}
    place = tuple(np.mgrid[:72, :72, :72].astype(np.float64))
    maps = {}
    for name, (dip, strike) in drawn.items():
        fault = Fault(
            middle=(36, 36, 36),
            strike=math.radians(strike),
            dip=math.radians(dip),
            throw=20,
            along=30,
            down=30,
        )
        maps[name] = two(fault.undo(place)[1])  # type: ignore[arg-type]
    write_objects(predicted(tmp_path / "pred", maps), tmp_path / "out", kind="surface")
    rows = {row["case"]: row for row in table(tmp_path / "out")}
    assert rows.keys() == drawn.keys()
    for name, (dip, strike) in drawn.items():
        assert float(rows[name]["dip"]) == pytest.approx(dip, abs=1)
        assert float(rows[name]["strike"]) == pytest.approx(strike, abs=1)


def test_objects_of_a_synthetic_volume_are_its_faults(tmp_path: Path) -> None:
    shape = (48, 48, 48)
    truth = volume(1, seed=3, shape=shape)[1]
    pred = predicted(tmp_path / "pred", {"survey": two(truth)})
    found = write_objects(pred, tmp_path / "out", minimum=100, kind="npy")
    assert found.objects >= 1
    whole = cc3d.connected_components(truth)
    large = [k for k in range(1, whole.max() + 1) if (whole == k).sum() >= 100]
    assert found.objects == len(large)
    assert found.voxels == sum(int((whole == k).sum()) for k in large)
    for row in table(tmp_path / "out"):
        voxels = np.load(tmp_path / "out" / row["file"]).astype(int)
        assert truth[tuple(voxels.T)].all()
        normal = np.array(numbers(row, "normal"))
        _, _, axes = np.linalg.svd(voxels - voxels.mean(axis=0), full_matrices=False)
        assert abs(axes[2] @ normal) == pytest.approx(1)
        assert 0 <= float(row["dip"]) <= 90


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "ply"}, "--kind is 'ply'; it must be one of points, npy, vtk, surface"),
        ({"connectivity": 8}, "--connectivity is '8'; it must be one of 6, 18, 26"),
        ({"minimum": 0}, "--min-voxels is 0"),
        ({"spacing": (1.0, 0.0, 1.0)}, "spacings are above 0"),
        ({"origin": (0.0, 0.0, math.inf)}, "all are finite"),
        ({"down": "t"}, "--down is 't'; case survey has the axes z, y, x"),
    ],
)
def test_options_that_cannot_be_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    pred = predicted(tmp_path / "pred", {"survey": two(planes())})
    with pytest.raises(RecipeError, match=message):
        write_objects(pred, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_what_has_no_objects_is_refused(tmp_path: Path) -> None:
    image = predicted(tmp_path / "image", {"a": two(planes()[0])})
    with pytest.raises(RecipeError, match="--kind is 'vtk', and case a is an image; of images"):
        write_objects(image, tmp_path / "out", kind="vtk")
    with pytest.raises(RecipeError, match="--spacing has 3 numbers; case a has the axes y, x"):
        write_objects(image, tmp_path / "out", spacing=(1, 1, 1))
    half = predicted(tmp_path / "half", {"a": two(planes()), "b": two(planes())}, finished=1)
    with pytest.raises(DataError, match="1 of 2 cases are not predicted yet"):
        write_objects(half, tmp_path / "out")
    values = ("task={kind: restore, names: [v]}", "decide={kind: as_is}", "loss=[{kind: mse}]")
    restored = predicted(tmp_path / "values", {"a": planes()[None].astype(np.float32)}, *values)
    with pytest.raises(RecipeError, match="holds values, not masks"):
        write_objects(restored, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    pred = predicted(tmp_path / "pred", {"survey": two(planes())})
    (tmp_path / "out").mkdir()
    write_objects(pred, tmp_path / "out")  # empty
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RecipeError, match="is there already"):
        write_objects(pred, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_memory_does_not_grow_with_the_depth(tmp_path: Path) -> None:
    def peak(depth: int) -> int:
        mask = np.zeros((depth, 64, 64), np.bool_)
        mask[:, 20:22] = mask[:, :, 40:43] = True
        pred = predicted(tmp_path / f"pred{depth}", {"survey": two(mask)})
        del mask
        tracemalloc.start()
        write_objects(pred, tmp_path / f"out{depth}", kind="vtk")
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(64)
    assert peak(512) < peak(128) * 1.1
