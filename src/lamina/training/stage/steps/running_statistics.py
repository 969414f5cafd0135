"""Running statistics of norms, as one process would have them after the batches of all ranks.

A batch with statistics s takes a running value r to (1 - m) r + m s. The k batches of one rank
therefore take it to (1 - m)^k r + c, whatever r is, and those of all ranks one after another:

    r -> (1 - m)^k0 r + c0 -> (1 - m)^k1 (...) + c1 -> ...

Each rank finds its k and c by what it made of r, and tells the others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import SyncBatchNorm, _BatchNorm


class RunningStatistics:
    """The running means and variances of a network at the beginning of a step."""

    def __init__(self, network: nn.Module) -> None:
        self._norms = [
            module
            for module in network.modules()
            if isinstance(module, _BatchNorm)
            and not isinstance(module, SyncBatchNorm)  # these have those of all ranks already
            and module.training
            and module.running_mean is not None
        ]
        self._before = [[value.clone() for value in _of(norm)] for norm in self._norms]

    def __bool__(self) -> bool:
        return bool(self._norms)

    @torch.no_grad()
    def changes(self) -> Tensor:
        """Return what this rank's batches did, float32: for each norm k, then c of its values."""
        parts = []
        for norm, (mean, var, count) in zip(self._norms, self._before, strict=True):
            now_mean, now_var, now_count = _of(norm)
            batches = (now_count - count).float()
            kept = (1 - _momentum(norm)) ** batches
            parts += [batches.reshape(1), now_mean - kept * mean, now_var - kept * var]
        return torch.cat(parts)

    @torch.no_grad()
    def put(self, changes: Tensor) -> None:
        """Give the norms what the batches of all ranks come to.

        Args:
            changes: (ranks, ...), as ``changes`` returns them, in the order of the ranks.
        """
        at = 0
        for norm, before in zip(self._norms, self._before, strict=True):
            mean, var, count = (value.clone() for value in before)
            size = mean.numel()
            for row in changes:
                batches = row[at]
                kept = (1 - _momentum(norm)) ** batches
                mean = kept * mean + row[at + 1 : at + 1 + size]
                var = kept * var + row[at + 1 + size : at + 1 + 2 * size]
                count = count + batches.long()
            for value, new in zip(_of(norm), (mean, var, count), strict=True):
                value.copy_(new)
            at += 1 + 2 * size


def _of(norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    mean, var, count = norm.running_mean, norm.running_var, norm.num_batches_tracked
    if mean is None or var is None or count is None:
        raise ValueError("a norm without running statistics")
    return mean, var, count


def _momentum(norm: _BatchNorm) -> float:
    if norm.momentum is None:
        raise ValueError("a norm whose running statistics are plain means")
    return float(norm.momentum)
