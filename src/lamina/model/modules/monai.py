"""Networks of MONAI, and what is changed of them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lamina.errors import RecipeError

_CLASSES = {"dynunet": "DynUNet", "segresnet": "SegResNet", "swinunetr": "SwinUNETR"}
_OURS = {"self", "spatial_dims", "in_channels", "out_channels", "deep_supervision"}


def monai_network(
    kind: str,
    inputs: int,
    outputs: int,
    *,
    axes: int,
    options: Mapping[str, Any],
    supervision: bool,
) -> nn.Module:
    """Return a network of the library at its random start.

    It maps (B, inputs, *S) to (B, outputs, *S) logits; with ``supervision``, in training mode, to
    a list of them, from full size to coarser ones.

    Args:
        kind: The network, as a recipe names it.
        inputs: Channels of the image.
        outputs: Channels of the answer.
        axes: How many S are, 2 or 3.
        options: Of the network, by the library's names.
        supervision: Whether coarser levels of dynunet answer in training.

    Raises:
        RecipeError: MONAI is not installed, or options do not exist or do not go together.
    """
    try:
        from monai.networks import nets
    except ImportError:
        raise RecipeError(
            f"network.kind is {kind}, a network of MONAI, which is not installed; pip install "
            "'lamina[monai]'"
        ) from None
    make = getattr(nets, _CLASSES[kind])
    _check_names(kind, make, options)
    made = {"spatial_dims": axes, "in_channels": inputs, "out_channels": outputs, **options}
    if kind == "dynunet":
        made.setdefault("upsample_kernel_size", list(made["strides"][1:]))
        made["deep_supervision"] = supervision
        if supervision:
            made.setdefault("deep_supr_num", max(len(made["strides"]) - 2, 1))
    try:
        network: nn.Module = make(**made)
    except (TypeError, ValueError, AssertionError, KeyError, IndexError) as error:
        raise RecipeError(f"network.options of {kind}: {error}") from error
    if kind == "dynunet":
        _keep_once(network)
    if supervision:
        network.__dict__["forward"] = _Levels(network)
    return network


def _keep_once(network: nn.Module) -> None:
    """Take the layers of DynUNet that it also holds in ``skip_layers`` out of its own names.

    They are run from there; under two names each weight would be stored twice, which files of
    weights refuse.
    """
    inside = {id(module) for module in network.skip_layers.modules()}  # type: ignore[union-attr]
    for name, child in list(network.named_children()):
        if name != "skip_layers" and {id(module) for module in _layers(child)} <= inside:
            delattr(network, name)


def _layers(module: nn.Module) -> list[nn.Module]:
    """Return a module, or the members of a list of modules, of which none is run by itself."""
    return list(module) if isinstance(module, nn.ModuleList) else [module]


def _check_names(kind: str, make: type[nn.Module], options: Mapping[str, Any]) -> None:
    known = [name for name in inspect.signature(make.__init__).parameters if name not in _OURS]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            what = f"did you mean '{near[0]}'?" if near else f"it must be one of {', '.join(known)}"
            raise RecipeError(f"network.options.{name} is not an option of {kind}; {what}")


class _Levels:
    """The forward pass of DynUNet with logits of each level at its own size.

    The library's own enlarges them to full size and stacks them.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, image: Tensor) -> Tensor | list[Tensor]:
        network: Any = self._network
        answer: Tensor = network.output_block(network.skip_layers(image))
        return [answer, *network.heads] if network.training else answer
