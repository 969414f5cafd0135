"""What processes have in their environment, and which GPU they see."""

from __future__ import annotations

import os

import pytest

from lamina.machine.environment import only_gpu, started_with


def test_the_environment_of_a_process_is_its_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAMINA_A", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = dict(os.environ)
    with started_with({"LAMINA_A": "1", "OMP_NUM_THREADS": "9"}):
        assert (os.environ["LAMINA_A"], os.environ["OMP_NUM_THREADS"]) == ("1", "9")
    assert dict(os.environ) == before
    with pytest.raises(RuntimeError, match="no process"), started_with({"LAMINA_A": "1"}):
        raise RuntimeError("no process")
    assert dict(os.environ) == before


def test_a_gpu_is_counted_among_those_that_this_process_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert only_gpu(1) == {"CUDA_VISIBLE_DEVICES": "1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-2f")
    assert [only_gpu(n)["CUDA_VISIBLE_DEVICES"] for n in (0, 1)] == ["5", "GPU-2f"]
