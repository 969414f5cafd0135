"""Optimisers, and the four groups of weights they treat apart.

Every parameter of a network stands in exactly one group: what is not in the encoder counts as
decoder, the last convolution too.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, NonNegativeFloat, model_validator

from lamina.spec import Spec

if TYPE_CHECKING:
    from torch import nn, optim

Betas = tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]]


class Optimizer(Spec):
    """How weights change at a step; rates and decays may differ between encoder and the rest."""

    lr: float = Field(default=1e-3, gt=0)
    """Learning rate, before the schedule's factor."""

    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay, per step and unit of learning rate."""

    encoder_lr: NonNegativeFloat | None = None
    """Learning rate of the encoder; null: ``lr``."""

    encoder_weight_decay: NonNegativeFloat | None = None
    """Weight decay of the encoder; null: ``weight_decay``."""

    decay_bias: bool = True  # STEEL-14
    """Whether weight decay also applies to biases and factors of norms."""

    def groups(self, network: nn.Module) -> list[dict[str, Any]]:
        """Return torch's parameter groups, each parameter of ``network`` in exactly one.

        The names are encoder_weights, decoder_weights, encoder_biases, decoder_biases; biases
        are all parameters of at most one axis, so the factors of norms too. Groups without
        parameters are left out; frozen parameters are kept, since a later epoch may free them.
        """
        parameters_by_group: dict[str, list[nn.Parameter]] = {
            f"{half}_{what}": []
            for what in ("weights", "biases")
            for half in ("encoder", "decoder")
        }
        for name, parameter in network.named_parameters():
            half = "encoder" if name.startswith("encoder.") else "decoder"
            what = "biases" if parameter.ndim <= 1 or name.endswith(".bias") else "weights"
            parameters_by_group[f"{half}_{what}"].append(parameter)
        return [
            {"name": name, "params": parameters, **self._rates(name)}
            for name, parameters in parameters_by_group.items()
            if parameters
        ]

    def _rates(self, name: str) -> dict[str, float]:
        lr, decay = self.lr, self.weight_decay
        if name.startswith("encoder"):
            lr = lr if self.encoder_lr is None else self.encoder_lr
            decay = decay if self.encoder_weight_decay is None else self.encoder_weight_decay
        if name.endswith("biases") and not self.decay_bias:
            decay = 0.0
        return {"lr": lr, "initial_lr": lr, "weight_decay": decay}

    @abstractmethod
    def build(self, network: nn.Module) -> optim.Optimizer:
        """Return torch's optimiser of all parameters of ``network``.

        Fused where torch has it: a quarter of the time of the loop over parameters. A fused step
        is silently wrong where state and parameter differ in memory layout, so that state must
        be loaded by ``lamina.training.saving.state.load_optimizer``.
        """


class Sgd(Optimizer):
    """Gradient descent with momentum; decay is added to the gradient."""

    kind: Literal["sgd"] = "sgd"

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum factor."""

    nesterov: bool = False
    """Look ahead by the momentum before taking the gradient."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")
        return self

    def build(self, network: nn.Module) -> optim.Optimizer:
        """Return ``torch.optim.SGD``."""
        from torch import optim

        return optim.SGD(
            self.groups(network),
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            fused=True,
        )


class _Adaptive(Optimizer):
    betas: Betas = (0.9, 0.999)
    """Decay rates of the running means of the gradient and of its square."""

    eps: float = Field(default=1e-8, gt=0)
    """Added to the denominator."""


class Adam(_Adaptive):
    """Adam (Kingma and Ba 2015); decay is added to the gradient."""

    kind: Literal["adam"] = "adam"

    def build(self, network: nn.Module) -> optim.Optimizer:
        """Return ``torch.optim.Adam``."""
        from torch import optim

        return optim.Adam(
            self.groups(network), lr=self.lr, betas=self.betas, eps=self.eps, fused=True
        )


class AdamW(_Adaptive):
    """Adam with decay of its own, apart from the gradient (Loshchilov and Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"

    weight_decay: float = Field(default=0.01, ge=0)
    """Weight decay, per step and unit of learning rate."""

    def build(self, network: nn.Module) -> optim.Optimizer:
        """Return ``torch.optim.AdamW``."""
        from torch import optim

        return optim.AdamW(
            self.groups(network), lr=self.lr, betas=self.betas, eps=self.eps, fused=True
        )


class RAdam(_Adaptive):  # STEEL-14
    """Rectified Adam (Liu et al. 2020) with decay apart from the gradient."""

    kind: Literal["radam"] = "radam"

    def build(self, network: nn.Module) -> optim.Optimizer:
        """Return ``torch.optim.RAdam``."""
        from torch import optim

        return optim.RAdam(
            self.groups(network),
            lr=self.lr,
            betas=self.betas,
            eps=self.eps,
            decoupled_weight_decay=True,
        )


AnyOptimizer = Annotated[Sgd | Adam | AdamW | RAdam, Field(discriminator="kind")]

__all__ = ["Adam", "AdamW", "AnyOptimizer", "Optimizer", "RAdam", "Sgd"]
