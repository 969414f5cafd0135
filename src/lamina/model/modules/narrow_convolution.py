"""Convolutions of three axes that bfloat16 gets wrong on some processors.

With AMX instructions oneDNN reads memory beyond the input where a convolution strides along the
last axis and one place is left there (pytorch#169688): forward and gradient are arbitrary numbers.
In training it writes beyond memory where at most 16 channels are before and behind, and on maps of
more than 64 places along an axis with more channels, too (seen from 80 places on, up to 64
channels): weights are spoilt, or the process ends. All of these are computed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_BLOCK = 16
"""Channels that oneDNN computes together."""

_LARGE = 64
"""Places along an axis beyond which a map is large."""


def exact_where_narrow(network: nn.Module) -> None:
    """Compute in float32, on a processor, what strides along the last axis down to one place, and
    in training what has few channels or large maps.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.register_forward_hook(_in_float32)


def _is_spoilt(module: nn.Conv3d, image: Tensor) -> bool:
    """Whether gradients of an image (B, C, D, H, W) in bfloat16 may be written beyond memory."""
    few = max(module.in_channels, module.out_channels) <= _BLOCK
    return few or max(image.shape[2:]) > _LARGE


def is_wrong_here() -> bool:
    """Return whether this processor gets such a convolution wrong; takes some milliseconds."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(64, 32, 3, 3, 3, generator=generator) / 30
    for side in (1, 2):
        image = torch.randn(1, 32, 8, 8, side, generator=generator)
        found, expected = (
            nn.functional.conv3d(image.to(kind), weight.to(kind), stride=2, padding=1).float()
            for kind in (torch.bfloat16, torch.float32)
        )
        if not torch.allclose(found, expected, atol=0.1):
            return True
    return False


def _in_float32(module: nn.Conv3d, args: tuple[Any, ...], answer: Tensor) -> Tensor:
    wrong = answer.dtype == torch.bfloat16 and answer.device.type == "cpu"
    one_place = module.stride[-1] > 1 and answer.shape[-1] == 1
    trained = answer.requires_grad and _is_spoilt(module, args[0])
    if not wrong or not (one_place or trained):
        return answer
    with torch.autocast("cpu", enabled=False):
        weight = module.weight.float()
        bias = None if module.bias is None else module.bias.float()
        exact = nn.functional.conv3d(
            args[0].float(),
            weight,
            bias,
            module.stride,
            module.padding,
            module.dilation,
            module.groups,
        )
    return exact.to(answer.dtype)
