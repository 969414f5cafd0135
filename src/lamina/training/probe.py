"""What a network can at best repeat: it is trained for a moment to answer its own input.

A decoder that interpolates cannot give back the fine grain of its input however long it learns,
and no denoiser built on it will (NOISE-10). Normalisation, tiles and number types are those of the
recipe, so that what is lost on the way to the network and back shows as well.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from lamina.data.case import Case
from lamina.data.network_input.normalise import AnyNormalise
from lamina.data.targets.ground_truth import truth
from lamina.data.units import with_unit
from lamina.data.views.corrupted import Corrupted
from lamina.errors import RecipeError
from lamina.evaluation.columns import aligned
from lamina.model.deep_supervision import total_over_sizes
from lamina.model.memory_layout import lay_out, layout_of
from lamina.model.metrics import Psnr, Ssim
from lamina.model.networks import AnyNetwork
from lamina.model.weights import downloads
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose, choose_device, name_of
from lamina.progress import Bar
from lamina.public import StrPath, VerbResult, as_path, at_least
from lamina.recipe.load import recipe_of
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.seeding import rng
from lamina.training.dataset import open_data
from lamina.training.process_state import own_random_state
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import Batch, epoch_of
from lamina.volume import without_view

_AT = (0.25, 0.5, 0.75)  # slices of volumes to judge by
_WARM = 3  # steps that are not timed
_KEPT = ("encoder", "weights", "stem", "activation")


@dataclass(frozen=True)
class ProbedNetwork(VerbResult):
    """How well a network repeats its input."""

    network: str
    """Kind of the network."""
    ssim: float
    """Structural similarity of output and input, at most 1."""
    psnr: float
    """Peak signal-to-noise ratio of output and input, in decibel."""
    parameters: int
    """Number of parameters."""
    memory: int
    """Bytes of weights, gradients, optimiser state and what a batch keeps for the way back."""
    seconds: float
    """Median time of a step."""
    loss: float
    """Loss of the last step."""


@dataclass(frozen=True)
class ProbeResult(VerbResult):
    """What ``probe`` measured."""

    recipe: str
    """Name of the recipe."""
    steps: int
    """Optimiser steps of each network."""
    device: str
    """``cpu``, ``cuda`` or ``mps``."""
    precision: str
    """Type of the forward passes."""
    range: float
    """Difference of the greatest and least value of the images that were compared."""
    networks: tuple[ProbedNetwork, ...]
    """The networks, in the order asked for."""


@verb
def probe(
    recipe: Recipe | StrPath,
    *,
    data: StrPath,
    compare: Sequence[str] = (),
    steps: int = 200,
    cases: int = 6,
    device: str = "auto",
    online: bool = False,
) -> ProbeResult:
    """Train networks to repeat their input and say how well they can.

    Of a recipe with corrupted images the clean ones are repeated. Warps and flips are left out,
    and so is a residual connection, with which there is nothing to repeat.

    Args:
        recipe: For a restore task; its first stage says batch, sampler and optimiser. The rate
            falls along a cosine to 0.
        data: The data folder; the first fold's held-out cases are judged.
        compare: Kinds of networks in place of the recipe's; none: its own.
        steps: Optimiser steps for each.
        cases: Most held-out images (or slices, three along each axis) to judge by.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        online: Download published weights that the recipe names and this machine lacks.

    Returns:
        Similarity, size, memory and time of each network.

    Raises:
        RecipeError: the task is not to restore, the outputs are not the inputs, or a kind of
            network does not exist or suit the recipe.
        DataError: the data cannot be read.

    Example:
        >>> result = probe("denoise-laptop", data="pairs")  # doctest: +SKIP
        >>> print(table(result))  # doctest: +SKIP
    """
    at_least(1, steps=steps, cases=cases)
    recipe = recipe_of(recipe)
    if recipe.task.kind != "restore":
        raise RecipeError(
            f"recipe {recipe.name}: task.kind is {recipe.task.kind}, and only a network that "
            "restores can reconstruct its input"
        )
    networks = [_like(recipe.network, kind) for kind in compare] or [recipe.network]
    bench = _bench(recipe, as_path(data, "data"), choose_device(device), cases)
    keep_memory()
    with own_random_state(bench.device), downloads(allowed=online):
        tried = tuple(bench.run(network, steps) for network in networks)
    return ProbeResult(
        recipe=recipe.name,
        steps=steps,
        device=bench.device.type,
        precision=name_of(bench.precision),
        range=bench.span,
        networks=tried,
    )


@dataclass(frozen=True)
class _Bench:
    """What all networks are tried on."""

    recipe: Recipe
    training: Sequence[Case]
    judged: Sequence[Case]
    normalise: AnyNormalise
    device: torch.device
    precision: torch.dtype | None
    span: float
    """From the least to the greatest value of what is judged."""

    def run(self, option: AnyNetwork, steps: int) -> ProbedNetwork:
        """Train one network and judge it."""
        recipe = _with(self.recipe, option)
        seed = int(rng(recipe.seed, "probe").integers(2**31))
        torch.manual_seed(seed)  # the same start wherever networks are alike
        network = recipe.network.build(recipe.frame.inputs, recipe.task.outputs).to(self.device)
        lay_out(network)
        count = sum(parameter.numel() for parameter in network.parameters())
        spent, kept, loss = self._train(recipe, network, steps)
        ssim, psnr = self._judge(recipe, network)
        return ProbedNetwork(
            network=recipe.network.kind,
            ssim=ssim,
            psnr=psnr,
            parameters=count,
            memory=kept + 16 * count,  # weight, gradient and two moments in float32
            seconds=round(spent, 4),
            loss=loss,
        )

    def _train(self, recipe: Recipe, network: nn.Module, steps: int) -> tuple[float, int, float]:
        """Return the median time of a step, the bytes kept for the way back, and the last loss."""
        optimizer = recipe.stages[0].optimizer.build(network)
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        network.train()
        times, kept, last = [], 0, math.nan
        with Bar(f"probing {recipe.network.kind}", steps) as bar:
            for step, batch in enumerate(self._batches(recipe, steps)):
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * (1 + math.cos(math.pi * step / steps)) / 2
                begun = time.perf_counter()
                with _Kept() as held:
                    loss = self._loss(recipe, network, batch)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                last, kept = float(loss.detach()), max(kept, held.bytes)
                times.append(time.perf_counter() - begun)
                bar.advance(note=f"loss {last:.4f}")
        return statistics.median(times[_WARM:] or times), kept, last

    def _loss(self, recipe: Recipe, network: nn.Module, batch: Batch) -> Tensor:
        there = batch.on(self.device, layout_of(network, batch.image.ndim))
        with torch.autocast(
            self.device.type, dtype=self.precision, enabled=self.precision is not None
        ):
            answer = network(there.image)
        return total_over_sizes(recipe.loss, answer, there.target, there.valid, exclusive=False)[0]

    def _batches(self, recipe: Recipe, steps: int) -> Iterator[Batch]:
        stage, done, epoch = recipe.stages[0], 0, 0
        while done < steps:
            samples = epoch_of(recipe, recipe.task, self.training, self.normalise, stage, epoch)
            groups = stage.sampler.groups(len(samples), stage.batch)[: steps - done]
            yield from batches(samples, groups, workers=0)
            done, epoch = done + len(groups), epoch + 1

    def _judge(self, recipe: Recipe, network: nn.Module) -> tuple[float, float]:
        ssim, psnr = Ssim(span=self.span), Psnr(peak=self.span)
        tallies: tuple[list[Any], list[Any]] = ([], [])
        member = Member(network, self.normalise)
        options = recipe.predict.model_copy(update={"views": "as_is"})
        plain = recipe.model_copy(update={"predict": options})
        for case in self.judged:
            answer = predict_case(
                case, [member], plain, device=self.device, precision=self.precision
            )
            target, valid = truth(case, recipe.task)
            for metric, rows in zip((ssim, psnr), tallies, strict=True):
                rows.append(metric.tally(answer, target, valid))
        return ssim.score(tallies[0]).value, psnr.score(tallies[1]).value


class _Kept:
    """Counts the bytes of the different tensors that a forward pass keeps for the way back."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._note, lambda kept: kept)

    @property
    def bytes(self) -> int:
        return sum(self._seen.values())

    def _note(self, kept: Tensor) -> Tensor:
        if not kept.is_leaf or not kept.requires_grad:  # weights are counted by themselves
            storage = kept.untyped_storage()
            self._seen[storage.data_ptr()] = storage.nbytes()
        return kept

    def __enter__(self) -> _Kept:
        self._hooks.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._hooks.__exit__(*problem)


def _bench(recipe: Recipe, root: Path, device: torch.device, most: int) -> _Bench:
    opened = open_data(recipe, root)
    recipe = opened.recipe
    fold = opened.numbers[0]
    training = [_repeated(case) for case in opened.training(fold)]
    held_out = [_repeated(case) for case in opened.held_out(fold)] or training
    judged = recipe.frame.chosen(held_out, _AT)
    task = with_unit(recipe.task.model_copy(update={"unit": None}), training)
    if recipe.frame.channels != task.outputs:
        raise RecipeError(
            f"recipe {recipe.name}: the network has {recipe.frame.channels} input channels and "
            f"{task.outputs} output channels, and cannot reconstruct its input"
        )
    judged = judged[:: max(1, len(judged) // most)][:most]
    ends = [(float(one.min()), float(one.max())) for one in (truth(c, task)[0] for c in judged)]
    return _Bench(
        recipe=recipe.model_copy(update={"task": task, "transforms": ()}),
        training=recipe.frame.cases(training),
        judged=judged,
        normalise=recipe.frame.fit(training),
        device=device,
        precision=choose(recipe.precision, device),
        span=(max(high for _, high in ends) - min(low for low, _ in ends)) or 1.0,
    )


def _repeated(case: Case) -> Case:
    """Return a case whose target is its image, without the noise that a recipe puts on it."""
    image, _ = without_view(case.image, Corrupted)
    return replace(case, image=image, target=image)


def _with(recipe: Recipe, option: AnyNetwork) -> Recipe:
    try:
        option = option.suited(recipe.frame.size, recipe.frame.spacing)
    except ValueError as error:
        raise RecipeError(f"--compare {option.kind}: {error}") from None
    for size in (recipe.frame.size, recipe.tile):
        if (problem := option.unfit(size)) is not None:
            raise RecipeError(f"frame.size is {list(recipe.frame.size)}; {option.kind} {problem}")
    return recipe.model_copy(update={"network": option.model_copy(update={"residual": False})})


def _like(network: AnyNetwork, kind: str) -> AnyNetwork:
    """Return a network of another kind with what both have in common."""
    if kind == network.kind:
        return network
    values = {name: getattr(network, name) for name in _KEPT if hasattr(network, name)}
    adapter: TypeAdapter[AnyNetwork] = TypeAdapter(AnyNetwork)
    try:
        return adapter.validate_python({"kind": kind, **values})
    except ValidationError as error:
        unknown = {one["loc"][-1] for one in error.errors() if one["type"] == "extra_forbidden"}
    try:
        known = {name: value for name, value in values.items() if name not in unknown}
        return adapter.validate_python({"kind": kind, **known})
    except ValidationError as error:
        raise RecipeError(f"--compare {kind}: {error.errors()[0]['msg']}") from None


def table(result: ProbeResult) -> str:
    """Return what ``probe`` found as plain text, a row for each network."""
    rows = [("network", "SSIM", "PSNR dB", "parameters", "memory", "time per step")]
    rows += [
        (
            network.network,
            f"{network.ssim:.4f}",
            f"{network.psnr:.2f}",
            f"{network.parameters / 1e6:.2f} M",
            f"{network.memory / 2**20:.0f} MiB",
            f"{network.seconds * 1000:.0f} ms",
        )
        for network in result.networks
    ]
    head = (
        f"{result.recipe}: reconstruction of the input after {result.steps} training steps "
        f"({result.device}, {result.precision})"
    )
    return "\n".join([head, *aligned(rows)])
