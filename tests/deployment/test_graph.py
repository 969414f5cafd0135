"""Networks as files: which cannot be, and how wrong ones are found."""

from __future__ import annotations

import builtins
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from lamina.deployment.graph import (
    OPSET,
    SUFFIXES,
    Format,
    check_installed,
    difference,
    write_network,
)
from lamina.deployment.run import open_network
from lamina.errors import BundleError, RecipeError


class Branching(nn.Module):
    """What a tracer cannot follow: values decide what is computed."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if bool((x.sum() > 0).item()) else x


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 1)
    ).eval()


@pytest.mark.parametrize("format", SUFFIXES)
def test_a_file_maps_any_batch_to_logits(tmp_path: Path, format: Format) -> None:
    network, path = small(), tmp_path / f"one{SUFFIXES[format]}"
    write_network(network, (2, 12, 20), path, "one", format)
    logits = open_network(path)
    for batch in (1, 2, 5, 64):
        tiles = torch.randn(batch, 2, 12, 20)
        with torch.inference_mode():
            assert np.abs(logits(tiles.numpy()) - network(tiles).numpy()).max() < 1e-5
    tiles = torch.randn(3, 2, 12, 20)
    assert difference(network, path, tiles, "binary") < 1e-6
    with torch.no_grad():
        network[2].bias[1] += 0.4  # type: ignore[index]
    change = difference(network, path, tiles, "restore")
    assert change == pytest.approx(0.4, abs=1e-5)
    with torch.no_grad():
        network[2].bias[1] = torch.nan  # type: ignore[index]
    assert difference(network, path, tiles, "multiclass") == float("inf")


def test_an_onnx_file_is_whole_and_of_the_stated_operators(tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    write_network(small(), (2, 12, 20), path, "one", "onnx")
    model = onnx.load(path)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    assert [one.name for one in model.graph.input] == ["tile"]
    assert [one.name for one in model.graph.output] == ["logits"]
    assert not [one for one in model.graph.initializer if one.external_data]


def test_a_program_of_torch_holds_no_pickle(tmp_path: Path) -> None:
    """Weights are plain bytes, the graph is JSON, and no example input is kept."""
    path = tmp_path / "one.pt2"
    write_network(small(), (2, 12, 20), path, "one", "torch")
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    assert not [name for name in entries if name.endswith((".pkl", ".pickle"))]
    for name, content in entries.items():
        assert content[:2] not in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"), name
    config = next(content for name, content in entries.items() if "weights_config" in name)
    assert b'"use_pickle": false' in config
    assert b'"use_pickle": true' not in config


@pytest.mark.parametrize("format", SUFFIXES)
def test_a_network_that_cannot_be_traced_is_refused_by_name(tmp_path: Path, format: Format) -> None:
    with pytest.raises(BundleError, match=r"member fold2: .* cannot be exported .* 8 x 8") as why:
        write_network(Branching(), (1, 8, 8), tmp_path / "x", "fold2", format)
    assert why.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    check_installed("onnx")
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "onnxscript":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RecipeError, match=r"needs onnxscript.*pip install 'lamina\[onnx\]'"):
        check_installed("onnx")
    check_installed("torch")
