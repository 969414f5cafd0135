"""A ResNet of three axes whose maps are pooled over depth, and a decoder of two axes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file
from torch import Tensor, nn

from lamina.errors import OptionError
from lamina.model.networks import AnyNetwork, Smp, VolumeUnet
from lamina.model.optimization.optimizers import AdamW

SMALL = VolumeUnet(filters=(8, 8, 8, 8, 8))


def build(option: VolumeUnet, inputs: int = 9, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("inputs", [1, 5, 18])
def test_any_number_of_slices_becomes_one_answer_of_the_size_of_the_image(inputs: int) -> None:
    network = build(SMALL, inputs, 2)
    with torch.inference_mode():
        assert network(noise(2, inputs, 32, 64)).shape == (2, 2, 32, 64)
    grouped = [id(p) for group in AdamW().groups(network) for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, network.parameters()))


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_maps_are_pooled_over_depth_at_every_skip(pool: str) -> None:
    network, image = build(SMALL.model_copy(update={"pool": pool})), noise(1, 9, 64, 64)
    encoder = network.get_submodule("encoder")
    with torch.inference_mode():
        maps = encoder(image[:, None])
        assert [m.shape[2:] for m in maps[1:]] == [
            (9, 32, 32),
            (5, 16, 16),
            (3, 8, 8),
            (2, 4, 4),
            (1, 2, 2),
        ]
        flat = [m.mean(2) if pool == "mean" else m.amax(2) for m in maps[1:]]
        decoded = network.get_submodule("decoder")(flat[4], [flat[3], flat[2], flat[1], flat[0]])
        expected = network.get_submodule("segmentation_head")(decoded)
        torch.testing.assert_close(network(image), expected)


def test_weights_of_two_axes_are_inflated_and_answer_alike_slices_alike(tmp_path: Path) -> None:
    """Issue 7: 2-D weights inflated to 3-D; alike slices answer as one, away from the ends."""
    flat = Smp(encoder="resnet18").build(3, 1).get_submodule("encoder").eval()
    save_file(flat.state_dict(), tmp_path / "resnet.safetensors")
    option = SMALL.model_copy(
        update={"weights": str(tmp_path / "resnet.safetensors"), "depth_strides": (1,) * 5}
    )
    deep = build(option).get_submodule("encoder")
    grey = noise(1, 1, 64, 64)
    with torch.inference_mode():
        expected = flat(grey.repeat(1, 3, 1, 1))[1:]  # as the stem sums red, green and blue
        found = deep(grey[:, :, None].repeat(1, 1, 61, 1, 1))[1:]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one[:, :, 30], other, rtol=1e-3, atol=1e-4)


def test_weights_of_the_whole_network_go_in_as_they_are(tmp_path: Path) -> None:
    network = build(SMALL)
    nn.init.normal_(network.get_parameter("encoder.conv1.weight"))
    save_file(network.state_dict(), tmp_path / "whole.safetensors")
    again = build(SMALL.model_copy(update={"weights": str(tmp_path / "whole.safetensors")}))
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value)


def test_an_option_survives_json_and_strides_are_one_or_two() -> None:
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SMALL), strict=True) == SMALL
    assert (SMALL.multiple, SMALL.encoded) == (32, True)
    with pytest.raises(OptionError, match="less than or equal to 2"):
        VolumeUnet(depth_strides=(1, 2, 2, 2, 4))
    with pytest.raises(ValidationError, match="resnet152"):
        TypeAdapter(AnyNetwork).validate_python({"kind": "volume_unet", "encoder": "vgg11"})
