"""Ranges measured once, remembered by what the files are."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from lamina.data.case import Case
from lamina.data.prepare.value_ranges import measure
from lamina.data.readers import open_volume
from lamina.data.views.rescaled import Stretch, Stretched
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Transposed

CUBE = np.arange(60, dtype=np.float32).reshape(3, 4, 5)


def stretched(path: Path, stretch: Stretch | None = None) -> Stretched:
    return (stretch or Stretch()).of(Transposed(open_volume(path), (1, 0, 2), "zyx"))


def test_each_volume_is_measured_once_and_its_range_goes_along(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    volume = stretched(tmp_path / "a.npy")
    whole = Case("a", "a", volume)
    parts = [whole.crop(Region((at, 0, 0), (at + 2, 3, 5)), str(at)) for at in (0, 2)]
    measure([*parts, Case("flat", "flat", ArrayVolume(CUBE[:1]))], tmp_path / "ranges.json")
    assert volume.measured == [(0.0, 59.0)]
    assert len(json.loads((tmp_path / "ranges.json").read_text())) == 1
    again = pickle.loads(pickle.dumps(parts[0].image.source))  # type: ignore[attr-defined]
    assert again.measured == [(0.0, 59.0)]


def test_what_is_remembered_belongs_to_one_file_and_one_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = tmp_path / "ranges.json"
    np.save(tmp_path / "a.npy", CUBE)
    measure([Case("a", "a", stretched(tmp_path / "a.npy"))], memory)
    other = stretched(tmp_path / "a.npy", Stretch(low=10, high=90))
    measure([Case("a", "a", other)], memory)
    np.testing.assert_allclose(other.ends, np.percentile(CUBE, (10, 90)))
    np.save(tmp_path / "a.npy", np.concatenate([CUBE, CUBE + 100]))
    changed = stretched(tmp_path / "a.npy")
    measure([Case("a", "a", changed)], memory)
    assert changed.ends == (0.0, 159.0)
    monkeypatch.delattr("lamina.data.views.rescaled.extremes")
    known = stretched(tmp_path / "a.npy")
    measure([Case("a", "a", known)], memory)
    assert known.ends == (0.0, 159.0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}'])
def test_a_damaged_memory_is_made_anew(tmp_path: Path, text: str) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    (tmp_path / "ranges.json").write_text(text)
    volume = stretched(tmp_path / "a.npy")
    measure([Case("a", "a", volume)], tmp_path / "ranges.json")
    assert volume.measured == [(0.0, 59.0)]
    assert list(json.loads((tmp_path / "ranges.json").read_text()).values()) == [[0.0, 59.0]]


def test_without_stretched_volumes_nothing_is_written(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", CUBE)
    measure([Case("a", "a", open_volume(tmp_path / "a.npy"))], tmp_path / "ranges.json")
    assert not (tmp_path / "ranges.json").exists()


def test_fault_I09_a_volume_with_nan_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.where(CUBE == 7, np.nan, CUBE))
    with pytest.raises(DataError, match=r"a\.npy: 1 of 60 values read are not numbers"):
        measure([Case("a", "a", stretched(tmp_path / "a.npy"))], tmp_path / "ranges.json")
