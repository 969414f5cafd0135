"""The network of INK-17: four maps of an encoder, a short decoder, logits enlarged four times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import OptionError, RecipeError
from lamina.model.networks import AnyNetwork, QuarterUnet, SliceFusion, Smp
from lamina.model.optimization.optimizers import AdamW

RELEASED = QuarterUnet(
    encoder="maxvit_rmlp_base_rw_384.sw_in12k_ft_in1k", image_size=384, checkpointing=True
)
SMALL = QuarterUnet(encoder="convnextv2_atto", filters=(12, 10, 8))


def build(option: QuarterUnet, inputs: int = 3, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_the_released_network_has_the_published_size() -> None:
    """INK-17: maps of 96, 192, 384, 768 channels; 256, 128, 64 in the decoder; 118.9 million."""
    with torch.device("meta"):
        network = RELEASED.build(3, 1)
    assert list(network.get_submodule("encoder").out_channels)[1:] == [64, 96, 192, 384, 768]  # type: ignore[arg-type]
    blocks = network.get_submodule("decoder.blocks").children()
    shapes = [tuple(block.get_parameter("layers.0.weight").shape) for block in blocks]
    assert shapes == [(256, 768 + 384, 3, 3), (128, 256 + 192, 3, 3), (64, 128 + 96, 3, 3)]
    assert network.get_parameter("segmentation_head.0.weight").shape == (1, 64, 3, 3)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == 118.9


def test_it_computes_what_is_published() -> None:
    """INK-17: nearest x2, concat, two conv-BN-ReLU, three times; 3x3 head; nearest x4."""
    network, image = build(SMALL, 3, 2), noise(2, 3, 64, 96)
    with torch.inference_mode():
        maps = network.get_submodule("encoder")(image)
        assert [m.shape[-1] for m in maps[2:]] == [24, 12, 6, 3]
        x = maps[5]
        for number, skip in enumerate((maps[4], maps[3], maps[2])):
            x = torch.cat([functional.interpolate(x, scale_factor=2.0, mode="nearest"), skip], 1)
            for layer in (0, 3):
                where = f"decoder.blocks.{number}.layers."
                norm = network.get_submodule(f"{where}{layer + 1}")
                assert isinstance(norm, nn.BatchNorm2d)
                x = norm(network.get_submodule(f"{where}{layer}")(x)).relu()
        head = network.get_submodule("segmentation_head.0")
        expected = head(x).repeat_interleave(4, 2).repeat_interleave(4, 3)
        torch.testing.assert_close(network(image), expected)


def test_the_map_at_half_the_size_is_dropped_where_there_is_one() -> None:
    """INK-17: the stride-2 map is dropped."""
    network = build(QuarterUnet(encoder="mobilenetv3_small_050", filters=(8, 8, 8)))
    image = noise(1, 3, 64, 64)
    encoder, seen = network.get_submodule("encoder"), []
    assert 0 not in list(encoder.out_channels)[1:]  # type: ignore[arg-type]
    network.get_submodule("decoder").register_forward_hook(
        lambda module, args, out: seen.append([m.shape[-1] for m in (args[0], *args[1])])
    )
    with torch.inference_mode():
        network(image)
    assert seen == [[2, 4, 8, 16]]


def test_logits_may_be_enlarged_smoothly() -> None:
    plain, smooth = build(SMALL), build(SMALL.model_copy(update={"upsample": "bilinear"}))
    smooth.load_state_dict(plain.state_dict())
    image = noise(1, 3, 64, 64)
    with torch.inference_mode():
        small = plain(image)[:, :, ::4, ::4]
        expected = functional.interpolate(small, scale_factor=4.0, mode="bilinear")
        torch.testing.assert_close(smooth(image), expected)


@pytest.mark.parametrize(
    ("encoder", "size"),
    [
        ("convnextv2_atto", None),
        ("caformer_s18", None),
        ("swinv2_cr_tiny_ns_224", 64),
        ("swinv2_tiny_window8_256", 128),
        ("maxvit_rmlp_pico_rw_256", 64),
        ("resnet18", None),
    ],
)
def test_encoders_of_timm_serve(encoder: str, size: int | None) -> None:
    """Issue 7: convnextv2, caformer, swinv2 and maxvit, and what is convolutional."""
    option = SMALL.model_copy(update={"encoder": encoder, "image_size": size})
    network = build(option, 4, 2)
    assert option.multiple == (size or 32)
    with torch.inference_mode():
        shape = (option.multiple, 2 * option.multiple)
        assert network(noise(1, 4, *shape)).shape == (1, 2, *shape)
    grouped = [id(p) for group in AdamW().groups(network) for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, network.parameters()))


def test_an_encoder_of_windows_refuses_images_of_another_size() -> None:
    network = build(SMALL.model_copy(update={"encoder": "maxvit_rmlp_pico_rw_256"}))
    with pytest.raises(RecipeError, match=r"256x256 pixels or multiples, not of 64x64; set frame"):
        network(noise(1, 3, 64, 64))


@pytest.mark.parametrize("encoder", ["eva02_tiny_patch14_224", "vit_tiny_patch16_224"])
def test_an_encoder_without_a_pyramid_is_refused_where_none_is_made(encoder: str) -> None:
    """Issue 7: a clear error where an encoder has no pyramid."""
    with pytest.raises(RecipeError, match=r"no pyramid of maps at 1/4.* quarter_unet makes one"):
        Smp(encoder=encoder).build(3, 1)
    with pytest.raises(RecipeError, match="no pyramid of maps at 1/4"):
        build(QuarterUnet(encoder="volo_d1_224"))


def test_what_does_not_exist_is_refused_with_what_does() -> None:
    with pytest.raises(RecipeError, match=r"near are .*convnextv2_atto"):
        build(QuarterUnet(encoder="convnextv2_attto"))


def test_a_size_is_for_encoders_of_windows_only() -> None:
    with pytest.raises(RecipeError, match="takes images of any size; leave it out"):
        build(SMALL.model_copy(update={"image_size": 384}))


def test_it_goes_into_a_fusion_and_survives_json() -> None:
    """INK-16, INK-17: the released network as a recipe says it."""
    adapter = TypeAdapter(AnyNetwork)
    option = SliceFusion(network=RELEASED)
    assert adapter.validate_json(adapter.dump_json(option), strict=True) == option
    assert option.multiple == 384
    small = SliceFusion(network=SMALL).build(6, 1).eval()
    with torch.inference_mode():
        assert small(noise(1, 6, 32, 32)).shape == (1, 1, 32, 32)
    with pytest.raises(OptionError, match="needs 3 or more items"):
        QuarterUnet(filters=(8, 8))


def test_published_weights_serve_another_size_and_other_channels(tmp_path: Path) -> None:
    """INK-17: weights of three channels, cyclic for four; windows of another size."""
    published: Any = timm.create_model("maxvit_rmlp_pico_rw_256").eval()
    save_file(published.state_dict(), tmp_path / "maxvit.safetensors")
    option = QuarterUnet(
        encoder="maxvit_rmlp_pico_rw_256",
        image_size=64,
        weights=str(tmp_path / "maxvit.safetensors"),
        stem="cyclic",
        checkpointing=True,
    )
    network = build(option, 4)
    stem = network.get_parameter("encoder.model.stem.conv1.weight")
    assert torch.equal(stem, published.stem.conv1.weight[:, [0, 1, 2, 0]] * 0.75)
    at = "stages.1.blocks.0.attn_block.mlp.fc1.weight"
    found = network.get_parameter("encoder.model." + at.replace("stages.1", "stages_1"))
    assert torch.equal(found, published.get_parameter(at))
    blocks = [block for stage in published.stages for block in stage.blocks]
    saving = [
        module for module in network.get_submodule("encoder").modules() if "forward" in vars(module)
    ]  # every block of every stage is computed twice
    assert [type(one) for one in saving] == [type(one) for one in blocks]
