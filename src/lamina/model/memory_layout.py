"""How weights lie in memory."""

from __future__ import annotations

import torch
from torch import nn

_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def channels_last(network: nn.Module) -> nn.Module:
    """Lay out weights of two and of three axes with their channels last, and return the network.

    That is how the processor and the GPU convolve fastest. ``Module.to`` knows one layout for all
    weights, and fails on a network that has both.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim in _LAST:
            tensor.data = tensor.data.to(memory_format=_LAST[tensor.ndim])
    return network
