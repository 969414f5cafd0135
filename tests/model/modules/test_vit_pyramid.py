"""A pyramid of a plain transformer's last map, and its published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import BundleError
from lamina.model.modules.vit_pyramid import VitPyramid, is_plain_vit
from lamina.model.networks import QuarterUnet


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def build(option: QuarterUnet, inputs: int = 3) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, 2).eval()


@pytest.mark.parametrize("encoder", ["eva02_tiny_patch14_224", "vit_tiny_patch16_224"])
def test_images_of_any_multiple_of_32_have_maps_at_a_quarter_to_a_32nd(encoder: str) -> None:
    """Issue 7: eva02 encoders through timm; the pyramid of Li et al. 2022."""
    assert is_plain_vit(f"tu-{encoder}")
    network = build(QuarterUnet(encoder=encoder, filters=(8, 8, 8)), 4)
    maps: list[Tensor] = []
    network.get_submodule("encoder").register_forward_hook(
        lambda module, args, found: maps.extend(found)
    )
    with torch.inference_mode():
        assert network(noise(1, 4, 96, 64)).shape == (1, 2, 96, 64)
    assert [m.shape[-2:] for m in maps[2:]] == [(24, 16), (12, 8), (6, 4), (3, 2)]
    assert torch.equal(maps[5], functional.max_pool2d(maps[4], 2))


def test_published_weights_go_in_and_what_is_grown_keeps_its_start(tmp_path: Path) -> None:
    name = "vit_tiny_patch16_224"
    published: Any = timm.create_model(name, num_classes=0).eval()
    save_file(published.state_dict(), tmp_path / "vit.safetensors")
    option = QuarterUnet(encoder=name, filters=(8, 8, 8))
    bare = build(option).get_submodule("encoder")
    told = option.model_copy(update={"weights": str(tmp_path / "vit.safetensors")})
    encoder, image = build(told).get_submodule("encoder"), noise(1, 3, 224, 224)
    assert isinstance(encoder, VitPyramid)
    with torch.inference_mode():
        _, found = published.forward_intermediates(image, indices=1)
        torch.testing.assert_close(encoder(image)[4], found[-1])
    for key, value in bare.state_dict().items():
        if key.startswith(("quarter.", "eighth.")):
            assert torch.equal(encoder.state_dict()[key], value)
    with pytest.raises(BundleError, match="do not belong to encoder"):
        build(told.model_copy(update={"encoder": "eva02_tiny_patch14_224"}))


def test_encoders_with_a_pyramid_are_no_plain_ones() -> None:
    for name in ("resnet18", "tu-convnextv2_atto", "tu-swinv2_tiny_window8_256"):
        assert not is_plain_vit(name)
