"""Wide volumes in blocks, column by column: the same bytes as the whole, killed or not."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import signal
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from lamina.bundle import Bundle, MemberWeights
from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.data.prepare.spaced import Spaced
from lamina.data.views.resampling.spacing import shape_at
from lamina.errors import ResourceError
from lamina.geometry.region import Region
from lamina.prediction.engine import Member, plan_case, predict_case, stream_case
from lamina.prediction.members import loaded as members_module
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.run import predict
from lamina.prediction.streaming import row_bands, zarr_store
from lamina.prediction.streaming.units.columns import (
    Seen,
    column_bytes,
    column_sides,
    columns_of,
    least_bytes,
)
from lamina.prediction.streaming.units.ledger import Ledger
from lamina.prediction.streaming.units.of_case import in_a_row
from lamina.prediction.streaming.zarr_store import Store
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume
from tests.factories import blocks
from tests.factories.blocks import conv, place, scan, tree
from tests.prediction.workers.conftest import contents

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

CPU = torch.device("cpu")

recipe = partial(blocks.recipe, precision="float32", views="as_is")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands of 4 planes, and chunks of 4 x 8 x 8 voxels."""
    monkeypatch.setattr(row_bands, "_PLANES", 4)
    monkeypatch.setattr(zarr_store, "_CHUNK", 256)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "work" / "slabs.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def streamed(
    folder: Path, case: Case, members: list[Member], wanted: Recipe, memory: int | None = 1
) -> NDArray[Any]:
    where = place(folder, dtype=np.float32)
    stream_case(case, members, wanted, place=where, device=CPU, batch=3, memory=memory)
    return Store.open(where.store).read()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 13), st.integers(1, 37), st.integers(1, 37)),
    st.sampled_from([1, 4, 64]),
    st.sampled_from([64, 256, 1024]),
    st.sampled_from(["moved", "beyond"]),
    st.sampled_from([0.0, 0.5, (0.5, 0.25, 0.7)]),
    st.sampled_from(["zyx", "xyz"]),
    st.sampled_from([1, 3, 8]),
)
def test_it_is_the_answer_in_memory_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    planes: int,
    chunk: int,
    border: str,
    overlap: Any,
    axes: str,
    batch: int,
) -> None:
    case, folder = scan(*shape, axes=axes), tmp_path_factory.mktemp("s")
    wanted = recipe(names=3, border_tiles=border, overlap=overlap)
    members = [Member(conv(0, 3), PerCase(how="standard"))]
    whole = predict_case(case, members, wanted, device=CPU, batch=batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_bands, "_PLANES", planes)
        patch.setattr(zarr_store, "_CHUNK", chunk)
        where = place(folder, dtype=np.float32)
        stream_case(case, members, wanted, place=where, device=CPU, batch=batch, memory=1)
    sides = Store.open(where.store).array.chunks[1:]  # as they are, of thin volumes too
    np.testing.assert_array_equal(Store.open(where.store).read(), whole)
    count = -(-shape[1] // sides[1]) * -(-shape[2] // sides[2])
    head, *rows = rows_of(folder)
    assert len(head["thick"]) == (3 if count > 1 else 1)
    assert len({tuple(row.get("across", ())) for row in rows}) == count


@pytest.mark.usefixtures("small")
def test_views_and_members_with_tiles_of_their_own_are_those_of_bands(tmp_path: Path) -> None:
    case, wanted = scan(13, 18, 29), recipe(names=2, views="flips_yx", overlap=(0.5, 0.25, 0.25))
    tiles = [(4, 8, 8), (6, 12, 8)]
    members = [
        Member(conv(n, 2), Fixed(scale=255), 1.0 + n, tile=tile) for n, tile in enumerate(tiles)
    ]
    bands = streamed(tmp_path / "bands", case, members, wanted, None)
    columns = streamed(tmp_path / "columns", case, members, wanted)
    np.testing.assert_array_equal(columns, bands)
    assert tree(tmp_path / "columns" / "a.zarr") == tree(tmp_path / "bands" / "a.zarr")
    assert len(rows_of(tmp_path / "columns")) == 1 + 4 * 3 * 4


@pytest.mark.usefixtures("small")
def test_where_no_pixel_counts_it_is_0(tmp_path: Path) -> None:
    inside = np.zeros((1, 9, 20, 29), np.uint8)
    inside[:, 2:5, 9:20, :7] = 1
    case = Case("a", "a", scan(9, 20, 29).image, valid=ArrayVolume(inside, "zyx"))
    wanted = recipe(names=2, only_valid=True)
    members = [Member(conv(0, 2), Fixed(scale=255))]
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    assert (whole[:, inside[0] == 0] == 0).all()
    np.testing.assert_array_equal(streamed(tmp_path, case, members, wanted), whole)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("point", "passage"),
    [("slab.before_ledger", 5), ("slab.after_ledger", 4), ("store.after_chunk", 17)],
)
def test_killed_between_columns_and_run_again_it_gives_the_same_bytes(
    tmp_path: Path, point: str, passage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B01, B02."""
    case, wanted, counts = scan(14, 18, 20), recipe(), list[int]()
    members = [Member(conv(n), Fixed(scale=255)) for n in range(2)]
    stream_case(case, members, wanted, place=place(tmp_path / "whole"), device=CPU, batch=3)
    monkeypatch.setenv("LAMINA_FAULT", f"{point}:{passage}")
    where = place(tmp_path / "killed")
    child = multiprocessing.get_context("fork").Process(
        target=stream_case,
        args=(case, members, wanted),
        kwargs={"place": where, "device": CPU, "batch": 3, "memory": 1},
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    tick = counts.append
    stream_case(case, members, wanted, place=where, device=CPU, batch=3, progress=tick)
    assert tree(where.store) == tree(tmp_path / "whole" / "a.zarr")
    assert sum(counts) == 4 * 3 * 3  # it keeps its columns, though all of a band would fit now
    assert len(rows_of(tmp_path / "killed")) == 1 + 4 * 3 * 3


@pytest.mark.usefixtures("small")
def test_what_was_begun_whole_is_refused_where_it_no_longer_fits(tmp_path: Path) -> None:
    case, wanted, where = scan(14, 24, 40), recipe(), place(tmp_path)
    member = Member(conv(0), Fixed(scale=255))
    stream_case(case, [member], wanted, place=where, device=CPU)
    rows = rows_of(tmp_path)[:2]
    (where.work / "slabs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    least = least_bytes(case.image, 1, [Seen((4, 8, 8), (14, 24, 40))])
    with pytest.raises(ResourceError, match=r"bands of 24 x 40 voxels across, which need \d+M"):
        stream_case(case, [member], wanted, place=where, device=CPU, memory=least)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 90), st.integers(1, 90)),
    st.integers(0, 2**20),
)
@example((1, 33, 6), 36632)
def test_columns_are_the_fewest_that_fit_and_end_with_chunks(
    shape: tuple[int, int, int], memory: int
) -> None:
    volume, seen = scan(*shape).image, [Seen((4, 8, 8), shape)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_bands, "_PLANES", 4)
        patch.setattr(zarr_store, "_CHUNK", 256)
        sides = column_sides(volume, 1, seen, memory)
        needs, least = column_bytes(volume, 1, seen, sides), least_bytes(volume, 1, seen)
        columns = columns_of(shape, sides)
        chunk = zarr_store.chunk_sides(shape, {0: min(4, shape[0])})[1:]  # of thin volumes wider
        count = np.zeros(shape[1:], int)
        for one in columns:
            count[one.slices] += 1
            assert all(
                start % side == 0 and (stop % side == 0 or stop == end)
                for start, stop, end, side in zip(
                    one.start, one.stop, shape[1:], chunk, strict=True
                )
            )
        np.testing.assert_array_equal(count, 1)
        assert needs <= memory or needs == least
        if sides[1] == shape[2]:  # rows alone are cut: one column less would not fit
            sizes = range(chunk[0], shape[1] + chunk[0], chunk[0])
            wider = [min(n, shape[1]) for n in sizes if -(-shape[1] // n) < len(columns)]
            assert all(column_bytes(volume, 1, seen, (n, shape[2])) > memory for n in wider)


def respaced(wanted: Recipe, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Recipe:
    """Return a recipe whose network sees voxels that far apart."""
    frame = wanted.frame.model_copy(update={"spacing": spacing})
    return wanted.model_copy(update={"frame": frame})


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 13), st.integers(1, 37), st.integers(1, 37)),
    st.sampled_from([(2, 1, 1), (0.5, 1, 1), (0.3, 2, 0.7), (1, 1, 1.5), (1, 0.4, 3)]),
    st.sampled_from([1, 4, 64]),
    st.sampled_from([64, 256, 1024]),
    st.sampled_from([0.0, 0.5, (0.5, 0.25, 0.7)]),
    st.sampled_from(["zyx", "xyz"]),
    st.sampled_from([1, 2]),
)
@example((1, 1, 9), (0.5, 1, 1), 1, 64, 0.0, "zyx", 2)  # of so few planes it is as stored
def test_a_resampled_volume_is_the_answer_in_memory_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    planes: int,
    chunk: int,
    overlap: Any,
    axes: str,
    count: int,
) -> None:
    image = Spaced(scan(*shape, axes=axes).image, spacing)
    wanted = respaced(recipe(names=2, overlap=overlap))
    members = [Member(conv(n, 2), PerCase(how="standard")) for n in range(count)]
    if count == 2:  # the other one sees the volume as it is stored
        members[1] = replace(members[1], frame=recipe().frame)
    case = Case("a", "a", image)
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_bands, "_PLANES", planes)
        patch.setattr(zarr_store, "_CHUNK", chunk)
        folder = tmp_path_factory.mktemp("s")
        found = streamed(folder, case, members, wanted)
    np.testing.assert_array_equal(found, whole)
    sides = Store.open(folder / "a.zarr").array.chunks[1:]
    columns = {tuple(row.get("across", ())) for row in rows_of(folder)[1:]}
    assert len(columns) == -(-shape[1] // sides[1]) * -(-shape[2] // sides[2])


@pytest.mark.usefixtures("small")
def test_columns_of_a_resampled_volume_can_begin_anywhere(tmp_path: Path) -> None:
    """B01: as a run that was killed goes on."""
    image = Spaced(scan(14, 18, 20).image, (0.7, 1.6, 1))
    wanted, case = respaced(recipe(overlap=0.5)), Case("a", "a", image)
    members = [Member(conv(0), Fixed(scale=255))]
    streamed(tmp_path / "whole", case, members, wanted)
    head, *rows = rows_of(tmp_path / "whole")
    where = place(tmp_path / "again", dtype=np.float32)
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    lines = [head, *(row for number, row in enumerate(rows) if number % 3)]
    text = "".join(f"{json.dumps(row)}\n" for row in lines)
    (where.work / "slabs.jsonl").write_text(text)
    done = list[int]()
    stream_case(
        case, members, wanted, place=where, device=CPU, batch=3, memory=1, progress=done.append
    )
    assert len(rows_of(tmp_path / "again")) == len(rows) + 1
    assert tree(where.store) == tree(tmp_path / "whole" / "a.zarr")


def least_peak(case: Case, wanted: Recipe, memory: int, out: Path) -> int:
    """Return the most bytes that Python and numpy held, in the lesser of two runs.

    What the process does once, and threads of other tests, are counted, too.
    """
    peaks = []
    for name in ("once", "again"):
        tracemalloc.start()
        members = [Member(nn.Identity(), Fixed(scale=255))]
        where = place(out / name)
        stream_case(case, members, wanted, place=where, device=CPU, batch=1, memory=memory)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(peaks)


@pytest.mark.parametrize("spacing", [(2, 1.5, 1), (0.5, 1, 0.7), (0.3, 0.5, 0.5)])
def test_memory_of_columns_of_a_resampled_volume_is_within_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spacing: tuple[float, ...]
) -> None:
    monkeypatch.setattr(row_bands, "_PLANES", 8)
    monkeypatch.setattr(zarr_store, "_CHUNK", 8 * 32 * 32)
    wanted, peaks = respaced(recipe(size=(8, 16, 16), overlap=0)), []
    for rows in (128, 256):
        image = Spaced(scan(24, rows, 128).image, spacing)
        shape = shape_at(image, (1, 1, 1))
        seen = [Seen((8, 16, 16), shape)]
        memory = column_bytes(image, 1, seen, (32, 128))
        assert column_sides(image, 1, seen, memory) == (32, 128)
        peaks.append(least_peak(Case("a", "a", image), wanted, memory, tmp_path / str(rows)))
        assert peaks[-1] < memory + 2**20 < column_bytes(image, 1, seen, (rows, 128))
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.usefixtures("small")
def test_the_plan_says_how_much_is_answered_again() -> None:
    case, wanted = scan(8, 16, 8), recipe(overlap=0.5)
    member, where = Member(conv(0), Fixed(scale=255)), place(Path("nowhere"))
    plan = plan_case(
        case.image, [member], wanted, device=CPU, place=where, batch=1, thick=[4, 8, 8]
    )
    # Starts 0, 2, 4 along z; 0, 4, 8 along y, of which that at 4 touches both columns.
    assert plan.tiles == 3 * 4
    assert plan.again == pytest.approx(1 / 3)
    assert plan.slabs == {"z": 4, "y": 8, "x": 8}
    assert plan.memory == column_bytes(case.image, 1, [Seen((4, 8, 8), (8, 16, 8))], (8, 8))
    assert "  33% of the tiles are answered again in other columns" in plan.lines()


@pytest.mark.parametrize(
    ("shape", "workers", "columns", "row"),
    [((64, 64, 64), 2, 1, 1), ((512, 512, 512), 2, 1, 4), ((512, 512, 512), 2, 8, 16)],
)
def test_a_worker_does_as_many_units_in_a_row_as_there_are_for_all(
    shape: tuple[int, int, int], workers: int, columns: int, row: int
) -> None:
    volume = ArrayVolume(np.broadcast_to(np.uint8(0), (1, *shape)), "zyx")
    assert in_a_row(volume, recipe(size=(64, 8, 8)), workers, columns) == row


def test_memory_is_within_what_is_said_however_wide_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numpy's memory beside the volume itself; the sums of whole planes would take more."""
    monkeypatch.setattr(row_bands, "_PLANES", 8)
    monkeypatch.setattr(zarr_store, "_CHUNK", 8 * 64 * 64)
    wanted, peaks = recipe(size=(8, 32, 32), overlap=0), []
    for rows in (256, 512):
        case, seen = scan(16, rows, 256), [Seen((8, 32, 32), (16, rows, 256))]
        memory = column_bytes(case.image, 1, seen, (64, 256))
        assert column_sides(case.image, 1, seen, memory) == (64, 256)
        peaks.append(least_peak(case, wanted, memory, tmp_path / str(rows)))
        assert peaks[-1] < memory + 2**21 < column_bytes(case.image, 1, seen, (rows, 256))
    assert peaks[1] < 1.1 * peaks[0]


def bundle(names: int = 2) -> Bundle:
    wanted = recipe(names=names, size=(4, 16, 16), overlap=0.25, batch=2)
    torch.manual_seed(0)
    weights = dict(wanted.network.build(1, names).state_dict())
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(scale=255))
    return Bundle.make(wanted, [member], cases={})


def test_a_volume_is_refused_only_where_no_column_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest memory that is named is enough, and one byte less than a MiB is not."""
    monkeypatch.setattr(members_module, "used_memory", lambda: 0)
    loaded = LoadedMembers([bundle()], CPU, None)
    volume = ArrayVolume(np.broadcast_to(np.uint8(0), (1, 8, 1024, 1024)), "zyx")
    least = loaded.held(volume, cut=True)
    assert least < loaded.held(volume) / 4
    with pytest.raises(ResourceError, match=r"pass --memory \d+M or more") as caught:
        loaded.batch_size([volume], 2**20)
    named = int(str(caught.value).rpartition("--memory ")[2].partition("M")[0])
    assert loaded.batch_size([volume], named * 2**20) == 1
    assert loaded.slab_memory(named * 2**20, 1) >= least
    with pytest.raises(ResourceError, match="pass --memory"):
        loaded.batch_size([volume], (named - 1) * 2**20)
    assert loaded.batch_size([volume], loaded.held(volume) + 2**28) == 8


@pytest.mark.parametrize("workers", [0, 2])
def test_the_prediction_is_that_of_whole_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    """N09."""
    bundle().save(tmp_path / "bundle")
    shape = (65, 70, 140)  # chunks have sides of 64
    np.save(tmp_path / "v.npy", scan(*shape).image.read(Region.whole(shape))[0])
    options: dict[str, Any] = {"device": "cpu", "progress": False}
    predict(tmp_path / "bundle", tmp_path / "v.npy", tmp_path / "whole", **options)
    monkeypatch.setattr(members_module, "available_memory", lambda: 2**12)
    if workers:
        options["workers"] = workers
    said: list[tuple[Any, ...]] = []
    note = Ledger.note

    def noted(self: Ledger, *row: Any) -> None:
        said.append(row)
        note(self, *row)

    monkeypatch.setattr(Ledger, "note", noted)
    predict(tmp_path / "bundle", tmp_path / "v.npy", tmp_path / "columns", **options)
    assert contents(tmp_path / "columns") == contents(tmp_path / "whole")
    columns = [(y, x) for y in (0, 64) for x in (0, 64, 128)]
    assert sorted(row[3] for row in said) == sorted(2 * columns)  # two bands of each
