"""Volumes streamed to disk: the same as in memory, whatever their size, killed or not."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import signal
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.errors import DataError, RecipeError, ResourceError
from lamina.files import digest
from lamina.geometry.region import Region
from lamina.prediction import engine
from lamina.prediction.engine import Member, Place, predict_case, stream_case
from lamina.prediction.streaming import slabs, zarr_store
from lamina.prediction.streaming import volume as streaming_volume
from lamina.prediction.streaming.units.checksum import checksum
from lamina.prediction.streaming.units.ledger import LEDGER
from lamina.prediction.streaming.zarr_store import Store
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume, Plane
from tests.tolerance import assert_rounded_once

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

CPU = torch.device("cpu")
LOGITS = dict.fromkeys(("views", "tiles", "members", "axes"), "logit")


def conv(seed: int, outputs: int = 1, inputs: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def recipe(axes: str, *, names: int = 1, context: int = 0, **options: object) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "test",
            "task": {
                "kind": "multiclass" if names > 1 else "binary",
                "names": [f"c{k}" for k in range(names)],
            },
            "data": {"kind": "folder"},
            "network": {"kind": "unet"},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [32, 32], "slices": {"axes": axes, "context": context}},
            "predict": {"views": "flip_x", "overlap": 0.25, **options},
        }
    )


def volume(*shape: int, seed: int = 0) -> ArrayVolume:
    rng = np.random.default_rng(seed)
    return ArrayVolume(rng.integers(0, 256, (1, *shape), np.uint8), "zyx", "rock")


def place(folder: Path, **more: Any) -> Place:
    return Place(folder / "work", folder / "a.zarr", "plan", **more)


def streamed(folder: Path, *args: Any, **more: Any) -> NDArray[Any]:
    stream_case(*args, place=place(folder, **more), device=CPU)
    return Store.open(folder / "a.zarr").read()


@settings(max_examples=15, deadline=None)
@given(
    st.tuples(st.integers(1, 19), st.integers(1, 19), st.integers(1, 19)),
    st.sampled_from(["z", "y", "x", "zy", "xz", "yx", "zyx", "xyz", "yxz"]),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([1, 3]),
    st.sampled_from([2_000, 10_000, 2**20]),
)
def test_it_is_the_answer_in_memory_rounded_once(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    axes: str,
    context: int,
    names: int,
    budget: int,
) -> None:
    rock, wanted = volume(*shape), recipe(axes, names=names, context=context)
    member = Member(conv(0, names, 2 * context + 1), PerCase(how="standard"))
    whole = predict_case(rock, [member], wanted, device=CPU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "BUDGET", budget)
        found = streamed(tmp_path_factory.mktemp("s"), rock, [member], wanted)
    assert_rounded_once(found, whole)


@pytest.mark.parametrize("names", [1, 3])
def test_logits_of_all_axes_have_one_mean(tmp_path: Path, names: int) -> None:
    """FAULT-14: mean of logits over members, views and axes, then the most probable class."""
    rock, net = volume(9, 12, 7), conv(3, names)
    found = streamed(
        tmp_path, rock, [Member(net, Fixed())], recipe("zyx", names=names, mean_of=LOGITS)
    )
    with torch.inference_mode():
        voxels = torch.from_numpy(rock.array[0].astype(np.float32) / 255)
        total = torch.zeros(names, 9, 12, 7)
        for at in range(3):
            height, width = voxels.movedim(at, 0).shape[1:]
            mirror = _mirrored(voxels.movedim(at, 0), 32)
            answers = (net(mirror) + net(mirror.flip(3)).flip(3)) / 2
            top, left = (32 - height) // 2, (32 - width) // 2
            answers = answers[:, :, top : top + height, left : left + width]
            total += answers.movedim(1, 0).movedim(1, at + 1) / 3
        slow = total.softmax(0) if names > 1 else total.sigmoid()
    np.testing.assert_allclose(found, slow.numpy(), atol=6e-4)
    whole = predict_case(
        rock, [Member(net, Fixed())], recipe("zyx", names=names, mean_of=LOGITS), device=CPU
    )
    np.testing.assert_allclose(whole, slow.numpy(), atol=2e-6)


def _mirrored(planes: Tensor, size: int) -> Tensor:
    array = planes.numpy()
    width = [((size - n) // 2, size - n - (size - n) // 2) for n in array.shape[1:]]
    return torch.from_numpy(np.pad(array, [(0, 0), *width], mode="reflect"))[:, None]


def test_values_of_restore_are_kept_in_float32(tmp_path: Path) -> None:
    wanted = recipe("zx").model_copy(
        update={"task": recipe("z").task.model_copy(update={"kind": "restore"})}
    )
    rock, member = volume(5, 20, 11), Member(conv(1), Fixed(scale=1))
    found = streamed(tmp_path, rock, [member], wanted, dtype=np.float32)
    assert found.dtype == np.float32
    whole = predict_case(rock, [member], wanted, device=CPU)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-4)  # values to 255


def test_a_slab_is_read_once_with_its_neighbours(tmp_path: Path) -> None:
    read: list[tuple[int, ...]] = []

    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            read.append((region.start[0], region.stop[0]))
            return super().read(region)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "THICKEST", 4)
        streamed(
            tmp_path,
            Watched(volume(11, 6, 5).array, "zyx"),
            [Member(conv(0, inputs=3), Fixed())],
            recipe("z", context=1),
        )
    assert read == [(0, 5), (3, 9), (7, 11)]


@pytest.mark.parametrize("dtype", ["uint8", "int16", ">u2", "float32", "float64", "complex64"])
@pytest.mark.parametrize("axis", "zyx")
def test_slices_of_a_slab_are_those_of_the_volume(dtype: str, axis: str) -> None:
    """Also along the last axis in memory, where each is brought side by side first."""
    array = np.random.default_rng(0).integers(0, 200, (2, 7, 5, 6)).astype(dtype)
    whole = ArrayVolume(array, "zyx")
    at = "zyx".index(axis)
    slab = slabs.Slab(axis, at, 1, 4)
    held = slabs.LoadedBox.of(whole, slab, 1)
    for index in range(1, 4):
        region = Region.whole(Plane(whole, axis, index, 1).shape)
        found, wanted = (Plane(one, axis, index, 1).read(region) for one in (held, whole))
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == wanted.dtype


@pytest.mark.parametrize(("axes", "outputs"), [("xyz", 1), ("zyx", 3), ("yx", 3)])
def test_sums_are_read_again_in_any_order_of_the_axes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, axes: str, outputs: int
) -> None:
    """Of boxes that share rows of one file or of several, against the answer in memory."""
    monkeypatch.setattr(slabs, "THICKEST", 4)
    monkeypatch.setattr(zarr_store, "_CHUNK", 128)
    wanted = recipe(axes, names=outputs)
    member = Member(conv(0, outputs), Fixed(scale=255.0))
    rock = volume(11, 9, 10)
    found = streamed(tmp_path, rock, [member], wanted)
    assert Store.open(tmp_path / "a.zarr").array.nchunks > 8 * outputs
    assert_rounded_once(found, predict_case(rock, [member], wanted, device=CPU))


def test_a_slab_is_read_ahead_and_written_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While slab 1 is answered, slab 2 is read and slab 0 is written; else this waits in vain."""
    monkeypatch.setattr(slabs, "THICKEST", 4)
    monkeypatch.setattr(engine, "overlaps", lambda _: True)  # as with a GPU
    second_read, first_answered = threading.Event(), threading.Event()
    passes, write = list[int](), Store.put

    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            if region.start[0] == 8:
                second_read.set()
            return super().read(region)

    class Waiting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            if len(passes) == 3:  # two views of slab 0 before
                first_answered.set()
                assert second_read.wait(30)
            return x

    def waiting(self: Store, region: Region, values: NDArray[Any]) -> str:
        assert region.start[0] or first_answered.wait(30)
        return write(self, region, values)

    monkeypatch.setattr(Store, "put", waiting)
    rock = volume(12, 16, 16)
    found = streamed(
        tmp_path, Watched(rock.array, "zyx"), [Member(Waiting(), Fixed())], recipe("z")
    )
    assert len(passes) == 6
    monkeypatch.undo()
    monkeypatch.setattr(slabs, "THICKEST", 4)
    plain = streamed(tmp_path / "plain", rock, [Member(nn.Identity(), Fixed())], recipe("z"))
    assert found.tobytes() == plain.tobytes()


POINTS = [
    *[("slab.before_ledger", n) for n in (1, 3, 4, 5)],
    *[("slab.after_ledger", n) for n in (2, 3, 4, 5)],
    *[("slab.after_release", n) for n in (3, 4)],
    *[("slab.after_removal", n) for n in (1, 2)],
    *[("store.after_chunk", n) for n in (1, 2)],
    *[(f"file.{name}", 2) for name in ("after_write", "before_rename", "after_rename")],
]


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("point", "passage"), POINTS)
@pytest.mark.parametrize("overlapped", [False, True])
def test_killed_anywhere_and_run_again_it_gives_the_same_bytes(
    tmp_path: Path, point: str, passage: int, overlapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B01, B02, N09."""
    monkeypatch.setattr(engine, "overlaps", lambda _: overlapped)
    monkeypatch.setattr(slabs, "THICKEST", 8)
    rock, wanted, counts = volume(9, 6, 12), recipe("zyx"), list[int]()
    members = [Member(conv(0), Fixed())]
    streamed(tmp_path / "whole", rock, members, wanted)
    monkeypatch.setenv("LAMINA_FAULT", f"{point}:{passage}")
    child = multiprocessing.get_context("fork").Process(
        target=stream_case,
        args=(rock, members, wanted),
        kwargs={"place": place(tmp_path / "killed"), "device": CPU},
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    stream_case(
        rock, members, wanted, place=place(tmp_path / "killed"), device=CPU, progress=counts.append
    )
    assert tree(tmp_path / "killed" / "a.zarr") == tree(tmp_path / "whole" / "a.zarr")
    assert sum(counts) == 9 + 6 + 12


def test_what_is_done_is_not_done_again_and_what_is_damaged_is(tmp_path: Path) -> None:
    """B03, B04."""
    rock, wanted, passes = volume(9, 6, 12), recipe("zyx"), list[int]()

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return x

    def again() -> tuple[int, NDArray[Any]]:
        passes.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slabs, "THICKEST", 8)
            found = streamed(tmp_path, rock, [Member(Counted(), Fixed())], wanted)
        return len(passes) // 2, found  # two views

    # batches of 5 of 9 slices (in slabs of 8 and 1), of 6 of 6, and of 6 of 12 (8 and 4)
    first, before = again()
    assert first == 3 + 1 + 3
    assert again()[0] == 0
    chunk = tmp_path / "a.zarr/c/0/0/0/1"  # of slices 8 to 12 along x
    chunk.write_bytes(chunk.read_bytes()[:-1])
    number, found = again()
    assert number == 3 + 1 + 1  # their sums over the other axes were removed
    np.testing.assert_array_equal(found, before)
    ledger = tmp_path / "work" / LEDGER
    rows = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(row for row in rows if '"axis": 2, "start": 0' not in row))
    assert again()[0] == 3 + 1 + 2


class Stopped(Exception):
    """What ends a run in the middle."""


@pytest.mark.parametrize(
    ("damage", "passes_anew"),
    [("nothing", 0), ("shorter", 1), ("changed", 1), ("gone", 1), ("older", 2), ("answer", 2 + 2)],
)
def test_sums_are_used_again_only_as_they_were_noted(
    tmp_path: Path, damage: str, passes_anew: int
) -> None:
    """B03, B04: stopped in the second slab along y, for which two slabs along z left files."""
    rock, wanted, passes = volume(16, 12, 6), recipe("zy"), list[int]()

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            if len(passes) == stop:
                raise Stopped
            return x

    def again() -> NDArray[Any]:
        passes.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slabs, "THICKEST", 8)
            return streamed(tmp_path, rock, [Member(Counted(), Fixed())], wanted)

    stop = 2 * (1 + 1 + 2 + 1)  # in two views; batches of 8 of 16 slices, and of 6 of 12 (8 and 4)
    with pytest.raises(Stopped):
        again()
    sums, ledger = tmp_path / "work/0", tmp_path / "work" / LEDGER
    files = [sums / f"{start:06d}.01.float32" for start in (0, 8)]
    assert sorted(sums.iterdir()) == files  # those for the first slab along y are removed
    rows = [json.loads(row) for row in ledger.read_text().splitlines()]
    noted = [row["sha256"].removeprefix("crc32c:").split(",") for row in rows[1:3]]
    assert [each[1] for each in noted] == [checksum(file) for file in files]
    content = files[1].read_bytes()
    if damage == "older":
        rows[1]["sha256"] = rows[2]["sha256"] = digest(files[1])
        ledger.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif damage == "gone":
        files[1].unlink()
    elif damage == "answer":
        (tmp_path / "a.zarr/c/0/0/0/0").write_bytes(b"")
    elif damage != "nothing":
        other = content[:-1] + bytes([content[-1] ^ 1])
        files[1].write_bytes(other if damage == "changed" else content[:-1])
    stop = 0
    found = again()
    assert len(passes) == 2 * (1 + passes_anew)
    assert not sums.exists()
    expected = predict_case(rock, [Member(nn.Identity(), Fixed())], wanted, device=CPU)
    np.testing.assert_array_equal(found, expected.astype(np.float16))


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_slabs_that_share_files_give_the_same_bytes(
    tmp_path: Path, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "THICKEST", 2)
    monkeypatch.setattr(streaming_volume, "PARTS", parts)
    rock, wanted, seen = volume(7, 11, 9), recipe("zyx"), list[set[str]]()
    members = [Member(conv(0), Fixed())]

    def look(_: int) -> None:
        seen.append({file.name for file in (tmp_path / "work").glob("*/*.float32")})

    stream_case(rock, members, wanted, place=place(tmp_path), device=CPU, progress=look)
    found = Store.open(tmp_path / "a.zarr").read()
    expected = predict_case(rock, members, wanted, device=CPU)
    assert_rounded_once(found, expected)
    assert {name.split(".")[1] for names in seen for name in names} == {
        f"{part:02d}" for part in range(parts)
    }
    assert max(map(len, seen)) <= 6 * parts + 4  # of one axis, and a slab of the next


def test_slices_of_one_tile_share_batches_whatever_the_slabs(tmp_path: Path) -> None:
    rock, wanted, seen = volume(20, 30, 25), recipe("z"), list[int]()

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(len(x))
            return x

    found = []
    for number, thickest in enumerate((16, 4, 1)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(slabs, "THICKEST", thickest)
            member = Member(Counted(), Fixed())
            found.append(streamed(tmp_path / str(number), rock, [member], wanted))
        # 20 tiles in all: batches of 5; two views
        assert seen == [5] * 2 * {16: 4 + 1, 4: 5, 1: 20}[thickest]
        seen.clear()
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()


def test_N04_the_memory_changes_slabs_and_no_byte(tmp_path: Path) -> None:
    """Slabs are whole chunks of the source where the memory holds them; chunks are decoded once."""
    decoded = list[tuple[int, ...]]()

    class InChunks(ArrayVolume):
        chunk_shape = (16, 16, 16)

        def stamp(self) -> None: ...

        def read(self, region: Region) -> NDArray[Any]:
            spans = [
                range(a // 16, -(-b // 16)) for a, b in zip(region.start, region.stop, strict=True)
            ]
            decoded.extend(itertools.product(*spans))
            return super().read(region)

    rock, wanted = InChunks(volume(48, 32, 40).array, "zyx"), recipe("zyx")
    member, trees = Member(conv(0), Fixed()), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slabs, "BUDGET", 16_000)  # of slices of 5 x 32 x 40 bytes
        assert [slabs.depth(rock, axis, 1) for axis in "zyx"] == [2, 1, 2]
        for memory, times in ((2**20, 3), (310_000, 3), (60_000, None), (None, None)):
            decoded.clear()
            folder = tmp_path / str(memory)
            stream_case(rock, [member], wanted, place=place(folder), device=CPU, memory=memory)
            trees.append(tree(folder / "a.zarr"))
            if times is None:
                assert len(decoded) > 3 * 3 * 2 * 3
            else:
                assert len(decoded) == times * 3 * 2 * 3
    assert trees[0] == trees[1] == trees[2] == trees[3]


def test_the_number_of_threads_changes_no_more_than_rounding(tmp_path: Path) -> None:
    """Convolutions are not promised to be the same to the byte under another number of threads."""
    rock, wanted = volume(11, 40, 37), recipe("zyx", names=3)
    member = Member(nn.Sequential(conv(0, 16), nn.ReLU(), conv(1, 3, 16)), Fixed(scale=255))
    before, found = torch.get_num_threads(), {}
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found[count] = streamed(tmp_path / str(count), rock, [member], wanted)
    finally:
        torch.set_num_threads(before)
    for count in (2, 4):  # stored as float16, whose steps below 1 are 2^-11
        np.testing.assert_allclose(found[count], found[1], rtol=0, atol=2**-11 + 1e-6)


def test_what_was_begun_keeps_its_slabs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B01."""
    monkeypatch.setattr(slabs, "BUDGET", 16_000)
    rock, wanted, member = volume(48, 32, 40), recipe("z"), Member(conv(0), Fixed())
    rows = []
    for memory in (400_000, 20_000, 2**20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ArrayVolume, "chunk_shape", (16, 16, 16), raising=False)
            patch.setattr(ArrayVolume, "stamp", lambda self: None, raising=False)
            if memory == 20_000:
                with pytest.raises(ResourceError, match=r"slabs of 16 slices.*raise --memory"):
                    stream_case(
                        rock, [member], wanted, place=place(tmp_path), device=CPU, memory=memory
                    )
                continue
            stream_case(rock, [member], wanted, place=place(tmp_path), device=CPU, memory=memory)
            rows.append((tmp_path / "work" / LEDGER).read_text())
    assert rows[0] == rows[1]
    assert json.loads(rows[0].splitlines()[0]) == {"plan": "plan", "thick": [16]}


def test_work_of_another_plan_is_begun_anew(tmp_path: Path) -> None:
    """B05."""
    rock, wanted = volume(6, 7, 8), recipe("zy")
    before = streamed(tmp_path, rock, [Member(conv(0), Fixed())], wanted)
    other = Place(tmp_path / "work", tmp_path / "a.zarr", "other plan")
    member = Member(conv(1), Fixed())
    stream_case(rock, [member], wanted, place=other, device=CPU)
    found = Store.open(tmp_path / "a.zarr").read()
    assert not np.array_equal(found, before)
    whole = predict_case(rock, [member], wanted, device=CPU)
    assert_rounded_once(found, whole)


def test_memory_does_not_grow_with_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M03: performance goal 2a: numpy's memory beside the volume itself, at two depths."""
    monkeypatch.setattr(slabs, "BUDGET", 2**20)
    peaks = []
    for depth in (64, 256):
        rock = volume(depth, 48, 48)
        tracemalloc.start()
        streamed_only(tmp_path / str(depth), rock)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 6 * 2**20  # the answer alone is 2.25 MiB in float32, 4 times over


def streamed_only(folder: Path, rock: ArrayVolume) -> None:
    wanted = recipe("zyx", tile=[64, 64])
    stream_case(rock, [Member(conv(0), Fixed())], wanted, place=place(folder), device=CPU)


def test_axes_that_do_not_fit_are_named_before_anything_is_written(tmp_path: Path) -> None:
    rock, members = volume(4, 5, 6), [Member(nn.Identity(), Fixed())]
    flat = recipe("z").model_copy(
        update={"frame": recipe("z").frame.model_copy(update={"slices": None})}
    )
    with pytest.raises(RecipeError, match=r"axes 'zyx'.*frame\.slices"):
        streamed(tmp_path, rock, members, flat)
    with pytest.raises(DataError, match=r"frame\.slices names 't'"):
        streamed(tmp_path, rock, members, recipe("t"))
    assert not list(tmp_path.iterdir())
