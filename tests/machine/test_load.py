"""Shares between 0 and 1, at most one look every two seconds, and what the driver says of GPUs."""

from __future__ import annotations

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


def test_without_a_driver_there_are_no_gpus() -> None:
    assert list(gpus("libno-such-library.so")) == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_each_gpu_has_its_name_and_shares() -> None:
    held = torch.zeros(64, 1024, 1024, device="cuda")
    found = list(gpus())
    assert {torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())} <= {
        gpu["name"] for gpu in found
    }
    assert all(gpu["share"] is None or 0 <= gpu["share"] <= 1 for gpu in found)
    used = [gpu["memory"] for gpu in found if gpu["memory"] is not None]
    assert max(used) >= held.nbytes / torch.cuda.get_device_properties(0).total_memory
