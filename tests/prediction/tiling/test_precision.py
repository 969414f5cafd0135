"""Device and number type: what was asked for, or what this processor is fast at."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lamina.errors import RecipeError
from lamina.prediction.tiling.precision import choose, choose_device, explain, fast_on_cpu, name_of

CPU = torch.device("cpu")


def test_what_is_asked_for_is_given() -> None:
    assert choose("float32", CPU) is None
    assert choose("bfloat16", CPU) is torch.bfloat16
    assert choose("float16", CPU) is torch.float16


@pytest.mark.parametrize(
    ("flags", "found"),
    [("avx512f avx512_bf16", "avx512_bf16"), ("amx_bf16 avx512_bf16", "amx_bf16"), ("avx2", None)],
)
def test_auto_follows_the_flags_of_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, found: str | None
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert fast_on_cpu(tmp_path / "cpuinfo") == found
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert fast_on_cpu(tmp_path / "cpuinfo") is None


def test_without_a_list_of_flags_it_is_float32(tmp_path: Path) -> None:
    assert fast_on_cpu(tmp_path / "nothing") is None


def test_auto_agrees_with_the_sentence() -> None:
    found = choose("auto", CPU)
    assert found is (torch.bfloat16 if fast_on_cpu() else None)
    assert name_of(found) in explain(found, CPU)


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=f"--device is '{name}'"):
        choose_device(name)


def test_auto_finds_some_device() -> None:
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_device("cpu") == CPU
