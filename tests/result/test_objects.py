"""Objects beside scikit-image's region properties, and the files written of them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from skimage.measure import label, regionprops

from lamina.geometry.polygons import polygons
from lamina.result.objects import find_objects


def test_objects_are_those_of_scikit_image() -> None:
    rng = np.random.default_rng(5)
    labels = label(rng.random((40, 60)) < 0.3, connectivity=2).astype(np.int32)
    prob = rng.random((1, 40, 60)).astype(np.float32)
    found = find_objects([labels], prob, ["a"], case="x", axes="yx")
    wanted = regionprops(labels, intensity_image=prob[0])
    assert len(found) == len(wanted)
    for mine, other in zip(found, wanted, strict=True):
        assert (mine.number, mine.area, mine.box) == (other.label, other.area, other.bbox)
        np.testing.assert_allclose(mine.centre, other.centroid)
        np.testing.assert_allclose(mine.score_mean, other.intensity_mean, rtol=1e-6)
        np.testing.assert_allclose(mine.score_max, other.intensity_max, rtol=1e-6)
        assert sum(polygon.area for polygon in mine.polygon) == other.area
        low, high = np.array(other.bbox[:2]), np.array(other.bbox[2:])
        assert mine.touches_border == bool((low == 0).any() or (high == labels.shape).any())


def test_objects_of_volumes_have_six_numbers_and_no_outline() -> None:
    labels = np.zeros((4, 5, 6), np.int32)
    labels[1:3, 2:4, 3:6] = 1
    (item,) = find_objects([labels], np.ones((1, 4, 5, 6)), ["a"], case="x", axes="zyx")
    assert item.box == (1, 2, 3, 3, 4, 6)
    assert (item.area, item.polygon, item.touches_border) == (12, (), True)


def test_the_table_and_the_outlines_as_files(tmp_path: Path) -> None:
    labels = np.zeros((6, 8), np.int32)
    labels[1, 1] = labels[2, 2] = 1  # corners touch: two polygons
    labels[3:6, 4:7] = 2
    labels[4, 5] = 0
    found = find_objects([labels], np.full((1, 6, 8), 0.75), ["crack"], case="x", axes="yx")
    text = found.to_csv(tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text(encoding="utf-8") == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["class"], row["area_px"], row["y0"], row["x1"]) for row in rows] == [
        ("crack", "2", "1", "3"),
        ("crack", "8", "3", "7"),
    ]
    features = json.loads(found.to_geojson(tmp_path / "o.geojson"))["features"]
    kinds = [feature["geometry"]["type"] for feature in features]
    assert kinds == ["MultiPolygon", "Polygon"]
    rings = features[1]["geometry"]["coordinates"]
    assert len(rings) == 2
    assert all(ring[0] == ring[-1] for ring in rings)
    assert max(x for x, _ in rings[0]) == 7  # x comes first
    assert features[0]["properties"]["classification"] == {"name": "crack"}


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7], ids=["few pixels", "many", "most"])
def test_outlines_are_those_of_each_object_alone(share: float) -> None:
    """Boxes of objects are laid side by side where they are small; touching labels stay apart."""
    rng = np.random.default_rng(11)
    parts = label(rng.random((50, 70)) < share, connectivity=2)
    labels = np.where(parts > 0, 2 * parts - (np.arange(70) % 9 < 4), 0).astype(np.int32)
    found = find_objects([labels], np.ones((1, 50, 70)), ["a"], case="x", axes="yx")
    assert {item.number for item in found} == set(np.unique(labels).tolist()) - {0}
    for item in found:
        wanted = polygons(labels == item.number)
        assert len(item.polygon) == len(wanted)
        for mine, other in zip(item.polygon, wanted, strict=True):
            np.testing.assert_array_equal(mine.outer, other.outer)
            assert len(mine.holes) == len(other.holes)
            for hole, theirs in zip(mine.holes, other.holes, strict=True):
                np.testing.assert_array_equal(hole, theirs)
