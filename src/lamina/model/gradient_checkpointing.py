"""Memory for time: what a block computed is forgotten, and computed again for its gradient.

Chen et al. 2016, "Training deep nets with sublinear memory cost". A network then keeps what goes
into each of its blocks, and all that one block computes, in place of all that all of them compute.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointing(network: nn.Module) -> None:
    """Make the blocks of ``network`` forget, in training mode, what only gradients need.

    Blocks are the members of its sequences and lists of modules that have members themselves:
    the residual blocks of a ResNet, the blocks of each stage of a transformer, the stages of a
    decoder. Answers, gradients, batch statistics and names of weights stay as they are; a step
    takes about a third longer.
    """
    for block in _blocks(network):
        # An attribute of the instance goes before the method of the class; hooks stay in effect.
        block.__dict__["forward"] = _Recomputed(block)


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if _listed(module) and any(child.children()) and not _holds_blocks(child):
            yield child
        else:
            yield from _blocks(child)


def _listed(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential | nn.ModuleList)


def _holds_blocks(module: nn.Module) -> bool:
    return _listed(module) and any(any(child.children()) for child in module.children())


class _Recomputed:
    """The forward pass of one block."""

    def __init__(self, block: nn.Module) -> None:
        self._block = block

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        forward = partial(type(self._block).forward, self._block)
        if not (self._block.training and torch.is_grad_enabled()):
            return forward(*args, **kwargs)
        return checkpoint(
            forward, *args, use_reentrant=False, context_fn=partial(_twice, self._block), **kwargs
        )


def _twice(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _statistics_kept(block)


@contextmanager
def _statistics_kept(block: nn.Module) -> Iterator[None]:
    """Leave the running statistics of norms alone: the first pass has counted the batch."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
