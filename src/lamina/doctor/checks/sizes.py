"""Whether the network can be built and takes the sizes of the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding
from lamina.recipe.checks.sizes import sizes_of
from lamina.recipe.recipe import Recipe


@dataclass(frozen=True)
class Sizes:
    """The network's own word on its sizes; they are tried without memory or arithmetic."""

    name: str = "sizes"
    area: Area = "recipe"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Build every network without weights and pass an image of each of its sizes through it."""
        recipe = examined.recipe
        if recipe is None:
            return
        members = [(f" of {one.name}", recipe.member(one.name)) for one in recipe.members]
        for name, member in members or [("", recipe)]:
            yield from _tried(member, name)


def _tried(recipe: Recipe, name: str) -> Iterator[Finding]:
    outputs = recipe.outputs
    untrained = recipe.network.untrained()
    network = untrained.build(recipe.frame.inputs, outputs).eval()
    count = sum(parameter.numel() for parameter in network.parameters())
    where = f"network {recipe.network.kind}{name}"
    yield Finding("fine", where, f"{count / 1e6:.1f} million weights")
    network = network.to("meta")
    for key, size in sizes_of(recipe).items():
        place = f"{key} {list(size)}{name}"
        problem = _problem(network, (1, recipe.frame.inputs, *size), outputs)
        if problem:
            remedy = f"set {key} to multiples of {list(recipe.network.multiples)}"
            yield Finding("error", place, problem, remedy)
        else:
            yield Finding("fine", place, "fits the network")


def _problem(network: nn.Module, shape: tuple[int, ...], outputs: int) -> str | None:
    try:
        with torch.inference_mode():
            answer = network(torch.empty(shape, device="meta"))
    except (RuntimeError, ValueError) as error:
        return f"does not fit the network ({str(error).splitlines()[0]})"
    wanted = (1, outputs, *shape[2:])
    if tuple(answer.shape) != wanted:
        return f"becomes {tuple(answer.shape)} after the network, not {wanted}"
    return None
