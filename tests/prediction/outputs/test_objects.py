"""Objects of images, of images in bands and of volumes as files; one table of all of them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.files import digest
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.outputs.objects import write_objects
from lamina.prediction.outputs.write import Outputs
from lamina.volume import ArrayVolume
from tests.factories.bundles import Maker
from tests.factories.predictions import predicted_case, prediction_info


def folder_of(path: Path, *cases: Any, **answers: NDArray[Any]) -> Predictions:
    task = {"kind": "multilabel", "names": ["a", "b"]}
    recipe = Maker().recipe(task=task, decide={"kind": "threshold"})
    predictions = Predictions.create(path, prediction_info(recipe, *cases))
    for case in cases:
        predictions.add(case.id, answers[case.id])
    outputs = Outputs(predictions, ("objects",))
    for case in cases:
        outputs.update(case.id, ArrayVolume(answers[case.id], case.axes, case.id))
    assert outputs.finish() == ()
    return predictions


def blobs(*shape: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(len(shape))
    return rng.random((2, *shape)).astype(np.float16).astype(np.float32) ** 2


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_objects_of_an_image_in_bands_are_those_of_the_image(tmp_path: Path) -> None:
    """Objects that cross them are single ones, with the same outlines."""
    answer = np.zeros((2, 600, 40), np.float32)
    answer[:, :, :] = blobs(600, 40) * 0.5
    answer[0, 250:260, 5:9] = answer[0, 3:590, 20] = 0.75  # across one border, and across two
    answer[1, 256:270, 0:4] = 1
    text = {}
    for banded in (False, True):
        case = predicted_case("x", (600, 40), banded=banded, spacing=(0.5, 2.0), unit="um")
        found = folder_of(tmp_path / str(banded), case, x=answer)
        assert (len(list(found.slabs("x"))) > 3) == banded
        text[banded] = [(found.folder / f"objects.{end}").read_text() for end in ("csv", "geojson")]
        json.loads(text[banded][1])
    assert text[True] == text[False]
    rows = rows_of(tmp_path / "True" / "objects.csv")
    tall = max(rows, key=lambda row: int(row["y1"]) - int(row["y0"]))
    assert (tall["class"], tall["y0"], tall["y1"], tall["area_px"]) == ("a", "3", "590", "587")
    assert (tall["area"], tall["unit"], tall["touches_border"]) == ("587.0", "um^2", "0")


def test_volumes_have_rows_in_the_table_of_all_cases(tmp_path: Path) -> None:
    """One set of columns; what an image or a volume does not have stays empty."""
    volume = np.zeros((2, 6, 20, 30), np.float32)
    volume[1, 1:3, 2:5, 4:8] = 0.75
    volume[1, 2, 2, 4] = 1
    image = np.zeros((2, 20, 30), np.float32)
    image[0, 4:6, 7] = 0.75
    cases = [
        predicted_case("v", (6, 20, 30), spacing=(2.0, 0.5, 0.5), unit="mm"),
        predicted_case("i", (20, 30)),
    ]
    found = folder_of(tmp_path / "pred", *cases, v=volume, i=image)
    first, second = rows_of(found.folder / "objects.csv")
    assert list(first) == [
        *("case", "class", "object", "area_px", "area", "volume_voxels", "volume", "unit"),
        *("z0", "y0", "x0", "z1", "y1", "x1", "cz", "cy", "cx"),
        *("score_mean", "score_max", "touches_border"),
    ]
    assert first == {
        **{"case": "v", "class": "b", "object": "1", "area_px": "", "area": ""},
        **{"volume_voxels": "24", "volume": "12.0", "unit": "mm^3"},
        **{"z0": "1", "y0": "2", "x0": "4", "z1": "3", "y1": "5", "x1": "8"},
        **{"cz": "1.50", "cy": "3.00", "cx": "5.50"},
        **{"score_mean": "0.7604", "score_max": "1.0000", "touches_border": "0"},
    }
    assert (second["case"], second["area_px"], second["volume_voxels"]) == ("i", "2", "")
    assert (second["z0"], second["y0"], second["cx"]) == ("", "4", "7.00")
    assert rows_of(found.folder / "objects" / "v.csv")[0].items() <= first.items()
    features = json.loads((found.folder / "objects.geojson").read_text())["features"]
    assert [feature["properties"]["case"] for feature in features] == ["i"]
    noted = found.outputs("v")["files"]
    assert noted == {"objects/v.csv": digest(found.folder / "objects" / "v.csv")}


def test_outlines_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    """These were written on one line."""
    case = predicted_case("i", (20, 30))
    found = folder_of(tmp_path / "pred", case, i=blobs(20, 30))
    table = (found.folder / "objects.csv").read_text()
    path = found.folder / "objects" / "i.geojson"
    path.write_text(json.dumps(json.loads(path.read_text())) + "\n")
    for name in ("objects.csv", "objects.geojson"):
        (found.folder / name).unlink()
    Outputs(found, ()).finish()
    assert (found.folder / "objects.csv").read_text() == table


@pytest.mark.parametrize("banded", [False, True])
def test_nothing_decided_is_an_empty_collection(tmp_path: Path, banded: bool) -> None:
    case = predicted_case("i", (20, 30), banded=banded)
    found = folder_of(tmp_path / "pred", case, i=np.zeros((2, 20, 30), np.float32))
    write_objects(found, "i")
    assert json.loads((found.folder / "objects" / "i.geojson").read_text())["features"] == []
    assert rows_of(found.folder / "objects.csv") == []
