"""AlbuNet as SIIM-8 has it: its parameters, its pools, its blocks, against a plain copy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import BundleError
from lamina.model.networks import AlbuNet, AnyNetwork
from lamina.model.optimization.optimizers import AdamW


def build(option: AlbuNet, inputs: int = 3, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def block(inputs: int, middle: int, outputs: int) -> int:
    return 9 * inputs * middle + middle + 9 * middle * outputs + outputs


def test_the_parameters_are_those_published() -> None:
    """SIIM-8: 35.1 million with the classifier of 1000 classes, which nothing uses."""
    network = build(AlbuNet())
    classifier = 512 * 1000 + 1000
    resnet34 = 21_797_672 - classifier
    decoder = (
        block(512, 512, 256)
        + block(512 + 256, 512, 256)
        + block(256 + 256, 512, 256)
        + block(128 + 256, 256, 64)
        + block(64 + 64, 128, 128)
        + block(128, 128, 32)
        + (9 * 32 * 32 + 32)
    )
    assert count(network) == resnet34 + decoder + (32 + 1) == 34_604_897
    assert round((count(network) + classifier) / 1e6, 1) == 35.1


def test_it_computes_what_is_published() -> None:
    """SIIM-8: 2x2 pools at the stem and before the centre, bilinear x2, ReLU and no norms."""
    network = build(AlbuNet(encoder="resnet18", filters=2), outputs=2)
    encoder = network.get_submodule("encoder")
    weights = [w for name, w in network.named_parameters() if name.startswith("decoder")]

    def conv(x: Tensor) -> Tensor:
        return functional.conv2d(x, weights.pop(0), weights.pop(0), padding=1).relu()

    def grown(x: Tensor, skip: Tensor | None = None) -> Tensor:
        whole = x if skip is None else torch.cat([x, skip], 1)
        return conv(conv(functional.interpolate(whole, scale_factor=2.0, mode="bilinear")))

    image = torch.randn(2, 3, 64, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        part = {name: encoder.get_submodule(name) for name, _ in encoder.named_children()}
        first = functional.max_pool2d(part["bn1"](part["conv1"](image)).relu(), 2)
        second = part["layer1"](first)
        third = part["layer2"](second)
        fourth = part["layer3"](third)
        fifth = part["layer4"](fourth)
        assert fifth.shape[2:] == (2, 4)
        x = grown(functional.max_pool2d(fifth, 2))
        for skip in (fifth, fourth, third, second):
            x = grown(x, skip)
        x = conv(grown(x))
        assert weights == []
        expected = network.get_submodule("segmentation_head")(x)
        found = network(image)
    assert found.shape == (2, 2, 64, 128)
    torch.testing.assert_close(found, expected)


def test_no_norm_stands_in_the_decoder() -> None:
    decoder = build(AlbuNet(encoder="resnet18")).get_submodule("decoder")
    kinds = {type(layer) for layer in decoder.modules() if not list(layer.children())}
    assert kinds == {nn.Conv2d, nn.ReLU, nn.Upsample, nn.MaxPool2d}


def test_every_parameter_is_trained_once_and_the_encoder_is_a_group() -> None:
    """SIIM-22: what is frozen with the encoder is exactly the ResNet."""
    network = build(AlbuNet(encoder="resnet18"), inputs=1)
    groups = {group["name"]: group["params"] for group in AdamW().groups(network)}
    grouped = [id(p) for members in groups.values() for p in members]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    encoder = [*groups["encoder_weights"], *groups["encoder_biases"]]
    assert sum(p.numel() for p in encoder) == count(network.get_submodule("encoder"))


def test_sizes_are_multiples_of_64() -> None:
    option = AlbuNet(encoder="resnet18", filters=1)
    assert option.multiple == 64
    with torch.inference_mode():
        assert build(option, 1, 3)(torch.zeros(1, 1, 192, 64)).shape == (1, 3, 192, 64)


def test_encoder_weights_come_through_the_same_door(tmp_path: Path) -> None:
    option = AlbuNet(encoder="resnet18", filters=1, prior=0.01)
    encoder = build(option).get_submodule("encoder").state_dict()
    tensors = {name: torch.rand_like(w.float()) for name, w in encoder.items() if w.ndim}
    save_file(tensors | {"fc.weight": torch.zeros(5, 512)}, tmp_path / "w.safetensors")
    network = build(option.model_copy(update={"weights": str(tmp_path / "w.safetensors")}), 1)
    found = network.get_submodule("encoder").state_dict()
    assert torch.equal(found["layer4.1.conv2.weight"], tensors["layer4.1.conv2.weight"])
    torch.testing.assert_close(found["conv1.weight"], tensors["conv1.weight"].sum(1, keepdim=True))
    bias = network.get_submodule("segmentation_head").state_dict()["0.bias"]
    torch.testing.assert_close(bias.sigmoid(), torch.tensor([0.01]))


def test_offline_missing_imagenet_weights_are_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAMINA_ONLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BundleError, match=r"'resnet34' are not on this machine.*LAMINA_ONLINE=1"):
        AlbuNet(weights="imagenet").build(3, 1)


def test_other_encoders_are_refused_and_the_option_survives_json() -> None:
    adapter = TypeAdapter(AnyNetwork)
    with pytest.raises(ValidationError, match="resnet34"):
        adapter.validate_python({"kind": "albunet", "encoder": "mit_b0"})
    option = AlbuNet(filters=16, weights="imagenet")
    assert adapter.validate_json(adapter.dump_json(option)) == option
