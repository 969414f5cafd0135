"""DRUNet against a plain copy of its layers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from lamina.model.networks import AnyNetwork, Drunet

SMALL = Drunet(widths=(3, 5), blocks=2, residual=False)


def build(option: Drunet, inputs: int = 1, outputs: int = 1) -> nn.Module:
    """Return the network with no weight at zero, so that every layer shows."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = option.build(inputs, outputs).eval()
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.2)
    return network


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def test_the_parameters_are_those_of_the_paper_but_for_biases_and_the_way_up() -> None:
    """32.64 M in the paper: 3x3 of 2 to 64 channels, four blocks a size, 2x2 down and up.

    Here one channel goes in, all convolutions have a bias, and 2x2 up is 1x1 to four times.
    """
    widths = (64, 128, 256, 512)
    blocks = sum(9 * 2 * 4 * c**2 for c in (*widths, *widths[:-1]))
    steps = 2 * sum(4 * a * b for a, b in pairwise(widths))
    paper = 9 * 64 * 2 + blocks + steps + 9 * 64
    assert paper == pytest.approx(32.64e6, rel=1e-3)
    biases = 64 + sum(2 * 4 * c for c in (*widths, *widths[:-1])) + sum(widths[1:]) + 1
    biases += 4 * sum(widths[:-1])
    found = sum(parameter.numel() for parameter in Drunet().build(1, 1).parameters())
    assert found == paper - 9 * 64 + biases


def test_it_computes_a_u_of_residual_blocks() -> None:
    network = build(SMALL, 2, 4)
    state = network.state_dict()

    def conv(name: str, x: Tensor, **options: int) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], **options)

    def blocks(name: str, x: Tensor) -> Tensor:
        for number in range(2):
            inner = conv(f"{name}.{number}.one", x, padding=1).relu()
            x = x + conv(f"{name}.{number}.two", inner, padding=1)
        return x

    x = image(2, 2, 6, 10)
    skip = blocks("down.0", conv("first", x, padding=1))
    small = blocks("middle", conv("halvings.0", skip, stride=2))
    grown = functional.pixel_shuffle(conv("doublings.0.0", small), 2)
    expected = conv("last", blocks("up.0", grown + skip), padding=1)
    assert expected.shape == (2, 4, 6, 10)
    torch.testing.assert_close(network(x), expected)


def test_unshuffled_it_is_the_same_network_on_squares_of_pixels() -> None:
    one = build(SMALL.model_copy(update={"unshuffle": 2}), 2, 3)
    other = build(SMALL, 4 * 2, 4 * 3)
    other.load_state_dict(one.state_dict())
    x = image(2, 2, 8, 12)
    expected = functional.pixel_shuffle(other(functional.pixel_unshuffle(x, 2)), 2)
    torch.testing.assert_close(one(x), expected)


@pytest.mark.parametrize(
    ("widths", "unshuffle", "multiple"), [((4,), 1, 1), ((4, 4, 4), 1, 4), ((4, 4), 3, 6)]
)
def test_sizes_are_multiples(widths: tuple[int, ...], unshuffle: int, multiple: int) -> None:
    option = Drunet(widths=widths, blocks=1, unshuffle=unshuffle)
    assert option.multiple == multiple
    x = image(1, 1, 3 * multiple, 2 * multiple)
    assert build(option)(x).shape == x.shape


def test_every_block_starts_as_the_identity() -> None:
    network = Drunet(widths=(3, 5), blocks=2).build(1, 1)
    x = image(1, 3, 6, 6)
    assert torch.equal(network.get_submodule("down.0")(x), x)


def test_noise_is_taken_from_the_input_by_default() -> None:
    network = build(Drunet(widths=(4,), blocks=1))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    x = image(1, 1, 5, 6)
    assert torch.equal(network(x), x)


def test_starting_weights_are_those_of_a_file(tmp_path: Path) -> None:
    tensors = {name: torch.rand_like(w) for name, w in build(SMALL).state_dict().items()}
    save_file(tensors, tmp_path / "w.safetensors")
    option = SMALL.model_copy(update={"weights": str(tmp_path / "w.safetensors")})
    found = option.build(1, 1)
    assert torch.equal(found.state_dict()["last.weight"], tensors["last.weight"])


def test_an_option_survives_json() -> None:
    adapter = TypeAdapter(AnyNetwork)
    assert adapter.validate_json(adapter.dump_json(SMALL), strict=True) == SMALL
