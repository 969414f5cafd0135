"""Large images answered band by band: the same as in memory, whatever their size, killed or not."""

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
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed, PerCase
from lamina.errors import ResourceError
from lamina.files import digest
from lamina.geometry.region import Region
from lamina.prediction.engine import Member, Place, can_stream, predict_case, stream_case
from lamina.prediction.streaming import row_bands as bands
from lamina.prediction.streaming import row_cache as ahead
from lamina.prediction.streaming.row_bands import is_large, thickness
from lamina.prediction.streaming.units.held_bytes import held_bytes
from lamina.prediction.streaming.units.ledger import LEDGER
from lamina.prediction.streaming.zarr_store import Store
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Calibration
from lamina.volume import ArrayVolume
from tests.tolerance import assert_rounded_once

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked

CPU = torch.device("cpu")
LOGITS = {"views": "logit", "tiles": "logit", "members": "logit"}


@pytest.fixture
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "_THICKEST", 16)


def conv(seed: int, outputs: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Conv2d(2, outputs, 3, padding=1)


def recipe(*, names: int = 1, pad: str = "around", **options: object) -> Recipe:
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
            "frame": {"size": [32, 32], "channels": 2, "pad": pad},
            "predict": {"views": "flip_x", "window": "spline", "only_valid": True, **options},
        }
    )


def fragment(height: int, width: int, *, masked: bool = True) -> Case:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 65536, (2, height, width)).astype(np.uint16)
    mask = np.zeros((1, height, width), np.uint8)
    mask[0, height // 4 :, : width // 2 + 1] = 1
    mask[0, 0, width - 1] = 1
    return Case("a", "a", ArrayVolume(pixels), valid=ArrayVolume(mask) if masked else None)


def place(folder: Path, **more: Any) -> Place:
    return Place(folder / "work", folder / "a.zarr", "plan", **more)


def streamed(folder: Path, case: Case, members: list[Member], wanted: Recipe) -> NDArray[Any]:
    stream_case(case, members, wanted, place=place(folder), device=CPU, batch=3)
    return Store.open(folder / "a.zarr").read()


MEANS: list[dict[str, Any]] = [
    {},
    {"mean_of": {"views": "logit"}, "rounding": "uint8"},
    {"mean_of": LOGITS},
    {"mean_of": LOGITS | {"members": "cubic"}},
]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 140),
    st.integers(1, 90),
    st.sampled_from([16, 32]),
    st.sampled_from([1, 2**12, 2**14, 2**28]),
    st.sampled_from(MEANS),
    st.sampled_from(["moved", "beyond"]),
    st.sampled_from([0.0, 0.5, 0.7]),
    st.booleans(),
    st.integers(1, 2),
    st.booleans(),
)
def test_it_is_the_answer_in_memory_rounded_once(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    thick: int,
    budget: int,
    means: dict[str, Any],
    border: str,
    overlap: float,
    masked: bool,
    count: int,
    calibrated: bool,
) -> None:
    case = fragment(height, width, masked=masked)
    wanted = recipe(names=3, border_tiles=border, overlap=overlap, **means)
    tiles = [(32, 32), (48, 40)]
    curves = (Calibration(slope=0.7, shift=-1), Calibration(), Calibration(shift=2))
    members = [
        Member(
            conv(n, 3),
            PerCase(how="standard"),
            1.0 + n,
            tile=tiles[n],
            calibration=curves if calibrated else (),
        )
        for n in range(count)
    ]
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "_THICKEST", thick)
        patch.setattr(ahead, "BUDGET", budget)
        found = streamed(tmp_path_factory.mktemp("s"), case, members, wanted)
    assert_rounded_once(found, whole)


def test_members_of_one_lattice_differ_from_memory_by_rounding(tmp_path: Path, thin: None) -> None:
    case, wanted = fragment(100, 70), recipe()
    members = [Member(conv(n), Fixed(scale=65536)) for n in range(3)]
    whole = predict_case(case, members, wanted, device=CPU, batch=3)
    found = streamed(tmp_path, case, members, wanted)
    np.testing.assert_allclose(found, whole, atol=5e-4)  # of float16
    assert np.mean(found != whole.astype(np.float16)) < 0.01


def test_every_pixel_is_read_once(tmp_path: Path, thin: None) -> None:
    reads: list[Region] = []

    class Watched(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            reads.append(region)
            return super().read(region)

    case = fragment(100, 70, masked=False)
    watched = Case("a", "a", Watched(case.image.read(Region.whole((100, 70)))))
    streamed(tmp_path, watched, [Member(conv(0), Fixed())], recipe(overlap=0.5))
    count = np.zeros((100, 70), int)
    for region in reads:
        count[region.slices] += 1
    np.testing.assert_array_equal(count, 1)
    assert max(region.shape[0] for region in reads) <= 32


POINTS = [
    *[("slab.before_ledger", n) for n in (1, 3, 7)],
    *[("slab.after_ledger", n) for n in (1, 4, 6)],
    *[("store.after_chunk", n) for n in (1, 3)],
]


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("point", "passage"), POINTS)
def test_killed_anywhere_and_run_again_it_gives_the_same_bytes(
    tmp_path: Path, point: str, passage: int, monkeypatch: pytest.MonkeyPatch, thin: None
) -> None:
    """B01, B02, N09."""
    case, wanted, counts = fragment(100, 70), recipe(), list[int]()
    members = [Member(conv(n), Fixed(scale=65536)) for n in range(2)]
    streamed(tmp_path / "whole", case, members, wanted)
    monkeypatch.setenv("LAMINA_FAULT", f"{point}:{passage}")
    child = multiprocessing.get_context("fork").Process(
        target=stream_case,
        args=(case, members, wanted),
        kwargs={"place": place(tmp_path / "killed"), "device": CPU, "batch": 3},
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    stream_case(
        case,
        members,
        wanted,
        place=place(tmp_path / "killed"),
        device=CPU,
        batch=3,
        progress=counts.append,
    )
    assert tree(tmp_path / "killed" / "a.zarr") == tree(tmp_path / "whole" / "a.zarr")
    assert sum(counts) == 7  # bands of 16 rows


def test_what_is_done_is_not_done_again_and_what_is_damaged_is(tmp_path: Path, thin: None) -> None:
    """B03, B04."""
    case, wanted, passes = fragment(100, 70, masked=False), recipe(overlap=0), list[int]()

    class Counted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            passes.append(len(x))
            return x[:, :1]

    def again() -> tuple[int, NDArray[Any]]:
        passes.clear()
        found = streamed(tmp_path, case, [Member(Counted(), Fixed(scale=65536))], wanted)
        return len(passes) // 2, found  # two views

    first, before = again()
    assert first == 4  # of 4 x 3 tiles, 3 at a time
    assert again()[0] == 0
    chunk = tmp_path / "a.zarr/c/0/2/0"  # rows 32 to 47
    chunk.write_bytes(chunk.read_bytes()[:-1])
    number, found = again()
    assert number == 1
    np.testing.assert_array_equal(found, before)
    ledger = tmp_path / "work" / LEDGER
    rows = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(row for row in rows if '"start": 96' not in row))
    assert again()[0] == 1  # only the last tiles, moved back to row 68, reach beyond row 95


def test_M05_batches_shrink_until_they_fit(tmp_path: Path, thin: None) -> None:
    class Hungry(nn.Module):
        most, seen = 1, 0

        def forward(self, x: Tensor) -> Tensor:
            type(self).seen += 1
            if len(x) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return x[:, :1]

    case, wanted = fragment(100, 70), recipe()
    member = Member(Hungry(), Fixed(scale=65536))
    found = streamed(tmp_path / "a", case, [member], wanted)
    whole = predict_case(case, [member], wanted, device=CPU, batch=1)
    assert_rounded_once(found, whole)
    Hungry.most = 0
    with pytest.raises(ResourceError, match="32 x 32 pixels"):
        streamed(tmp_path / "b", case, [member], wanted)


def test_memory_does_not_grow_with_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M03: INK: numpy's memory beside the image itself, at two heights, within what is promised."""
    monkeypatch.setattr(bands, "_THICKEST", 32)
    peaks = []
    for height in (256, 1024):
        case = fragment(height, 512)
        tracemalloc.start()
        stream_case(
            case,
            [Member(conv(0), Fixed(scale=65536))],
            recipe(),
            place=place(tmp_path / str(height)),
            device=CPU,
            batch=1,
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
    assert peaks[1] < held_bytes(case.image, 1, [32]) + 2**20  # the answer alone is 2 MiB


def test_what_is_large_and_how_thick_bands_are() -> None:
    assert not is_large((4096, 4096), 1)
    assert is_large((4096, 4097), 1)
    assert is_large((4096, 2049), 2)
    assert not is_large((300, 4096, 4096), 1)
    assert [thickness((9, width), 1) for width in (100, 65536, 65537, 10**7)] == [256, 256, 128, 16]
    plain = recipe().frame
    resized = plain.model_copy(update={"resize": (64, 64)})
    assert can_stream((8000, 8000), [plain], 1)
    assert not can_stream((8000, 8000), [plain, resized], 1)
