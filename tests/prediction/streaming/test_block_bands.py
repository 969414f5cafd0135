"""Volumes answered in blocks, band by band: the same bytes as in memory, killed or not."""

from __future__ import annotations

import multiprocessing
import signal
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.data.prepare.spaced import Spaced
from lamina.geometry.region import Region
from lamina.prediction.engine import (
    Member,
    answering,
    job_of,
    plan_case,
    predict_case,
    stream_case,
)
from lamina.prediction.streaming import row_bands as bands
from lamina.prediction.streaming import row_cache as ahead
from lamina.prediction.streaming.row_bands import thickness
from lamina.prediction.streaming.units.held_bytes import held_bytes
from lamina.prediction.streaming.zarr_store import Store
from lamina.recipe.recipe import Recipe
from lamina.volume import ArrayVolume
from tests.factories.blocks import conv, place, recipe, scan, tree
from tests.tolerance import assert_rounded_once

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

CPU = torch.device("cpu")


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_PLANES", 4)


def streamed(folder: Path, case: Case, members: list[Member], wanted: Recipe) -> NDArray[Any]:
    where = place(folder, dtype=np.float32)
    stream_case(case, members, wanted, place=where, device=CPU, batch=3)
    return Store.open(folder / "a.zarr").read()


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(1, 21), st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from([1, 2, 8, 64]),
    st.sampled_from([1, 2**9, 2**11, 2**28]),
    st.sampled_from(["moved", "beyond"]),
    st.sampled_from([0.0, 0.5, (0.5, 0.25, 0.7)]),
    st.sampled_from(["zyx", "xyz"]),
)
def test_it_is_the_answer_in_memory_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    thick: int,
    budget: int,
    border: str,
    overlap: Any,
    axes: str,
) -> None:
    case = scan(*shape, axes=axes)
    wanted = recipe(names=3, border_tiles=border, overlap=overlap)
    members = [Member(conv(0, 3), PerCase(how="standard"))]
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "_PLANES", thick)
        patch.setattr(ahead, "BUDGET", budget)
        found = streamed(tmp_path_factory.mktemp("s"), case, members, wanted)
    np.testing.assert_array_equal(found, whole)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(st.integers(1, 17), st.integers(1, 14), st.integers(1, 14)),
    st.sampled_from([(2, 1, 1), (0.5, 1, 1), (0.3, 2, 0.7), (1, 1, 1.5)]),
    st.sampled_from([1, 2, 8, 64]),
    st.sampled_from(["zyx", "xyz"]),
    st.sampled_from([1, 2]),
)
def test_a_resampled_volume_is_answered_on_its_own_grid(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, int, int],
    spacing: tuple[float, float, float],
    thick: int,
    axes: str,
    count: int,
) -> None:
    image = Spaced(scan(*shape, axes=axes).image, spacing)
    wanted = recipe(names=2, views="as_is", overlap=0.5)
    frame = wanted.frame.model_copy(update={"spacing": (1.0, 1.0, 1.0)})
    wanted = wanted.model_copy(update={"frame": frame})
    members = [Member(conv(n, 2), PerCase(how="standard")) for n in range(count)]
    whole = predict_case(Case("a", "a", image), members, wanted, device=CPU, batch=3)
    assert whole.shape == (2, *shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "_PLANES", thick)
        found = streamed(tmp_path_factory.mktemp("s"), Case("a", "a", image), members, wanted)
        again = bands.Bands(image, None, 2, place(Path("nowhere")))
        last, job = bands.bands(image.shape, 2)[-1], job_of(members, wanted, CPU, None, 3)
        with answering(job):  # as a run that was killed goes on
            planes = again._answer(job, last, Region.whole(image.shape[1:]))
    np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(planes, found[:, last.start :])


def test_what_is_predicted_is_the_resampled_volume(tmp_path: Path) -> None:
    """An identity returns the volume, interpolated there and back."""
    shape, small = (6, 8, 10), (3, 8, 10)
    values = np.repeat(np.random.default_rng(0).random((1, *small), np.float32), 2, 1)
    image = Spaced(ArrayVolume(values, "zyx"), (1, 1, 1))
    wanted = recipe(views="as_is")
    frame = wanted.frame.model_copy(update={"spacing": (2.0, 1.0, 1.0)})
    wanted = wanted.model_copy(update={"frame": frame})
    members = [Member(nn.Identity(), Fixed(scale=1))]
    whole = predict_case(image, members, wanted, device=CPU)
    seen = 1 / (1 + np.exp(-values[:, ::2]))  # means of equal planes
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(seen)[None], shape, mode="trilinear", align_corners=False
    )[0]
    np.testing.assert_allclose(whole, expected.numpy(), atol=1e-5)


def test_memory_of_a_resampled_volume_is_within_what_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bands, "_PLANES", 8)
    peaks = []
    wanted = recipe(size=(8, 32, 32), views="as_is", overlap=0)
    frame = wanted.frame.model_copy(update={"spacing": (1.0, 1.0, 1.0)})
    wanted = wanted.model_copy(update={"frame": frame})
    for depth in (32, 128):
        image = Spaced(scan(depth, 96, 96).image, (2, 1.5, 1))
        tracemalloc.start()
        where = place(tmp_path / str(depth))
        members = [Member(nn.Identity(), Fixed(scale=255))]
        stream_case(Case("a", "a", image), members, wanted, place=where, device=CPU, batch=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    seen = (2 * 128, 144, 96)
    assert peaks[1] < held_bytes(image, 1, [8], [seen]) + 2**21


def test_members_with_tiles_of_their_own_are_joined(tmp_path: Path, thin: None) -> None:
    case, wanted = scan(13, 18, 20), recipe()
    tiles = [(4, 8, 8), (6, 12, 8)]
    members = [
        Member(conv(n), Fixed(scale=255), 1.0 + n, tile=tile) for n, tile in enumerate(tiles)
    ]
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    where = place(tmp_path)
    stream_case(case, members, wanted, place=where, device=CPU, batch=3)
    assert_rounded_once(Store.open(where.store).read(), whole)


def test_every_voxel_is_read_once(tmp_path: Path, thin: None) -> None:
    reads: list[Region] = []

    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            reads.append(region)
            return super().read(region)

    shape = (13, 18, 20)
    pixels = scan(*shape).image.read(Region.whole(shape))
    watched = Case("a", "a", Watched(pixels, "zyx"))
    streamed(tmp_path, watched, [Member(conv(0), Fixed())], recipe(overlap=0.5))
    count = np.zeros(shape, int)
    for region in reads:
        count[region.slices] += 1
    np.testing.assert_array_equal(count, 1)


@pytest.mark.parametrize(
    ("point", "passage"),
    [("slab.before_ledger", 2), ("slab.after_ledger", 1), ("store.after_chunk", 2)],
)
def test_killed_between_bands_and_run_again_it_gives_the_same_bytes(
    tmp_path: Path, point: str, passage: int, monkeypatch: pytest.MonkeyPatch, thin: None
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
        kwargs={"place": where, "device": CPU, "batch": 3},
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    tick = counts.append
    stream_case(case, members, wanted, place=where, device=CPU, batch=3, progress=tick)
    assert tree(where.store) == tree(tmp_path / "whole" / "a.zarr")
    assert sum(counts) == 4  # bands of 4 planes


def test_memory_does_not_grow_with_the_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numpy's memory beside the volume itself, at two depths, within what is promised."""
    monkeypatch.setattr(bands, "_PLANES", 8)
    peaks = []
    wanted = recipe(size=(8, 32, 32), views="as_is", overlap=0)
    for depth in (64, 256):
        case = scan(depth, 128, 128)
        tracemalloc.start()
        where = place(tmp_path / str(depth))
        members = [Member(nn.Identity(), Fixed(scale=255))]
        stream_case(case, members, wanted, place=where, device=CPU, batch=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < held_bytes(case.image, 1, [8]) + 2**21  # the answer alone is 16 MiB


def test_the_plan_says_what_it_will_take() -> None:
    case, wanted = scan(13, 18, 20), recipe()
    member = Member(conv(0), Fixed(scale=255))
    where = place(Path("nowhere"))
    plan = plan_case(case.image, [member], wanted, device=CPU, place=where)
    assert plan.tiles == 6 * 4 * 4 * 8  # starts 0 to 9, 0 to 10, 0 to 12; eight views
    assert plan.slabs == {"z": 13}
    assert plan.memory == held_bytes(case.image, 1, [4])
    assert plan.kept == 2 * 13 * 18 * 20
    assert "13 x 18 x 20" in plan.lines()[0]


@pytest.mark.parametrize(
    ("shape", "outputs", "planes"),
    [((512, 512, 512), 2, 16), ((9, 64, 64), 1, 64), ((9, 4096, 4096), 1, 1)],
)
def test_how_many_planes_a_band_has(shape: tuple[int, ...], outputs: int, planes: int) -> None:
    assert thickness(shape, outputs) == planes
