"""A reader of PolyData with appended raw data, written from the description of VTK's formats."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {"Float64": "<f8", "Float32": "<f4", "Int64": "<i8", "Int32": "<i4", "UInt64": "<u8"}


def read_vtp(path: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return points (n, 3) as x, y, z; vertices (v,) and triangles (m, 3) as numbers of points."""
    data = path.read_bytes()
    mark = re.search(rb'<AppendedData encoding="raw">\s*_', data)
    assert mark is not None
    end = b"\n</AppendedData>\n</VTKFile>\n"
    assert data.endswith(end)
    root = ElementTree.fromstring(data[: mark.start()] + b"</VTKFile>")
    assert root.attrib == {
        "type": "PolyData",
        "version": "1.0",
        "byte_order": "LittleEndian",
        "header_type": "UInt64",
    }
    appended, used = data[mark.end() : -len(end)], 0

    def array(element: ElementTree.Element | None) -> NDArray[Any]:
        nonlocal used
        assert element is not None
        assert element.attrib["format"] == "appended"
        start = int(element.attrib["offset"])
        length = int.from_bytes(appended[start : start + 8], "little")
        used += 8 + length
        found = np.frombuffer(
            appended[start + 8 : start + 8 + length], TYPES[element.attrib["type"]]
        )
        wide = int(element.attrib.get("NumberOfComponents", 1))
        return found.reshape(-1, wide) if wide > 1 else found

    piece = root.find("PolyData/Piece")
    assert piece is not None
    points = array(piece.find("Points/DataArray"))
    assert len(points) == int(piece.attrib["NumberOfPoints"])
    cells = {}
    for name, size in (("Verts", 1), ("Polys", 3)):
        count = int(piece.attrib[f"NumberOf{name}"])
        cells[name] = np.zeros((0, size), np.int64)
        element = piece.find(name)
        if element is None:
            assert count == 0
            continue
        connectivity, offsets = (array(one) for one in element)
        np.testing.assert_array_equal(offsets, np.arange(1, count + 1) * size)
        cells[name] = connectivity.reshape(count, size)
        assert connectivity.size == 0 or (
            0 <= connectivity.min() <= connectivity.max() < len(points)
        )
    assert used == len(appended)
    return points, cells["Verts"][:, 0], cells["Polys"]
