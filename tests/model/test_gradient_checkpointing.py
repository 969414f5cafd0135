"""Blocks that forget: the same answers, gradients and batch statistics, with less kept."""

from __future__ import annotations

import copy

import pytest
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from lamina.model.networks import AlbuNet, PixelShuffle, Smp, UpconvUnet
from lamina.model.networks.encoded import Encoded

SMALL: JsonValue = [16, 8, 8, 8, 8]


def build(option: Encoded, *, checkpointing: bool) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option.model_copy(update={"checkpointing": checkpointing}).build(3, 2).train()


def step(network: nn.Module, image: Tensor) -> tuple[Tensor, int]:
    """Return the answer, and how many numbers were kept for the backward pass."""
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes() // 4
        return tensor

    torch.manual_seed(1)  # of dropout and of stochastic depth
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        answer = network(image)
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}
    answer.square().mean().backward()
    return answer.detach(), sum(size for at, size in kept.items() if at not in own)


@pytest.mark.parametrize(
    "option",
    [
        Smp(encoder="resnet18", decoder={"decoder_channels": SMALL}),
        Smp(encoder="efficientnet-b0", decoder={"decoder_channels": SMALL}, dropout=0.2),
        Smp(encoder="convnext_atto", decoder={"decoder_channels": SMALL}),
        PixelShuffle(encoder="mobilenetv3_small_050", filters=(4, 5, 6, 7, 8)),
        UpconvUnet(encoder="resnet18"),
        AlbuNet(encoder="resnet18", filters=4),
    ],
    ids=lambda option: f"{option.kind} {option.encoder}",
)
def test_a_step_is_the_same_and_less_is_kept(option: Encoded) -> None:
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    plain, saving = (build(option, checkpointing=on) for on in (False, True))
    expected, much = step(plain, image)
    found, little = step(saving, image)
    torch.testing.assert_close(found, expected)
    assert little < 0.75 * much
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(saving.get_parameter(name).grad, parameter.grad, msg=name)
    after = saving.state_dict()
    assert after.keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():  # batch statistics are counted once
        torch.testing.assert_close(after[name], value, msg=name)


def test_nothing_changes_without_gradients_and_a_copy_computes_with_its_own_weights() -> None:
    option = Smp(encoder="mobilenetv3_small_050", decoder={"decoder_channels": SMALL})
    network = build(option, checkpointing=True).eval()
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        before = network(image)
        assert torch.equal(before, build(option, checkpointing=False).eval()(image))
        other = copy.deepcopy(network)
        for parameter in other.parameters():
            parameter.zero_()
        assert torch.equal(network(image), before)
        assert not other(image).any()
