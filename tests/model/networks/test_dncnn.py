"""DnCNN against a plain copy of the paper's layers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import BundleError
from lamina.model.networks import AnyNetwork, Dncnn

SMALL = Dncnn(depth=4, width=5, residual=False)


def build(option: Dncnn, inputs: int = 1, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


@pytest.mark.parametrize("depth", [17, 20])
def test_the_parameters_are_those_of_the_paper(depth: int) -> None:
    """Zhang et al. 2017: 64 kernels of 3x3, the first and the last with a bias, norms between."""
    network = build(Dncnn(depth=depth))
    expected = (9 + 1) * 64 + (depth - 2) * (9 * 64 * 64 + 2 * 64) + 9 * 64 + 1
    assert sum(parameter.numel() for parameter in network.parameters()) == expected
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == depth


def test_it_computes_convolution_norm_and_relu() -> None:
    network = build(SMALL, 2, 3)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    chance = torch.Generator().manual_seed(1)
    for norm in norms:
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert value is not None
            value.data = torch.rand(5, generator=chance) + 0.5
    image = torch.randn(2, 2, 7, 9, generator=chance)
    state = network.state_dict()

    def conv(name: str, x: Tensor) -> Tensor:
        bias = state.get(f"{name}.bias")
        return functional.conv2d(x, state[f"{name}.weight"], bias, padding=1)

    x = conv("first.0", image).relu()
    for layer, norm in enumerate(norms):
        x = conv(f"middle.{layer}.0", x)
        mean, var = norm.running_mean, norm.running_var
        assert mean is not None
        assert var is not None
        scale = norm.weight / (var + norm.eps).sqrt()
        x = ((x - mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]).relu()
    expected = conv("last", x)
    assert expected.shape == (2, 3, 7, 9)  # any size
    torch.testing.assert_close(network(image), expected)


def test_an_answer_depends_on_as_many_pixels_around_as_there_are_layers() -> None:
    network = build(SMALL)
    image = torch.randn(1, 1, 1, 31, generator=torch.Generator().manual_seed(2)).requires_grad_()
    network(image)[0, 0, 0, 15].backward()
    assert image.grad is not None
    seen = image.grad[0, 0, 0].nonzero().flatten()
    assert (seen.min().item(), seen.max().item()) == (15 - 4, 15 + 4)


def test_noise_is_taken_from_the_input_by_default() -> None:
    network = build(Dncnn(depth=3, width=4))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    image = torch.rand(1, 1, 5, 6)
    assert torch.equal(network(image), image)


def test_starting_weights_are_those_of_a_file(tmp_path: Path) -> None:
    tensors = {name: torch.rand_like(w) for name, w in build(SMALL).state_dict().items() if w.ndim}
    save_file(tensors, tmp_path / "w.safetensors")
    found = build(SMALL.model_copy(update={"weights": str(tmp_path / "w.safetensors")}))
    assert torch.equal(found.state_dict()["last.weight"], tensors["last.weight"])
    with pytest.raises(BundleError, match="belong to another network"):
        build(Dncnn(depth=5, width=5, weights=str(tmp_path / "w.safetensors")))


def test_an_option_survives_json() -> None:
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SMALL), strict=True) == SMALL
    assert SMALL.multiple == 1
