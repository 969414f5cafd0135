"""Limits of the machine: open files, rights, memory over time, very many files."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zarr
from PIL import Image

from lamina.data.readers import look_below
from lamina.errors import RecipeError
from lamina.files import digest
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.run import predict
from lamina.prediction.tiling.memory import used_memory
from lamina.volume import ArrayVolume


def open_many(count: int) -> None:
    """Have so many files open at once."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(Path(os.devnull).open())


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Let this process open so many files beyond those it has open, for the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    most = next(n for n in range(hard) if n - sum(one < n for one in taken) == count)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_m09_hundreds_of_chunks_within_few_open_files(make: Any, tmp_path: Path) -> None:
    """M09: with 64 descriptors left a volume of 512 chunks is read, and its answer written."""
    frame = {**make.recipe().frame.model_dump(mode="json"), "slices": {"axes": "z"}}
    make.bundle(frame=frame).save(tmp_path / "bundle")
    values = np.random.default_rng(0).integers(0, 256, (8, 32, 32), np.uint8)
    array = zarr.create_array(
        tmp_path / "v.zarr", shape=values.shape, chunks=(1, 4, 4), dtype=values.dtype, fill_value=0
    )
    array[...] = values
    assert sum(one.is_file() for one in (tmp_path / "v.zarr" / "c").rglob("*")) == 512
    with descriptors_left(64):
        with pytest.raises(OSError, match="Too many open files"):
            open_many(80)
        found = predict(tmp_path / "bundle", tmp_path / "v.zarr", tmp_path / "pred", device="cpu")
    assert found.predicted == 1


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder below which anybody may look, unlike that of a test."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_m10_an_output_folder_without_rights_is_refused_and_inputs_are_left_alone(
    make: Any, open_folder: Path
) -> None:
    """M10: exit 2 at once, named; no file of bundle and images changes."""
    make.bundle().save(open_folder / "bundle")
    (open_folder / "in").mkdir()
    Image.fromarray(np.zeros((40, 50), np.uint8)).save(open_folder / "in" / "a.png")
    closed = open_folder / "closed"
    closed.mkdir(mode=0o555)
    before = digest(open_folder)
    words = (open_folder / "bundle", open_folder / "in")
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # the superuser may write anywhere
    try:
        for out in (closed, closed / "deep" / "er"):
            with pytest.raises(RecipeError, match=r"cannot be written \(Permission denied.*choose"):
                predict(*words, out, device="cpu")
    finally:
        if user == 0:
            os.seteuid(user)
    assert digest(open_folder) == before
    predict(*words, open_folder / "pred", device="cpu")
    left = {path.name for path in open_folder.iterdir()}
    assert left == {"bundle", "in", "closed", "pred"}
    assert [path.name for path in (open_folder / "in").iterdir()] == ["a.png"]


def test_m12_memory_does_not_grow_over_thousands_of_tiles(make: Any) -> None:
    """M12: 3200 tiles through a network; after warming up the process holds no more."""
    bundle = make.bundle(predict={"overlap": 0.5})
    member = Member(bundle.network(0), bundle.members[0].normalise)
    image = ArrayVolume(np.random.default_rng(0).integers(0, 256, (1, 272, 272), np.uint8), "yx")

    def some(times: int) -> int:
        for _ in range(times):
            predict_case(image, [member], bundle.recipe, device=torch.device("cpu"), batch=8)
        return used_memory()

    warm = some(4)
    assert some(8) < warm * 1.05 + 2**24


def test_i23_very_many_files_are_listed_within_seconds(tmp_path: Path) -> None:
    """I23: 100,000 names in less than a minute and 300 MB."""
    for folder in range(100):
        inside = tmp_path / f"d{folder}"
        inside.mkdir()
        (inside / "0.png").touch()
        for number in range(1, 1000):
            os.link(f"{inside}/0.png", f"{inside}/{number}.png")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.monotonic()
    found = look_below(tmp_path)
    assert time.monotonic() - begun < 60
    assert len(found.images) == 100_000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 300 * 2**20
