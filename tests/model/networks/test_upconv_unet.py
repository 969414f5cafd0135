"""The U-Nets of SIIM-9 and SIIM-10: parameters, start, gates, against plain copies."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import OptionError, RecipeError
from lamina.model.modules.upconv_unet import ScseMax
from lamina.model.networks import AnyNetwork, UpconvUnet
from lamina.model.optimization.optimizers import AdamW

SIIM_10 = UpconvUnet(
    encoder="se_resnext50_32x4d", filters=(64, 128, 256, 384), attention="scse_max"
)
SMALL = UpconvUnet(encoder="resnet18", filters=(4, 6, 8, 10), last=3)


def build(option: UpconvUnet, inputs: int = 3, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def expected_count(option: UpconvUnet, encoder: int) -> int:
    skips, below = (64, 256, 512, 1024), (*option.filters[1:], 2048)
    whole = encoder + 9 * option.filters[0] * option.last + option.last + option.last + 1
    for deep, own, skip in zip(below, option.filters, skips, strict=True):
        whole += 9 * deep * own + own + 9 * (own + skip) * own + own
        if option.attention == "scse_max":
            half = own // option.reduction
            whole += own * half + half + half * own + own + own
    return whole


@pytest.mark.parametrize(
    ("option", "encoder", "millions"),
    [(UpconvUnet(), 23_508_032, 34.5), (SIIM_10, 25_510_896, 41.2)],
    ids=["SIIM-9", "SIIM-10"],
)
def test_the_parameters_are_those_published(
    option: UpconvUnet, encoder: int, millions: float
) -> None:
    """SIIM-9: ResNet50, 34.5 million; SIIM-10: SE-ResNeXt50, 41.2 million."""
    network = build(option)
    assert count(network) == expected_count(option, encoder)
    assert count(network) == pytest.approx(millions * 1e6, rel=0.01)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 64)).shape == (1, 1, 32, 64)


@pytest.mark.parametrize("attention", ["none", "scse_max"])
def test_it_computes_what_is_published(attention: str) -> None:
    """SIIM-9: nearest x2, conv, ReLU; the skip joined; conv, ReLU; SIIM-10: then the gates."""
    network = build(SMALL.model_copy(update={"attention": attention}), outputs=2)
    state = network.state_dict()

    def conv(name: str, x: Tensor) -> Tensor:
        weight, bias = state[f"decoder.{name}.weight"], state[f"decoder.{name}.bias"]
        return functional.conv2d(x, weight, bias, padding=1).relu()

    def grown(name: str, x: Tensor) -> Tensor:
        return conv(name, x.repeat_interleave(2, 2).repeat_interleave(2, 3))

    image = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        maps = network.get_submodule("encoder")(image)
        x = maps[5]
        for level in (3, 2, 1, 0):
            x = torch.cat([grown(f"ups.{level}.1", x), maps[level + 1]], 1)
            x = conv(f"joins.{level}.0", x)
            if attention == "scse_max":
                gate = network.get_submodule(f"decoder.joins.{level}.2")
                assert isinstance(gate, ScseMax)
                x = gate(x)
        x = grown("last.1", x)
        expected = network.get_submodule("segmentation_head")(x)
        found = network(image)
    assert found.shape == (2, 2, 64, 32)
    torch.testing.assert_close(found, expected)


def test_the_gates_are_combined_by_the_maximum() -> None:
    """SIIM-10: reduction 2, two branches, the larger of both at each element."""
    gate = ScseMax(6, reduction=2)
    for i, parameter in enumerate(gate.parameters()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(i))
    x = torch.randn(3, 6, 4, 5, generator=torch.Generator().manual_seed(9))
    squeeze, squeeze_bias, excite, excite_bias, pixel = (p.detach() for p in gate.parameters())
    assert squeeze.shape == (3, 6, 1, 1)
    middle = (x.mean((2, 3)) @ squeeze[:, :, 0, 0].T + squeeze_bias).relu()
    channels = (middle @ excite[:, :, 0, 0].T + excite_bias).sigmoid()[:, :, None, None]
    pixels = torch.einsum("bchw,c->bhw", x, pixel[0, :, 0, 0]).sigmoid()[:, None]
    expected = torch.where(x * channels > x * pixels, x * channels, x * pixels)
    torch.testing.assert_close(gate(x).detach(), expected)


def test_every_convolution_starts_as_he_says() -> None:
    """SIIM-9: normal with a variance of 2 / inputs, biases at 0."""
    network = build(UpconvUnet())
    convs = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert len(convs) == 53 + 10
    for layer in convs:
        spread = math.sqrt(2 / layer.weight[0].numel())
        assert layer.weight.std().item() == pytest.approx(spread, rel=0.2)
        assert layer.bias is None or not layer.bias.any()


def test_a_prior_and_loaded_weights_come_after_the_start(tmp_path: Path) -> None:
    encoder = build(SMALL).get_submodule("encoder").state_dict()
    tensors = {name: torch.rand_like(w.float()) for name, w in encoder.items() if w.ndim}
    save_file(tensors, tmp_path / "w.safetensors")
    changes = {"weights": str(tmp_path / "w.safetensors"), "prior": 0.2, "stem": "g"}
    network = build(SMALL.model_copy(update=changes), 1)
    found = network.get_submodule("encoder").state_dict()
    assert torch.equal(found["conv1.weight"], tensors["conv1.weight"][:, 1:2])
    assert torch.equal(found["layer4.1.conv2.weight"], tensors["layer4.1.conv2.weight"])
    bias = network.get_submodule("segmentation_head").state_dict()["0.bias"]
    torch.testing.assert_close(bias.sigmoid(), torch.tensor([0.2]))


def test_every_parameter_is_trained_once_and_the_encoder_is_a_group() -> None:
    network = build(SMALL.model_copy(update={"attention": "scse_max"}), inputs=1)
    groups = {group["name"]: group["params"] for group in AdamW().groups(network)}
    grouped = [id(p) for members in groups.values() for p in members]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    encoder = [*groups["encoder_weights"], *groups["encoder_biases"]]
    assert sum(p.numel() for p in encoder) == count(network.get_submodule("encoder"))


def test_an_encoder_of_timm_serves_and_one_without_every_half_is_refused() -> None:
    network = build(SMALL.model_copy(update={"encoder": "mobilenetv3_small_050"}), inputs=2)
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, 64, 32)).shape == (1, 1, 64, 32)
    for name in ("mit_b0", "convnext_atto"):
        with pytest.raises(RecipeError, match=f"'{name}'"):
            build(SMALL.model_copy(update={"encoder": name}))
    with pytest.raises(RecipeError, match=r"near are .*resnet18"):
        build(SMALL.model_copy(update={"encoder": "resnet81"}))


def test_options_that_make_no_network_are_refused() -> None:
    with pytest.raises(OptionError, match="more than the 4 channels"):
        UpconvUnet(filters=(4, 8, 8, 8), attention="scse_max", reduction=5)
    with pytest.raises(OptionError, match="needs 4 or more items"):
        UpconvUnet(filters=(4, 8, 8))


def test_an_option_survives_json_and_a_network_without_kind_is_a_unet() -> None:
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SIIM_10)) == SIIM_10
    assert adapter.validate_json(adapter.dump_json(SIIM_10), strict=True) == SIIM_10  # as recipes
    assert adapter.validate_python({"encoder": "resnet34"}).kind == "unet"
