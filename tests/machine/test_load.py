"""Shares between 0 and 1, at most one look every two seconds, and what the driver says of GPUs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
import torch

from lamina.machine.load import Load, gpus


def test_shares_are_known_from_the_second_look_on(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("lamina.machine.load.time.monotonic", lambda: now[0])
    watched = Load()
    first = watched.now()
    assert first["cpu"] is None
    assert 0 < first["memory"] <= 1
    assert watched.now() is first
    now[0] += 3
    second = watched.now()
    assert 0 <= second["cpu"] <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a driver")
def test_without_a_driver_there_are_no_gpus_and_no_error() -> None:
    with pytest.raises(pynvml.NVMLError):
        pynvml.nvmlInit()
    assert gpus() == []
    assert Load().now()["unasked"] is None


def test_without_the_library_the_page_says_what_to_install_where_there_is_a_driver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr("lamina.machine.load._DRIVER", tmp_path / "version")
    assert Load().now()["gpus"] == []
    assert Load().now()["unasked"] is None
    (tmp_path / "version").touch()
    assert "pip install 'lamina[gpu]'" in Load().now()["unasked"]


def test_what_a_driver_does_not_tell_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three GPUs one is lost, and one is cut in parts, of which no share of time is told."""
    memory = SimpleNamespace(used=3 << 30, total=12 << 30)
    told = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 3,
        "nvmlDeviceGetHandleByIndex": lambda n: n or _raise(pynvml.NVML_ERROR_GPU_IS_LOST),
        "nvmlDeviceGetName": lambda n: f"card {n}",
        "nvmlDeviceGetUtilizationRates": lambda n: (
            SimpleNamespace(gpu=40) if n == 1 else _raise(pynvml.NVML_ERROR_NOT_SUPPORTED)
        ),
        "nvmlDeviceGetMemoryInfo": lambda n: memory,
    }
    for name, answer in told.items():
        monkeypatch.setattr(pynvml, name, answer)
    assert gpus() == [
        {"name": "card 1", "share": 0.4, "memory": 0.25},
        {"name": "card 2", "share": None, "memory": 0.25},
    ]


def _raise(code: int) -> None:
    raise pynvml.NVMLError(code)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_each_gpu_has_its_name_and_shares() -> None:
    held = torch.zeros(64, 1024, 1024, device="cuda")
    found = gpus()
    assert {torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())} <= {
        gpu["name"] for gpu in found
    }
    assert all(gpu["share"] is None or 0 <= gpu["share"] <= 1 for gpu in found)
    used = [gpu["memory"] for gpu in found if gpu["memory"] is not None]
    assert max(used) >= held.nbytes / torch.cuda.get_device_properties(0).total_memory
