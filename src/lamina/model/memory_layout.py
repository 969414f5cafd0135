"""How weights and inputs lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def lay_out(network: nn.Module) -> nn.Module:
    """Lay out weights as the processor and the GPU convolve fastest, and return the network.

    Channels last; weights of three axes only where no norm is of single channels, which is slower
    that way than contiguous. Outputs differ by rounding alone. ``Module.to`` knows one layout for
    all weights, and fails on a network that has both.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim in _LAST:
            tensor.data = tensor.data.to(memory_format=layout_of(network, tensor.ndim))
    return network


def layout_of(network: nn.Module, ndim: int) -> torch.memory_format:
    """Return the layout of tensors of so many axes, batch and channels included, in a network."""
    if ndim not in _LAST or (ndim == 5 and _norms_single_channels(network)):
        return torch.contiguous_format
    return _LAST[ndim]


def laid_out(network: nn.Module, batch: Tensor) -> Tensor:
    """Return a batch (B, C, *S) in the layout of the network's weights of as many axes."""
    return batch.contiguous(memory_format=layout_of(network, batch.ndim))


def _norms_single_channels(network: nn.Module) -> bool:
    return any(
        isinstance(module, _InstanceNorm)
        or (isinstance(module, nn.GroupNorm) and module.num_groups == module.num_channels)
        for module in network.modules()
    )
