"""The U-Net of pixel shuffles: it starts as nearest neighbours, and can repeat its input."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.nn import functional

from lamina.errors import OptionError
from lamina.model.modules.pixel_shuffle import shuffled
from lamina.model.networks import AnyNetwork, PixelShuffle
from lamina.model.optimization.optimizers import AdamW

SMALL = PixelShuffle(encoder="resnet18", filters=(4, 5, 6, 7, 8))


def build(option: PixelShuffle, inputs: int = 1, outputs: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.build(inputs, outputs).eval()


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def test_a_shuffle_starts_as_the_nearest_neighbour_of_its_first_quarter() -> None:
    """NOISE-10: ICNR, so that there is no chequered pattern at the start."""
    grow, x = shuffled(6, 3), noise(2, 6, 5, 7)
    weight = grow.get_submodule("0").get_parameter("weight")
    quarter = functional.conv2d(x, weight[::4])  # the first of the four of each channel
    found = grow(x)
    expected = functional.interpolate(quarter, scale_factor=2, mode="nearest")
    torch.testing.assert_close(found, expected)  # of another width, by another kernel
    squares = found.unfold(2, 2, 2).unfold(3, 2, 2)  # the four pixels that came from one
    torch.testing.assert_close(squares.amax((4, 5)), squares.amin((4, 5)))
    assert quarter.std().item() > 0.5  # and it is not nothing that is repeated


def test_channels_become_rows_and_columns() -> None:
    """NOISE-10: channel c*4 + 2i + j becomes row 2y + i, column 2x + j of channel c."""
    grow, x = shuffled(3, 2), noise(1, 3, 4, 5)
    convolution = grow.get_submodule("0")
    nn.init.normal_(convolution.get_parameter("weight"))
    deep, found = convolution(x), grow(x)
    for c in range(2):
        for i in range(2):
            for j in range(2):
                assert torch.equal(found[:, c, i::2, j::2], deep[:, 4 * c + 2 * i + j])


def test_all_shuffles_of_a_network_start_so_whatever_the_encoder() -> None:
    network = build(SMALL)
    ups = list(network.get_submodule("decoder.ups").children())
    assert len(ups) == 5
    for up in ups:
        convolution = up.get_submodule("0")
        four = convolution.get_parameter("weight").unflatten(0, (-1, 4))
        assert torch.equal(four, four[:, :1].expand_as(four))
        assert not convolution.get_parameter("bias").any()


def test_it_computes_what_is_published() -> None:
    """NOISE-10: 1x1, shuffle, the skip joined, twice 3x3, norm and ReLU; the image at full size."""
    network = build(SMALL, 2, 3)
    image = noise(2, 2, 64, 32)
    with torch.inference_mode():
        maps = [image, *network.get_submodule("encoder")(image)[1:]]
        x = maps[5]
        for level in (4, 3, 2, 1, 0):
            up = network.get_submodule(f"decoder.ups.{level}.0")
            x = functional.pixel_shuffle(up(x), 2)
            x = torch.cat([x, maps[level]], 1)
            for layer in (0, 3):
                convolution = network.get_submodule(f"decoder.joins.{level}.{layer}")
                assert convolution.get_parameter("weight").shape[-2:] == (3, 3)
                norm = network.get_submodule(f"decoder.joins.{level}.{layer + 1}")
                x = norm(convolution(x)).relu()
        expected = network.get_submodule("segmentation_head")(x)
        found = network(image)
    assert found.shape == (2, 3, 64, 32)
    torch.testing.assert_close(found, expected)


def test_it_can_repeat_its_input_since_the_image_joins_at_full_size() -> None:
    """NOISE-10: with target = input, nothing of full size has to pass through the encoder."""
    network = build(SMALL)
    last = network.get_submodule("decoder.joins.0")
    head = network.get_submodule("segmentation_head.0")
    for layer in (last.get_submodule("0"), last.get_submodule("3"), head):
        nn.init.zeros_(layer.get_parameter("weight"))
    image_channel = last.get_submodule("0").get_parameter("weight").shape[1] - 1
    with torch.no_grad():
        last.get_submodule("0").get_parameter("weight")[0, image_channel, 1, 1] = 1
        last.get_submodule("3").get_parameter("weight")[0, 0, 1, 1] = 1
        head.get_parameter("weight")[0, 0, 1, 1] = 1
        head.get_parameter("bias").zero_()
        image = torch.rand(1, 1, 32, 64)
        torch.testing.assert_close(network(image), image, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("encoder", ["mobilenetv3_small_050", "mit_b0", "convnext_atto"])
def test_any_encoder_serves_also_one_without_every_half(encoder: str) -> None:
    network = build(SMALL.model_copy(update={"encoder": encoder}), inputs=3)
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 32)).shape == (1, 1, 64, 32)


def test_every_parameter_is_trained_once_and_the_encoder_is_a_group() -> None:
    network = build(SMALL)
    groups = {group["name"]: group["params"] for group in AdamW().groups(network)}
    grouped = [id(p) for members in groups.values() for p in members]
    assert sorted(grouped) == sorted(map(id, network.parameters()))
    assert "encoder_weights" in groups


def test_an_option_survives_json_and_five_widths_are_needed() -> None:
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SMALL), strict=True) == SMALL
    assert SMALL.multiple == 32
    with pytest.raises(OptionError, match="needs 5 or more items"):
        PixelShuffle(filters=(4, 8, 8, 8))
