"""The index of a data set: what it says is what reading says, and files are read once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lamina import files
from lamina.data.index import index as module
from lamina.data.index.index import DataIndex
from lamina.data.index.measure import measured
from lamina.data.network_input.normalise import DatasetStats
from lamina.data.readers import ImageFile, open_volume
from lamina.recipe.load import load_recipe
from lamina.training.dataset import OpenedData, index_of, open_data
from lamina.volume import read_all

RECIPE = load_recipe("folder-laptop", ["split.count=2"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for number in range(6):
        image = rng.integers(0, 256, (20 + number, 30), np.uint8)
        mask = ((rng.random(image.shape) < 0.1 * number) * 255).astype(np.uint8)
        kind = ("png", "jpg", "bmp")[number % 3]
        cv2.imwrite(str(tmp_path / "data" / "images" / f"{number}.{kind}"), image)
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{number}.png")
    return tmp_path / "data"


def opened(root: Path, file: Path | None, *, verify: bool = False) -> tuple[OpenedData, DataIndex]:
    index = index_of(RECIPE, None, file, verify=verify)
    return open_data(RECIPE, root, index), index


def read_now(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the files that are read."""
    read: list[str] = []

    def noting(job: module.Job) -> module.Row | None:
        read.append(job.file)
        return measured(job)

    monkeypatch.setattr(module, "measured", noting)
    return read


def test_cases_digests_and_statistics_are_those_of_reading(root: Path, tmp_path: Path) -> None:
    plain = open_data(RECIPE, root)
    for _ in range(2):
        found, index = opened(root, tmp_path / "index.jsonl")
        assert [case.facts for case in found.cases] == [case.facts for case in plain.cases]
        assert found.folds == plain.folds
        names = [name for case in plain.cases for name in (*case.files, *case.label_files)]
        assert index.digests(names) == {name: files.digest(Path(name)) for name in names}
        for fold in (0, 1):  # bit by bit: a run that goes on compares nothing less
            fitted = DatasetStats().fit(found.training(fold))
            assert fitted == DatasetStats().fit(plain.training(fold))
        for one, other in zip(found.cases, plain.cases, strict=True):
            assert one.image.shape == other.image.shape
            np.testing.assert_array_equal(read_all(one.image), read_all(other.image))


def test_the_second_opening_reads_no_file(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(root, tmp_path / "index.jsonl")
    read = read_now(monkeypatch)

    def refuse(self: ImageFile) -> None:
        raise AssertionError(f"{self.path} was decoded")

    monkeypatch.setattr(ImageFile, "_decode", refuse)
    found, index = opened(root, tmp_path / "index.jsonl")
    index.digests(name for case in found.cases for name in (*case.files, *case.label_files))
    DatasetStats().fit(found.cases)
    assert read == []


def test_a_changed_file_is_read_again_and_all_on_request(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "index.jsonl"
    opened(root, file)
    read = read_now(monkeypatch)
    changed = root / "masks" / "0.png"
    Image.fromarray(np.full((20, 30), 255, np.uint8)).save(changed)
    found, _ = opened(root, file)
    assert read == [str(changed)]
    assert found.cases[0].facts["area_0"] == 600
    opened(root, file, verify=True)
    assert len(read) == 1 + 12


def test_a_change_that_leaves_size_and_time_is_found_only_on_request(
    root: Path, tmp_path: Path
) -> None:
    file, path = tmp_path / "index.jsonl", root / "images" / "2.bmp"
    opened(root, file)
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    trusted = DataIndex(file).digest(path)
    found = DataIndex(file, verify=True).digest(path)
    assert found == files.digest(path) != trusted


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign"])
def test_a_damaged_line_costs_only_itself(
    root: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "index.jsonl"
    plain, _ = opened(root, file)
    lines = file.read_bytes().splitlines(keepends=True)
    last = {
        "cut": lines[-1][:40],
        "changed": lines[-1].replace(b'"size": ', b'"size": 1'),
        "foreign": b'{"file": 3}\n',
    }[damage]
    file.write_bytes(b"".join(lines[:-1]) + last)
    read = read_now(monkeypatch)
    found, _ = opened(root, file)
    assert len(read) == 1
    assert [case.facts for case in found.cases] == [case.facts for case in plain.cases]
    kept = DataIndex(file)._rows  # the half line did not swallow the next one
    assert sum(map(len, kept.values())) == 12


def test_an_index_that_cannot_be_written_is_kept_in_memory(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in_the_way").write_text("a file")
    found, _ = opened(root, tmp_path / "in_the_way" / "index.jsonl")
    assert [case.facts for case in found.cases] == [
        case.facts for case in open_data(RECIPE, root).cases
    ]
    assert "is not kept" in capsys.readouterr().err


def test_several_processes_find_the_same_in_the_same_order(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, several = tmp_path / "one.jsonl", tmp_path / "several.jsonl"
    opened(root, one)
    monkeypatch.setattr(module, "_ALONE", 1)
    monkeypatch.setattr(module, "_TOGETHER", 5)
    monkeypatch.setattr(module, "allowed_cores", lambda: 2)
    opened(root, several)
    assert several.read_bytes() == one.read_bytes()


def test_rows_hold_what_the_files_hold(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "index.jsonl"
    opened(root, file)
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        values = read_all(open_volume(row["file"], target=row["role"] == "target"))
        assert tuple(row["shape"]) == values.shape[1:]
        assert row["dtype"] == str(values.dtype)
        if row["role"] == "target":
            wanted = np.unique(values, return_counts=True)
            assert row["values"] == np.transpose(wanted).tolist()
        else:
            assert row["moments"]["count"] == values[0].size
            np.testing.assert_allclose(row["moments"]["mean"], values.mean((1, 2)))
            spread = ((values - values.mean((1, 2), keepdims=True)) ** 2).sum((1, 2))
            np.testing.assert_allclose(row["moments"]["squares"], spread)


def test_palettes_and_turned_images_open_as_before(tmp_path: Path) -> None:
    mask = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) % 3, mode="P")
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(tmp_path / "mask.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4)).save(
        tmp_path / "turned.jpg", exif=exif
    )
    for _ in range(2):
        index = DataIndex(tmp_path / "index.jsonl")
        mask_path, turned = tmp_path / "mask.png", tmp_path / "turned.jpg"
        index.fill({"image": [mask_path, turned], "target": [mask_path]})
        with pytest.warns(UserWarning, match="upright"), index.used():
            known = [
                open_volume(mask_path),
                open_volume(mask_path, target=True),
                open_volume(turned),
            ]
        with pytest.warns(UserWarning, match="upright"):
            plain = [
                open_volume(mask_path),
                open_volume(mask_path, target=True),
                open_volume(turned),
            ]
        for one, other in zip(known, plain, strict=True):
            assert (one.shape, one.channels, one.dtype) == (
                other.shape,
                other.channels,
                other.dtype,
            )
            np.testing.assert_array_equal(read_all(one), read_all(other))
