"""Device and number type: what was asked for, or what this processor is fast at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lamina.errors import RecipeError
from lamina.model.memory_layout import lay_out
from lamina.model.networks import Smp
from lamina.prediction.tiling.precision import (
    bfloat16_instructions,
    cast_weights,
    choose,
    choose_device,
    explain,
    fast_on_cpu,
    float32_products,
    name_of,
    same_arithmetic,
    uses_tf32,
)

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


def of_torch() -> list[str]:
    backends: Any = torch.backends
    places = (backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul)
    return [place.fp32_precision for place in places]


def test_what_is_asked_for_is_given() -> None:
    assert choose("float32", CPU) is None
    assert choose("tf32", CPU) is None
    assert choose("bfloat16", CPU) is torch.bfloat16
    assert choose("float16", CPU) is torch.float16


@pytest.mark.parametrize(
    ("maker", "flags", "has", "fast"),
    [
        ("AuthenticAMD", "avx512f avx512_bf16", "avx512_bf16", "avx512_bf16"),
        ("GenuineIntel", "amx_bf16 avx512_bf16", "amx_bf16", "amx_bf16"),
        ("GenuineIntel", "avx512f avx512_bf16", "avx512_bf16", None),
        ("AuthenticAMD", "avx2", None, None),
    ],
)
def test_auto_follows_the_flags_of_the_processor(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    maker: str,
    flags: str,
    has: str | None,
    fast: str | None,
) -> None:
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {maker}\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert bfloat16_instructions(tmp_path / "cpuinfo") == has
    assert fast_on_cpu(tmp_path / "cpuinfo") == fast
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    assert bfloat16_instructions(tmp_path / "cpuinfo") is None
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


@pytest.mark.parametrize(
    ("precision", "wanted"),
    [("float32", "ieee"), ("tf32", "tf32"), ("auto", "ieee"), ("bfloat16", "ieee")],
)
def test_float32_is_rounded_on_a_gpu_only_where_tf32_is_asked_for(
    precision: str, wanted: str
) -> None:
    """By itself torch rounds convolutions; the settings are put back, after an error too."""
    before = of_torch()
    assert before[0] == "tf32"

    def interrupted() -> None:
        with float32_products(GPU, precision):
            assert of_torch() == [wanted] * 3
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        interrupted()
    assert of_torch() == before
    with float32_products(CPU, precision):
        assert of_torch() == before


def test_a_prediction_on_a_gpu_tries_no_algorithms() -> None:
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    with same_arithmetic(GPU, "float32"):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
        assert of_torch() == ["ieee"] * 3
    assert (cudnn.benchmark, cudnn.deterministic) == before


def test_tf32_is_noted_where_a_gpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not uses_tf32(CPU, "tf32")
    assert not uses_tf32(GPU, "float32")
    for capability, wanted in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert uses_tf32(GPU, "tf32") is wanted
    assert explain(None, GPU, tf32=True) == "device cuda:0, float32 by TF32"


def test_weights_cast_once_are_those_that_autocast_casts_every_time() -> None:
    """To the bit, as long as batch norm and other layers stay float32."""
    torch.manual_seed(0)
    network = lay_out(Smp(kind="unet", encoder="resnet18", weights="none").build(1, 2)).eval()
    tiles = torch.randn(2, 1, 64, 64).contiguous(memory_format=torch.channels_last)

    def answer() -> Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            found: Tensor = network(tiles)
        return found.float()

    before = answer()
    assert cast_weights(network, None) is network
    assert {value.dtype for value in network.parameters()} == {torch.float32}
    cast_weights(network, torch.bfloat16)
    types = {
        type(module).__name__: module.weight.dtype
        for module in network.modules()
        if isinstance(getattr(module, "weight", None), Tensor)
    }
    assert types.pop("Conv2d") == torch.bfloat16
    assert set(types.values()) == {torch.float32}  # norms
    assert torch.equal(answer(), before)
