"""Words of ``--devices``: what they mean, what is refused, and what a process gets of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from lamina.errors import RecipeError
from lamina.machine.cores import allowed_cores
from lamina.machine.device_names import DeviceName, devices_of, refuse_missing


@pytest.mark.parametrize(
    ("wish", "found"),
    [
        ("0,1", ["cuda:0", "cuda:1"]),
        ("3", ["cuda:3"]),
        ("cuda:1, 0", ["cuda:1", "cuda:0"]),
        (("cuda:0", "cuda:2"), ["cuda:0", "cuda:2"]),
        ("cpu:3", ["cpu:0", "cpu:1", "cpu:2"]),
        ("cpu", ["cpu:0"]),
    ],
)
def test_what_words_mean(wish: str | Sequence[str], found: list[str]) -> None:
    assert [str(device) for device in devices_of(wish)] == found


@pytest.mark.parametrize(
    "wish", ["", "gpu", "0,cpu:2", "cpu:0", "0,,1", "cpu:2,cpu:2", "-1", "mps"]
)
def test_what_means_no_device_is_refused_with_what_does(wish: str) -> None:
    with pytest.raises(RecipeError, match="such as 0,1, all for every GPU, or processes"):
        devices_of(wish)


def test_a_device_is_named_once() -> None:
    with pytest.raises(RecipeError, match="names a device twice"):
        devices_of("1,0,1")


def test_gpus_that_are_not_there_are_refused() -> None:
    with pytest.raises(RecipeError, match="names cuda:0, cuda:97, and torch sees"):
        refuse_missing(devices_of("0,97"))
    with pytest.raises(
        RecipeError, match=f"names all, and torch sees {torch.cuda.device_count()} CUDA"
    ):
        refuse_missing([])
    refuse_missing(devices_of("cpu:2"))


def test_a_process_sees_only_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the numbers of this process, which itself may see only some of the machine's."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    device = DeviceName("cuda", 1)
    assert device.variables(2)["CUDA_VISIBLE_DEVICES"] == "1"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-2f")
    assert device.variables(2)["CUDA_VISIBLE_DEVICES"] == "GPU-2f"
    assert (device.inside, device.here) == ("cuda:0", "cuda:1")
    cpu = DeviceName("cpu", 1)
    assert (cpu.inside, cpu.here) == ("cpu", "cpu")
    assert "CUDA_VISIBLE_DEVICES" not in cpu.variables(2)


def test_processes_share_the_cores_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    device = DeviceName("cpu", 0)
    assert device.variables(1)["OMP_NUM_THREADS"] == str(allowed_cores())
    assert device.variables(10**6)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert device.variables(2) == {}
