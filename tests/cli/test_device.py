"""Words after --device."""

from __future__ import annotations

import ctypes
import importlib.metadata
import sys

import pytest

from lamina.cli.device import check_device, check_devices
from lamina.errors import RecipeError


@pytest.mark.parametrize("name", ["auto", "cpu", "mps"])
def test_words_that_torch_may_still_refuse(name: str) -> None:
    check_device(name)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "", "0", "CUDA"])
def test_words_that_are_no_device(name: str) -> None:
    with pytest.raises(RecipeError, match=rf"--device is '{name}'; it must be auto, cpu, cuda"):
        check_device(name)


def _installed(monkeypatch: pytest.MonkeyPatch, build: str, *, driver: bool) -> None:
    def library(name: str) -> None:
        if not driver:
            raise OSError(name)

    monkeypatch.setattr(importlib.metadata, "version", lambda _: build)
    monkeypatch.setattr(ctypes, "CDLL", library)
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize(
    ("build", "driver", "said"),
    [
        ("2.10.0+cpu", True, "torch 2.10.0[+]cpu is built for CPUs only; pass --device auto"),
        ("2.10.0", False, "no NVIDIA driver is installed; pass --device auto"),
    ],
)
def test_where_there_can_be_no_gpu(
    monkeypatch: pytest.MonkeyPatch, build: str, driver: bool, said: str
) -> None:
    _installed(monkeypatch, build, driver=driver)
    for name in ("cuda", "cuda:1"):
        with pytest.raises(RecipeError, match=f"--device is '{name}', and {said}"):
            check_device(name)
    check_device("cpu")


def test_several_devices_are_checked_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, "2.10.0+cpu", driver=True)
    check_devices("cpu:2", "auto")
    check_devices(None, "cpu")
    for names in ("all", "0,1", "cuda:1"):
        with pytest.raises(RecipeError, match="built for CPUs only; write processes such as cpu:2"):
            check_devices(names, "auto")
    with pytest.raises(RecipeError, match="--devices is 'gpu'; write GPUs by number"):
        check_devices("gpu", "auto")
    with pytest.raises(RecipeError, match="--device and --devices are both given"):
        check_devices("cpu:2", "cpu")
    with pytest.raises(RecipeError, match="--device is 'gpu'"):
        check_devices(None, "gpu")


@pytest.mark.parametrize(("build", "driver"), [("2.10.0", True), ("2.10.0+rocm6.4", False)])
def test_where_torch_must_tell(monkeypatch: pytest.MonkeyPatch, build: str, driver: bool) -> None:
    _installed(monkeypatch, build, driver=driver)
    check_device("cuda")
