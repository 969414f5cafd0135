"""Structural similarity as a loss.

Letters: B batch, K outputs, H and W rows and columns, N = B K images of one channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.errors import RecipeError
from lamina.geometry.similarity import K1, K2, Kernel, Window
from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class Ssim(Loss):
    """1 - the mean structural similarity of all windows whose pixels all count.

    Wang et al. 2004; on images that count as a whole it is 1 less what the metric ``ssim`` of the
    same options says. Answers are values without activation, for tasks that restore.
    """

    kind: Literal["ssim"] = "ssim"

    span: float = Field(default=1.0, gt=0)
    """From the least to the greatest possible value of the target as the network learns it."""

    window: Window = "uniform"
    """uniform: 7 pixels along each axis; gaussian: deviation 1.5 over 11."""

    sample: bool = True
    """Divide variances by n - 1 (scikit-image's default) in place of n (the paper)."""

    @property
    def of_images(self) -> bool:
        """True: its windows are squares of pixels."""
        return True

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar; 0 where no window counts."""
        import torch
        from torch.nn import functional

        refuse_exclusive(self.kind, "cross_entropy or dice", exclusive=exclusive)
        weights = torch.from_numpy(Kernel.of(self.window).weights).to(pixels.logits.device)
        size = len(weights)
        if min(pixels.logits.shape[-2:]) < size:
            raise RecipeError(
                f"loss ssim: samples of {tuple(pixels.logits.shape[-2:])} pixels are smaller than "
                f"its {self.window} window of {size}; set frame.size larger"
            )
        loss = 1 - self._similarity(pixels.logits, pixels.target, weights)
        counts = (functional.max_pool2d(1 - pixels.valid, size, stride=1) == 0).float()
        windows = pixels.summed(counts.sum()) * loss.shape[1]
        return pixels.summed((loss * counts).sum()) / windows.clamp(min=1)

    def _similarity(self, answer: Tensor, target: Tensor, weights: Tensor) -> Tensor:
        """Return (B, K, H - n + 1, W - n + 1): the similarity of each window of n x n pixels."""
        import torch

        # A common shift changes no variance, and keeps float32 exact enough.
        shift = ((answer.mean((2, 3), True) + target.mean((2, 3), True)) / 2).detach()
        x, y = answer - shift, target - shift
        fields = torch.stack([x, y, x * x + y * y, x * y])
        mean_x, mean_y, squares, product = _means(fields, weights)
        many = len(weights) ** 2
        factor = many / (many - 1) if self.sample else 1.0
        c1, c2 = (K1 * self.span) ** 2, (K2 * self.span) ** 2
        spread = (squares - mean_x**2 - mean_y**2) * factor
        together = (product - mean_x * mean_y) * factor
        mean_x, mean_y = mean_x + shift, mean_y + shift
        light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
        return light * (2 * together + c2) / (spread + c2)


def _means(fields: Tensor, weights: Tensor) -> tuple[Tensor, ...]:
    """Return the four fields (4, B, K, H, W) averaged by a separable window, each (B, K, h, w)."""
    from torch.nn import functional

    flat = fields.flatten(0, 2)[:, None]  # (4N, 1, H, W)
    down = functional.conv2d(flat, weights.view(1, 1, -1, 1))
    across = functional.conv2d(down, weights.view(1, 1, 1, -1))
    return tuple(across.view(*fields.shape[:3], *across.shape[-2:]))
