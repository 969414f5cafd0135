"""Answers in copies of SEG-Y files: every header byte as it was, samples as segyio reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segyio

from lamina.data.readers import open_volume
from lamina.prediction.outputs.native.segy import SEGY
from lamina.volume import Transposed, read_all
from tests.factories.native import answer_of, chances

CUBE = (4, 5, 11)
TRACE = 240
SIZES = {1: 4, 2: 4, 3: 2, 5: 4, 6: 8, 8: 1, 10: 4, 11: 2, 16: 1}
FLOATS = (1, 5, 6)


def put(path: Path, kind: int, *, endian: str = "big", dead: int | None = None) -> Path:
    """Write a cube in no order of its traces, all header fields filled, two texts more."""
    rng = np.random.default_rng(0)
    places = [divmod(int(k), CUBE[1]) for k in rng.permutation(CUBE[0] * CUBE[1])]
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = kind, np.arange(CUBE[2]) * 4.0, len(places)
    spec.ext_headers, spec.endian = 2, endian
    with segyio.create(str(path), spec) as file:
        for number in range(3):
            file.text[number] = bytes(rng.integers(65, 91, 3200, np.uint8))
        for number, (i, j) in enumerate(places):
            fields = {int(key): int(rng.integers(1, 99)) for key in segyio.TraceField.enums()[:70]}
            lines = {189: 100 + i, 193: 7 + 2 * j, 115: CUBE[2], 117: 4000, 29: 1}
            file.header[number] = fields | lines | ({29: 2} if number == dead else {})
            file.trace[number] = rng.integers(0, 50, CUBE[2]).astype(file.dtype)
    return path


def headers_of(path: Path, kind: int) -> bytes:
    """Return all bytes of a file but its samples."""
    data = path.read_bytes()
    step = TRACE + CUBE[2] * SIZES[kind]
    first = len(data) - CUBE[0] * CUBE[1] * step
    assert first == 3600 + 2 * 3200
    return data[:first] + b"".join(data[at : at + TRACE] for at in range(first, len(data), step))


@pytest.mark.parametrize("endian", ["big", "little"])
@pytest.mark.parametrize("kind", SIZES)
def test_native_segy_keeps_every_header_byte(tmp_path: Path, kind: int, endian: str) -> None:
    """Issue 14, part 3: floats hold probabilities, whole numbers percent, at their places."""
    path = put(tmp_path / "cube.sgy", kind, endian=endian)
    image = open_volume(path)
    prob = chances("binary", image.shape)
    answer = answer_of(tmp_path, image, path, "binary", prob)
    (layer,) = SEGY.layers(answer)
    assert layer.holds == ("probability" if kind in FLOATS else "percent")
    target = tmp_path / "native" / "cube.sgy"
    SEGY.write(target, answer, layer)
    assert target.stat().st_size == path.stat().st_size
    assert headers_of(target, kind) == headers_of(path, kind)
    wanted = prob[0] if kind in FLOATS else np.rint(prob[0] * 100)
    np.testing.assert_array_equal(read_all(open_volume(target))[0], wanted)
    if endian == "big":
        with segyio.open(str(target), strict=False) as file:
            line, cross = file.attributes(189)[:], file.attributes(193)[:]
            for number in (0, 7, 19):
                i, j = int(line[number]) - 100, (int(cross[number]) - 7) // 2
                np.testing.assert_array_equal(file.trace[number], wanted[i, j])


def test_native_segy_of_classes_read_in_another_order(tmp_path: Path) -> None:
    """Issue 14, part 3: a cube that is read turned is written as it is stored, class by class."""
    path = put(tmp_path / "cube.sgy", 5)
    image = Transposed(open_volume(path), (2, 0, 1), "zyx")
    prob = chances("multiclass", image.shape)
    answer = answer_of(tmp_path, image, path, "multiclass", prob)
    layers = SEGY.layers(answer)
    assert [layer.folder for layer in layers] == ["a", "b"]  # the background is no class
    for k, layer in enumerate(layers, 1):
        target = tmp_path / "native" / f"{k}.sgy"
        SEGY.write(target, answer, layer)
        found = read_all(open_volume(target))[0]
        np.testing.assert_array_equal(found, prob[k].transpose(1, 2, 0))


def test_native_segy_of_restored_values_is_held_within_its_type(tmp_path: Path) -> None:
    """Issue 14, part 3: int16 does not wrap."""
    path = put(tmp_path / "cube.sgy", 3)
    image = open_volume(path)
    prob = chances("restore", image.shape)
    case: dict[str, Any] = {"offset": -40000.0, "span": 80000.0}
    answer = answer_of(tmp_path, image, path, "restore", prob, **case)
    target = tmp_path / "native" / "cube.sgy"
    SEGY.write(target, answer, SEGY.layers(answer)[0])
    wanted = np.rint(prob[0] * 80000.0 - 40000).clip(-32768, 32767)
    np.testing.assert_array_equal(read_all(open_volume(target))[0], wanted)
