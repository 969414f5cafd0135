"""One network out of several: the mean of their weights, with batch statistics to match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MethodType

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lamina.model.memory_layout import laid_out
from lamina.prediction.engine import Member
from lamina.progress import Bar, say
from lamina.training.saving.checkpoints import Checkpoints
from lamina.training.saving.state import KeptCheckpoint
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import epoch_of
from lamina.training.stage.validate import validate


def soup(job: FoldContext, now: StageState, checkpoints: Checkpoints) -> KeptCheckpoint:
    """Write the mean of the stage's checkpoints as one and return it, validated.

    The mean of weights has the batch statistics of no network, so that these are taken anew from
    one pass over the training batches of the epoch after the last: always the same ones. A
    checkpoint carried in from an earlier stage has no part in the mean; it is returned instead
    where the mean is not strictly better (SIIM-19).
    """
    stage, position = now.stage, now.position
    own = [one for one in position.kept if one.stage == stage.name]
    carried = [one for one in position.kept if one.stage != stage.name]
    if not own:
        return carried[0]
    with _lent(now.network, mean_of([job.folder / stage.name / one.file for one in own])):
        _refresh(job, now)
        judged = validate(
            job.recipe,
            job.task,
            job.held_out,
            Member(now.network, job.normalise),
            device=job.accelerator.device,
            precision=job.precision,
        )
        if judged is None:
            raise ValueError("only the main rank makes a mean of weights")
        score = judged.value
        made = checkpoints.write("soup", score, own[0].epoch, now.network.state_dict())
    words = f"mean of {len(own)} weights {score:.4f}, the best of them {own[0].score:.4f}"
    say(f"{job.title} {stage.name} {words}")
    sign = 1 if job.recipe.monitor.higher_is_better else -1
    return max([*carried, made], key=lambda one: sign * (one.score or 0.0))


def mean_of(paths: Sequence[Path]) -> dict[str, Tensor]:
    """Return the mean of weight files, summed in float64; whole numbers are those of the first."""
    first = load_file(paths[0])
    sums = {name: value.double() for name, value in first.items() if value.is_floating_point()}
    for path in paths[1:]:
        for name, value in load_file(path).items():
            if name in sums:
                sums[name] += value
    return first | {name: (sums[name] / len(paths)).to(first[name].dtype) for name in sums}


@contextmanager
def _lent(network: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Lend ``weights`` to the network for the block, then give its own back."""
    own = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(dict(weights))
    try:
        yield
    finally:
        network.load_state_dict(own)


@contextmanager
def _by_itself(norms: Sequence[nn.Module]) -> Iterator[None]:
    """Let norms that wait for the batches of other ranks see those of this one alone."""
    shared = [norm for norm in norms if isinstance(norm, nn.SyncBatchNorm)]
    for norm in shared:
        norm.__dict__["forward"] = MethodType(_BatchNorm.forward, norm)
    try:
        yield
    finally:
        for norm in shared:
            del norm.__dict__["forward"]


@torch.no_grad()
def _refresh(job: FoldContext, now: StageState) -> None:
    """Take the batch statistics anew: plain means over one pass, without dropout."""
    frozen = now.stage.freeze_encoder >= now.stage.epochs
    norms = [
        module
        for name, module in now.network.named_modules()
        if isinstance(module, _BatchNorm) and not (frozen and name.startswith("encoder."))
    ]
    if not norms:
        return
    stage, cases = job.made.mixed(now.stage, job.cases)
    samples = epoch_of(job.recipe, job.task, cases, job.normalise, stage, now.position.epoch)
    groups = stage.sampler.groups(len(samples), stage.batch)
    before = [module.momentum for module in norms]
    now.network.eval()
    for module in norms:
        module.reset_running_stats()
        module.momentum = None  # torch's word for the plain mean over all batches
        module.train()
    title = f"{job.title} {stage.name} batch statistics"
    with _by_itself(norms), Bar(title, len(groups)) as bar:
        for batch in batches(samples, groups, workers=job.workers):
            image = laid_out(now.network, batch.image.to(job.accelerator.device))
            with job.accelerator.autocast():
                now.network(image)
            bar.advance()
    for module, momentum in zip(norms, before, strict=True):
        module.momentum = momentum
    now.network.eval()
