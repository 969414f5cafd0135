"""One network for every window of slices, and one answer of all windows.

Letters: B batch, C channels (the slices), N windows, D slices of a window, K outputs, H and W rows
and columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn


def fuse(
    network: nn.Module, *, aggregate: str, window: int, step: int, windows: int, outputs: int
) -> None:
    """Make ``network`` see every window of slices, and answer once for all of them.

    Args:
        network: From (BN, D, H, W) to (BN, outputs x ``maps_of(aggregate)``, H, W); it then maps
            (B, C, H, W) to (B, outputs, H, W).
        aggregate: conv, mean, max or attention.
        window: Slices of a window.
        step: Slices from one window to the next.
        windows: How many windows C slices have.
        outputs: Of the fused network.
    """
    make, _ = AGGREGATES[aggregate]
    network.aggregate = make(windows, outputs)
    network.register_forward_pre_hook(partial(_split, window, step))
    network.register_forward_hook(partial(_join, windows))


def maps_of(aggregate: str) -> int:
    """Return how many maps of each output the network of the windows has to answer."""
    return AGGREGATES[aggregate][1]


def _split(window: int, step: int, network: nn.Module, args: tuple[Any, ...]) -> tuple[Tensor]:
    """(B, C, H, W) to (BN, D, H, W), channels last in memory."""
    del network
    image: Tensor = args[0]
    return (image.unfold(1, window, step).flatten(0, 1).permute(0, 3, 1, 2),)


def _join(windows: int, network: nn.Module, args: tuple[Any, ...], logits: Tensor) -> Tensor:
    """(BN, K, H, W) to (B, K, H, W)."""
    del args
    maps = logits.reshape(-1, windows, *logits.shape[1:])
    answer: Tensor = network.get_submodule("aggregate")(maps)
    return answer


class _Conv(nn.Module):
    """One 1x1 convolution from the N maps of an output to its one."""

    def __init__(self, windows: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(windows * outputs, outputs, 1, groups=outputs)
        nn.init.constant_(self.conv.weight, 1 / windows)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, logits: Tensor) -> Tensor:
        answer: Tensor = self.conv(logits.transpose(1, 2).flatten(1, 2))
        return answer


class _Mean(nn.Module):
    def __init__(self, windows: int, outputs: int) -> None:
        super().__init__()

    def forward(self, logits: Tensor) -> Tensor:
        return logits.mean(1)


class _Max(_Mean):
    def forward(self, logits: Tensor) -> Tensor:
        return logits.amax(1)


class _Attention(_Mean):
    """Of 2K maps the first K are logits; the softmax of the others over the windows weighs them."""

    def forward(self, logits: Tensor) -> Tensor:
        values, scores = logits.chunk(2, 2)
        # Exponentials of half precision overflow at a score of 11.
        return (scores.float().softmax(1) * values.float()).sum(1)


AGGREGATES: dict[str, tuple[Callable[[int, int], nn.Module], int]] = {
    "conv": (_Conv, 1),
    "mean": (_Mean, 1),
    "max": (_Max, 1),
    "attention": (_Attention, 2),
}
"""How windows are joined, and the maps of an output that each needs from the network."""
