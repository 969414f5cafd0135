"""Masks placed as their TIFF files: spacing, axes and reference system, read by tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import tifffile

from lamina.data.readers import open_volume
from lamina.prediction.outputs.native.tiff import GEO_TAGS, TIFF
from lamina.volume import placement_of
from tests.factories.native import answer_of, chances

STACK = np.random.default_rng(0).integers(0, 999, (5, 20, 30), np.uint16)

# ModelPixelScale, ModelTiepoint, GeoKeyDirectory (UTM 33 N), GeoDoubleParams, GeoAsciiParams.
GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 412345.5, 5712345.25, 0.0), True),
    (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633), True),
    (34736, 12, 2, (6378137.0, 298.257223563), True),
    (34737, 2, None, "WGS 84 / UTM zone 33N|", True),
]


def written(folder: Path, path: Path, kind: str = "multiclass") -> tuple[Path, Any]:
    image = open_volume(path)
    prob = chances(kind, image.shape)
    answer = answer_of(folder, image, path, kind, prob)
    target = folder / "native" / "a.tif"
    TIFF.write(target, answer, TIFF.layers(answer)[0])
    return target, prob


def test_native_imagej_keeps_spacing_unit_and_axes(tmp_path: Path) -> None:
    """Issue 14, part 3."""
    path = tmp_path / "a.tif"
    about = {"axes": "ZYX", "spacing": 1.25, "unit": "micron"}
    tifffile.imwrite(path, STACK, imagej=True, resolution=(4.0, 3.0), metadata=about)
    target, prob = written(tmp_path, path)
    with tifffile.TiffFile(target) as file:
        assert file.is_imagej
        assert file.series[0].axes == "ZYX"
        assert file.imagej_metadata["spacing"] == 1.25
        assert file.imagej_metadata["unit"] == "micron"
        np.testing.assert_array_equal(file.asarray(), prob.argmax(axis=0))
        assert file.asarray().dtype == np.uint8
    assert placement_of(open_volume(target)) == placement_of(open_volume(path))
    assert placement_of(open_volume(path)).spacing == (1.25, 1 / 3, 0.25)


def test_native_ome_keeps_physical_sizes(tmp_path: Path) -> None:
    """Issue 14, part 3."""
    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 500.0}
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm", "PhysicalSizeZUnit": "nm"}
    about = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(path, STACK, ome=True, metadata=about)
    target, prob = written(tmp_path, path)
    with tifffile.TiffFile(target) as file:
        assert file.is_ome
        assert file.series[0].axes == "ZYX"
        for text in ('PhysicalSizeZ="500.0"', 'PhysicalSizeZUnit="nm"', 'PhysicalSizeX="0.1"'):
            assert text in file.ome_metadata
        np.testing.assert_array_equal(file.asarray(), prob.argmax(axis=0))
    assert placement_of(open_volume(target)) == placement_of(open_volume(path))


@pytest.mark.parametrize("kind", ["binary", "restore"])
def test_native_geotiff_keeps_its_place(tmp_path: Path, kind: str) -> None:
    """Issue 14, part 3: the six tags equal; the value of no data stays behind where it would not
    fit."""
    path = tmp_path / "a.tif"
    nodata = (42113, 2, None, "-9999", True)
    tifffile.imwrite(path, STACK[0], extratags=[*GEO, nodata], resolution=(72, 72))
    target, prob = written(tmp_path, path, kind)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(target) as after:
        assert len(after.pages) == 1
        old, new = before.pages[0].tags, after.pages[0].tags
        found = [code for code in GEO_TAGS if code in old]
        assert found == [33550, 33922, 34735, 34736, 34737]
        for code in found:
            assert (new[code].dtype, new[code].value) == (old[code].dtype, old[code].value)
        assert (42113 in new) == (kind == "restore")
        assert after.geotiff_metadata == before.geotiff_metadata
        wanted = prob[0] > 0.5 if kind == "binary" else prob[0]
        np.testing.assert_array_equal(after.asarray(), wanted)


def test_native_plain_tiff_of_a_large_page_is_tiled(tmp_path: Path) -> None:
    """Issue 14, part 3."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((2100, 2050), np.uint8))
    target, prob = written(tmp_path, path, "binary")
    with tifffile.TiffFile(target) as file:
        assert file.pages[0].is_tiled
        np.testing.assert_array_equal(file.asarray(), prob[0] > 0.5)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel", "restore"])
def test_native_probabilities_are_float32_at_the_place_of_labels(tmp_path: Path, kind: str) -> None:
    """A file for each class but the background of exclusive ones; none of restored values."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], extratags=GEO)
    image = open_volume(path)
    prob = chances(kind, image.shape)
    answer = answer_of(tmp_path, image, path, kind, prob)
    layers = answer.probability_layers()
    assert [(layer.number, layer.folder) for layer in layers] == {
        "binary": [(0, "probabilities")],
        "multiclass": [(1, "probabilities/a"), (2, "probabilities/b")],
        "multilabel": [(k, f"probabilities/{name}") for k, name in enumerate("abc")],
        "restore": [],
    }[kind]
    for layer in layers:
        target = tmp_path / "native" / "p.tif"
        TIFF.write(target, answer, layer)
        with tifffile.TiffFile(target) as file, tifffile.TiffFile(path) as before:
            assert file.asarray().dtype == np.float32
            np.testing.assert_array_equal(file.asarray(), prob[layer.number])
            assert file.geotiff_metadata == before.geotiff_metadata


@pytest.mark.parametrize(
    ("dtype", "nodata", "labels", "probabilities"),
    [
        ("uint8", 255, 255, 255),
        ("uint8", 0, None, None),  # the background, and a probability
        ("int16", -9999, None, -9999),
        ("float32", -3.4028234663852886e38, None, -3.4028234663852886e38),
        ("float64", -1.7976931348623157e308, None, None),  # beyond float32
        ("uint16", None, None, None),
    ],
)
def test_native_geotiff_is_placed_as_rasterio_places_its_source(
    tmp_path: Path, dtype: str, nodata: Any, labels: Any, probabilities: Any
) -> None:
    """Same CRS, transform (turned) and bounds, and of no data where its value fits."""
    path = tmp_path / "a.tif"
    transform = rasterio.Affine(2.0, 0.3, 412345.5, 0.2, -2.5, 5712345.25)
    profile = {"driver": "GTiff", "height": 20, "width": 30, "count": 1, "dtype": dtype}
    place = {"crs": "EPSG:32633", "transform": transform, "nodata": nodata}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(STACK[0].astype(dtype), 1)
    image = open_volume(path)
    prob = np.zeros((3, *image.shape), np.float32)
    prob[0], prob[2, 4, 7] = 0.5, 0.75
    answer = answer_of(tmp_path, image, path, "multiclass", prob)
    for layer in (*TIFF.layers(answer), answer.probability_layers()[1]):
        target = tmp_path / "native" / f"{layer.holds}.tif"
        TIFF.write(target, answer, layer)
        with rasterio.open(path) as before, rasterio.open(target) as after:
            assert after.crs == before.crs
            assert after.crs.to_epsg() == 32633
            assert after.transform == before.transform
            assert after.bounds == before.bounds
            assert after.shape == before.shape
            assert after.nodata == (labels if layer.holds == "labels" else probabilities)
            wanted = before.xy(4, 7)  # the place of the drawn pixel
            (y, x) = np.argwhere(after.read(1) > 0)[0]
            assert after.xy(y, x) == wanted
