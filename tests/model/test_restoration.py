"""What a restoring network answers: the same two choices for every kind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from lamina.errors import OptionError, RecipeError
from lamina.model.networks import AnyNetwork, Network, Smp
from lamina.model.restoration import restoring
from lamina.recipe.recipe import Recipe

KINDS: list[dict[str, Any]] = [
    {"kind": "unet", "encoder": "resnet18"},
    {"kind": "unet_plus_plus", "encoder": "resnet18"},
    {"kind": "albunet", "encoder": "resnet18", "filters": 4},
    {"kind": "upconv_unet", "encoder": "resnet18", "filters": (4, 4, 4, 4), "last": 4},
    {"kind": "pixel_shuffle", "encoder": "resnet18", "filters": (4, 4, 4, 4, 4)},
    {"kind": "dncnn", "depth": 3, "width": 4},
    {"kind": "nafnet", "width": 4, "down": (1,), "middle": 0, "up": (1,)},
]


def option(changes: dict[str, Any]) -> Network:
    found: Network = TypeAdapter(AnyNetwork).validate_python(changes)
    return found


def build(changes: dict[str, Any]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return option(changes).build(1, 1)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["kind"])
def test_every_kind_finds_noise_or_shares_and_its_weights_keep_their_names(
    kind: dict[str, Any],
) -> None:
    plain, noise, share = (
        build(kind | {"residual": residual, "activation": activation}).eval()
        for residual, activation in ((False, "identity"), (True, "identity"), (False, "sigmoid"))
    )
    assert plain.state_dict().keys() == noise.state_dict().keys() == share.state_dict().keys()
    image = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = plain(image)
        torch.testing.assert_close(noise(image), image - found)
        torch.testing.assert_close(share(image), found.sigmoid())  # NOISE-9


@pytest.mark.parametrize(("residual", "activation"), [(True, "identity"), (False, "sigmoid")])
def test_the_answer_is_float32_under_autocast_and_can_be_learnt(
    residual: bool, activation: Any
) -> None:
    """NOISE-11: the error is taken of float32 outputs; NOISE-9: the sigmoid is part of them."""
    network = nn.Conv2d(1, 1, 3, padding=1)
    restoring(network, residual=residual, activation=activation)
    image = torch.rand(1, 1, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        answer = network.train()(image)
    assert answer.dtype == torch.float32
    answer.sum().backward()
    assert network.weight.grad is not None
    assert network.weight.grad.abs().sum() > 0


def test_noise_needs_the_size_of_the_input_and_both_signs() -> None:
    with pytest.raises(ValidationError, match="noise is not within"):
        option({"kind": "unet", "residual": True, "activation": "sigmoid"})
    with pytest.raises(OptionError, match="noise cannot be found in means"):
        Smp(residual=True, shrink=2)
    with pytest.raises(RecipeError, match="3 inputs and 1 outputs"):
        option({"kind": "dncnn"}).build(3, 1)


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "small",
            "data": {"kind": "folder"},
            "network": {"kind": "unet"},
            "task": {"kind": "restore"},
            "loss": ({"kind": "mse"},),
            "stages": ({"epochs": 1},),
        }
        | changes
    )


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"kind": "unet", "residual": True}, r"network\.residual is true.*task\.kind is binary"),
        ({"kind": "unet", "activation": "sigmoid"}, r"network\.activation is sigmoid"),
        ({"kind": "dncnn"}, r"network\.residual is true.*set it to false"),
    ],
)
def test_both_choices_are_for_tasks_that_restore(network: dict[str, Any], message: str) -> None:
    assert recipe(network=network).network.kind == network["kind"]
    with pytest.raises(ValidationError, match=message):
        recipe(network=network, task={"kind": "binary"})
    plain = network | {"residual": False, "activation": "identity"}
    assert recipe(network=plain, task={"kind": "binary"}).outputs == 1


def test_what_a_residual_network_answers_has_the_channels_of_its_input() -> None:
    colour = {"frame": {"channels": 3}}
    assert recipe(network={"kind": "dncnn"}, **colour).outputs == 3
    assert recipe(network={"kind": "unet"}, **colour).outputs == 1
    assert recipe(task={"kind": "restore", "names": ("a", "b")}).outputs == 2


@pytest.mark.parametrize(
    "stage", [{"freeze_encoder": 1}, {"optimizer": {"kind": "adam", "encoder_lr": 1e-5}}]
)
def test_what_is_said_of_an_encoder_needs_one(stage: dict[str, Any]) -> None:
    stages = ({"epochs": 1} | stage,)
    assert recipe(stages=stages).network.kind == "unet"
    with pytest.raises(ValidationError, match="dncnn has no encoder"):
        recipe(network={"kind": "dncnn"}, stages=stages)
