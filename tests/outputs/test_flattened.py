"""Fragments written out aligned, as a data folder that the catalog reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.data.catalogs import Fragments
from lamina.data.flatten import Flatten, Flattened
from lamina.data.views.layers import open_layers
from lamina.errors import DataError, RecipeError
from lamina.files import read_json
from lamina.outputs.flattened import RequestedFiles, flatten, fragments_of, requested_files
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.synthetic.scroll import Fragment, write_fragments
from lamina.task import Task
from lamina.volume import read_all

HOW = Flatten(reference="1", tile=24, step=12, slices=(8, 57), levels="stack", reach=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fragments(tmp_path_factory.mktemp("fragments"), count=2, shape=(128, 160))


def test_a_written_fragment_is_the_one_seen_aligned(data: Path, tmp_path: Path) -> None:
    """INK-10: writing and moving on the fly are the same; mask and ink go along."""
    catalog = Fragments(prepare=HOW)
    found = flatten([data], tmp_path / "out", catalog, RequestedFiles((20, 44)))
    assert set(found.fragments) == {"1", "2"}
    how = Flatten.model_validate(read_json(tmp_path / "out" / "flatten.json"))
    stack = catalog.open_stack(data / "2" / "surface_volume")
    wanted = read_all(Flattened(stack.volume, [how.maps(stack)]))[0, 20:44]
    written = open_layers(tmp_path / "out" / "2" / "surface_volume")
    assert (read_all(written)[0] == wanted).all()
    listing = Fragments().open(tmp_path / "out", Task(kind="binary", names=("ink",)))
    assert [case.id for case in listing.cases] == ["1", "2"]
    assert listing.cases[0].image.channels == 24
    with np.load(tmp_path / "out" / "2" / "maps.npz", allow_pickle=False) as maps:
        assert (maps["shift"] == how.maps(stack).shift).all()


def test_the_sheet_is_flat_afterwards(data: Path, tmp_path: Path) -> None:
    """INK-3 to INK-7 on a sheet whose place is known: one depth within and across fragments."""
    flatten([data], tmp_path / "out", Fragments(prepare=HOW), RequestedFiles(maps_only=True))
    assert not (tmp_path / "out" / "1" / "surface_volume").exists()
    before, after = [], []
    for index in (0, 1):
        truth = Fragment(index, shape=(128, 160))
        with np.load(tmp_path / "out" / str(index + 1) / "maps.npz", allow_pickle=False) as stored:
            shift, scale = stored["shift"], stored["scale"]
            rows, columns = (stored[name].round().astype(int) for name in ("rows", "columns"))
        there = truth.mask[np.ix_(rows, columns)]
        middle = truth.middle[np.ix_(rows, columns)]
        before.append(middle[there])
        after.append((middle * scale + shift)[there])
    assert np.concatenate(after).std() < 0.5 * np.concatenate(before).std()


def test_the_same_again_writes_nothing_and_another_wish_is_refused(
    data: Path, tmp_path: Path
) -> None:
    catalog = Fragments(prepare=HOW)
    first = flatten([data / "1"], tmp_path / "out", catalog, RequestedFiles((20, 24)))
    path = tmp_path / "out" / "1" / "surface_volume" / "20.tif"
    stamp = path.stat().st_mtime_ns
    assert flatten([data / "1"], tmp_path / "out", catalog, RequestedFiles((20, 24))) == first
    assert path.stat().st_mtime_ns == stamp
    with pytest.raises(RecipeError, match="holds other layers"):
        flatten([data / "1"], tmp_path / "out", catalog, RequestedFiles((20, 26)))
    assert path.stat().st_mtime_ns == stamp


def test_a_new_fragment_is_aligned_by_the_curve_alone(data: Path, tmp_path: Path) -> None:
    catalog = Fragments(prepare=HOW)
    both = flatten([data], tmp_path / "both", catalog, RequestedFiles(maps_only=True))
    how = Flatten.model_validate(read_json(tmp_path / "both" / "flatten.json"))
    alone = flatten(
        [data / "2"], tmp_path / "alone", Fragments(prepare=how), RequestedFiles(maps_only=True)
    )
    assert alone.fragments["2"] == both.fragments["2"]


def test_mistakes_are_said(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no fragment there"):
        flatten([tmp_path / "empty"], tmp_path / "out", Fragments())
    with pytest.raises(DataError, match="no such folder"):
        flatten([tmp_path / "nowhere"], tmp_path / "out", Fragments())
    how = HOW.model_copy(update={"reference": "3"})
    with pytest.raises(RecipeError, match="'3', which is none"):
        flatten([data], tmp_path / "out", Fragments(prepare=how))
    write_fragments(tmp_path / "other", count=1, shape=(64, 64))
    with pytest.raises(RecipeError, match="is called '1' like"):
        flatten([data / "1", tmp_path / "other"], tmp_path / "out", Fragments(prepare=HOW))
    with pytest.raises(RecipeError, match=r"data.kind is 'csv_rle'"):
        fragments_of("steel", (), None)
    with pytest.raises(RecipeError, match="it is tif or zarr"):
        requested_files(None, "png", maps_only=False)
    with pytest.raises(RecipeError, match="write the first layer"):
        requested_files([4, 2], "tif", maps_only=False)


def test_a_recipe_says_how(tmp_path: Path) -> None:
    catalog = fragments_of("ink", ["data.prepare.reach=12"], "2")
    assert catalog.prepare is not None
    assert (catalog.prepare.reach, catalog.prepare.reference) == (12, "2")


def test_prediction_aligns_and_answers_as_from_the_written_layers(
    data: Path, tmp_path: Path, make: Any
) -> None:
    """INK-10: on the fly and written out are the same, to the answer of a network."""
    how = HOW.resolved([Fragments().open_stack(data / "1" / "surface_volume")])
    flatten([data], tmp_path / "flat", Fragments(prepare=how), RequestedFiles((30, 34)))
    values: dict[str, Any] = {
        "task": {"kind": "binary", "names": ["ink"]},
        "frame": {"size": [32, 32], "channels": 4},
    }
    catalogs = {
        "fly": ({"layers": (30, 34), "prepare": how.model_dump()}, data / "2"),
        "flat": ({}, tmp_path / "flat" / "2"),
    }
    answers = []
    for name, (options, source) in catalogs.items():
        bundle = make.bundle(**values, data={"kind": "fragments", **options})
        bundle.save(tmp_path / name)
        predict([tmp_path / name], [source], tmp_path / f"{name}-pred", progress=False)
        answers.append(Predictions.open(tmp_path / f"{name}-pred").prob("2"))
    assert (answers[0] == answers[1]).all()
    assert sorted(read_json(tmp_path / "fly-pred" / "curves" / "layers.json")) == ["2"]
