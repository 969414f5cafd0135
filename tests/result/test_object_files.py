"""Files of objects read back by numpy, and PolyData by its description."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.result import object_files as objects
from tests.result.vtp import read_vtp


@pytest.fixture
def places() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(1000, 3)) * (1, 10, 5e6)


def blocks(places: NDArray[np.float64]) -> objects.Places:
    return iter(np.array_split(places, 3))


def test_points_are_lines_under_the_names_of_axes(
    tmp_path: Path, places: NDArray[np.float64]
) -> None:
    objects.write_points(tmp_path / "a.csv", blocks(places), "zyx")
    head, first, *_ = (tmp_path / "a.csv").read_text().splitlines()
    assert head == "z,y,x"
    assert len(first.split(",")) == 3
    back = np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=1)
    np.testing.assert_allclose(back, places, rtol=1e-8)


def test_whole_voxels_are_whole_numbers(tmp_path: Path) -> None:
    objects.write_points(tmp_path / "a.csv", iter([np.array([[0.0, 1258.0, 65535.0]])]), "zyx")
    assert (tmp_path / "a.csv").read_text() == "z,y,x\n0,1258,65535\n"


def test_npy_is_one_array(tmp_path: Path, places: NDArray[np.float64]) -> None:
    objects.write_npy(tmp_path / "a.npy", blocks(places), places.shape)
    back = np.load(tmp_path / "a.npy", allow_pickle=False)
    np.testing.assert_array_equal(back, places)


def test_vertices_are_polydata_with_the_last_axis_first(
    tmp_path: Path, places: NDArray[np.float64]
) -> None:
    objects.write_vertices(tmp_path / "a.vtp", blocks(places), len(places))
    points, vertices, triangles = read_vtp(tmp_path / "a.vtp")
    np.testing.assert_array_equal(points, places[:, ::-1])
    np.testing.assert_array_equal(vertices, np.arange(len(places)))
    assert len(triangles) == 0


@pytest.mark.parametrize("count", [0, 1, 700])
def test_triangles_are_polydata(count: int, tmp_path: Path, places: NDArray[np.float64]) -> None:
    faces = np.random.default_rng(1).integers(0, len(places), (count, 3))
    objects.write_triangles(tmp_path / "a.vtp", places, faces)
    points, vertices, triangles = read_vtp(tmp_path / "a.vtp")
    np.testing.assert_array_equal(points, places[:, ::-1])
    assert len(vertices) == 0
    np.testing.assert_array_equal(triangles, faces)
