"""What steps came to: kept on the device, and read by the host now and then."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from lamina.training.saving.state import Position

EVERY = 20
"""Steps between two looks of the host at what they came to."""


@dataclass
class StepTotals:
    """What steps came to since the host last looked, on the device."""

    names: list[str] = field(default_factory=list)
    _sums: list[Tensor] = field(default_factory=list)
    _samples: Tensor | None = None
    _counts: Tensor | None = None
    """Steps left out; those in a row by now; the longest such row since the last look."""
    _bad: Tensor | None = None
    """Loss and norm of the last step left out."""
    steps: int = 0
    """Steps since the last look."""

    def add(self, means: Mapping[str, Tensor], norm: Tensor, finite: Tensor, samples: int) -> None:
        """Add one step.

        Args:
            means: Mean of each loss over the samples of the step, scalars on the device.
            norm: Of the gradient.
            finite: Whether the step was taken, a scalar of bool.
            samples: How many it has.
        """
        wide = torch.float32 if norm.device.type == "mps" else torch.float64
        if self._counts is None or self._samples is None or self._bad is None:
            self.names = list(means)
            self._sums = [torch.zeros((), dtype=wide, device=norm.device) for _ in means]
            self._samples = torch.zeros((), dtype=wide, device=norm.device)
            self._counts = torch.zeros(3, dtype=torch.int64, device=norm.device)
            self._bad = torch.zeros(2, dtype=torch.float32, device=norm.device)
        self.steps += 1
        for total, name in zip(self._sums, self.names, strict=True):
            total.add_(torch.where(finite, means[name].detach().to(wide) * samples, 0.0))
        self._samples.add_(finite.to(wide) * samples)
        left_out = (~finite).long()
        row = (self._counts[1] + 1) * left_out
        longest = torch.maximum(self._counts[2], row)
        self._counts = torch.stack([self._counts[0] + left_out, row, longest])
        now = torch.stack([means["loss"].detach().float(), norm.float()])
        self._bad = torch.where(finite, self._bad, now)

    def read(self, position: Position) -> StepsRead:
        """Add what came of the steps to the position; the device is waited for, once."""
        self.steps = 0
        if self._counts is None or self._samples is None or self._bad is None:
            return StepsRead()
        wide = self._samples.dtype
        parts = [*self._sums, self._samples, *self._counts.to(wide), *self._bad.to(wide)]
        values = torch.stack(parts).tolist()
        count = len(self.names)
        samples, (skipped, _, longest), bad = values[count], values[count + 1 : -2], values[-2:]
        sums = dict(zip(self.names, values[:count], strict=True))
        if samples:
            for name, value in {**sums, "samples": samples}.items():
                position.sums[name] = position.sums.get(name, 0.0) + value
        position.skipped += int(skipped)
        for total in (*self._sums, self._samples):
            total.zero_()
        self._counts = self._counts * self._counts.new_tensor([0, 1, 0])
        loss = sums["loss"] / samples if samples else math.nan
        why = f"loss {bad[0]}, gradient norm {bad[1]}" if skipped else ""
        return StepsRead(loss, int(longest), why)


@dataclass(frozen=True)
class StepsRead:
    """What the host reads of several steps."""

    loss: float = math.nan
    """Mean over the samples of the steps that were taken."""
    worst: int = 0
    """The most steps in a row that were left out."""
    why: str = ""
    """What was not finite at the last one left out; empty: none was."""
