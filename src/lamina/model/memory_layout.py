"""How weights and inputs lie in memory, and weights whose memory is filled later."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter, init
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.overrides import TorchFunctionMode

_DRAWS = frozenset(
    (init.kaiming_uniform_, init.normal_, init.uniform_, Tensor.normal_, Tensor.uniform_)
)
"""Functions of torch that fill a tensor with random numbers; others of ``init`` call these."""

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


class WithoutRandomStart(TorchFunctionMode):
    """Inside the block, parameters that would be filled with random numbers stay as they are.

    Drawing millions of numbers is half of the time of building a network, and in vain where weights
    come from elsewhere. The memory is not initialised: each parameter must be filled afterwards, as
    ``load_state_dict`` does. Other tensors, such as buffers, are filled as ever.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parameter of a function that draws; do any other function."""
        named = kwargs or {}
        if func in _DRAWS:
            tensor = named["tensor"] if "tensor" in named else args[0]
            if isinstance(tensor, Parameter):
                return tensor
        return func(*args, **named)
