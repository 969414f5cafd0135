"""W01, W02, W04, W05: weights are safetensors, whole and finite, and belong to the network."""

from __future__ import annotations

import io
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lamina.bundle.tensors import fill, read_tensors, write_tensors
from lamina.errors import BundleError

GOOD = write_tensors({"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(0, dtype=torch.int64)})


def test_there_and_back_whatever_the_order_and_layout() -> None:
    x = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    found = read_tensors(write_tensors({"x": x, "n": torch.tensor(3)}), "here")
    assert torch.equal(found["x"], x)
    assert found["n"].item() == 3
    assert write_tensors({"n": torch.tensor(3), "x": x}) == write_tensors(
        {"x": x.contiguous(), "n": torch.tensor(3)}
    )


class Payload:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, (str(self.canary),))


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(BundleError):
        read_tensors(pickle.dumps(Payload(canary), protocol), "evil.safetensors")
    assert not canary.exists()


def test_a_checkpoint_of_torch_is_refused_by_name() -> None:
    stream = io.BytesIO()
    torch.save({"a": torch.zeros(2)}, stream)
    with pytest.raises(BundleError, match="pickled weights"):
        read_tensors(stream.getvalue(), "x.pth")


def test_pickle_bytes_in_a_metadata_string_stay_text(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    header = {"__metadata__": {"x": pickle.dumps(Payload(canary), 0).decode("latin-1")}}
    text = json.dumps(header).encode()
    assert read_tensors(len(text).to_bytes(8, "little") + text, "x") == {}
    assert not canary.exists()


@pytest.mark.parametrize("cut", [0, 4, 8, 20, len(GOOD) - 1])
def test_a_cut_file_is_refused(cut: int) -> None:
    with pytest.raises(BundleError):
        read_tensors(GOOD[:cut], "cut")


def header_only(**tensors: object) -> bytes:
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text + bytes(64)


@pytest.mark.parametrize(
    "data",
    [
        (2**63).to_bytes(8, "little") + bytes(100),
        (11 * 2**20).to_bytes(8, "little") + b" " * (11 * 2**20),
        header_only(a={"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}),
        header_only(a={"dtype": "F32", "shape": [16], "data_offsets": [0, 60]}),
        header_only(
            a={"dtype": "F32", "shape": [8], "data_offsets": [0, 32]},
            b={"dtype": "F32", "shape": [16], "data_offsets": [0, 64]},
        ),
        header_only(a={"dtype": "os.system", "shape": [16], "data_offsets": [0, 64]}),
        header_only(**{str(n): {} for n in range(100_001)}),
        (2).to_bytes(8, "little") + b"[]",
    ],
)
def test_absurd_headers_are_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        read_tensors(data, "absurd")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(BundleError, match="'w' holds NaN or infinity"):
        read_tensors(write_tensors({"w": torch.tensor([1.0, value])}), "x")


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_gives_tensors_or_a_bundle_error(at: int, change: int) -> None:
    data = bytearray(GOOD)
    data[at] ^= change
    try:
        found = read_tensors(bytes(data), "x")
    except BundleError:
        return
    assert all(isinstance(value, Tensor) for value in found.values())


def test_weights_that_do_not_belong_are_listed_one_by_one() -> None:
    network = nn.Linear(3, 2)
    with pytest.raises(BundleError) as caught:
        fill(network, {"weight": torch.zeros(2, 4), "scale": torch.zeros(1)}, "x.safetensors")
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("x.safetensors: these weights do not belong")
    assert [line.split()[0] for line in lines[1:]] == ["missing", "unknown", "shape"]
    assert "file (2, 4), network (2, 3)" in lines[3]


def test_weights_that_belong_are_put_in() -> None:
    network = nn.Linear(3, 2)
    fill(network, {"weight": torch.ones(2, 3), "bias": torch.zeros(2)}, "x")
    assert network(torch.ones(3)).tolist() == [3, 3]
