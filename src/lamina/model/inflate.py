"""Networks of two axes made to networks of three, with the weights that they have.

Carreira and Zisserman 2017, "Quo vadis, action recognition?": a kernel is repeated along the new
axis and divided by its length there, so that slices that are all alike answer as one did.

Letters: K channels out, C channels in, D, H and W depth, rows and columns.
"""

from __future__ import annotations

from torch import Tensor, nn


def inflated(weight: Tensor, depth: int) -> Tensor:
    """Return (K, C, depth, H, W) weights from (K, C, H, W): repeated, and divided by ``depth``."""
    return weight.unsqueeze(2).repeat(1, 1, depth, 1, 1) / depth


def inflate(module: nn.Module, *, stride: int) -> nn.Module:
    """Return ``module`` for volumes; what is below it is changed in place.

    Convolutions and pools that are wider than a pixel see three neighbouring slices; those of a
    pixel see one. Batch norms, activations and everything of no axes stay as they are.

    Args:
        module: Of convolutions, batch norms and pools of maxima of two axes.
        stride: Along depth, of what strides along rows: 1 keeps all slices, 2 halves them.

    Raises:
        ValueError: it holds a layer of two axes that cannot be inflated.
    """
    made = _inflated_layer(module, stride).train(module.training)
    for name, child in made.named_children():
        setattr(made, name, inflate(child, stride=stride))
    return made


def _inflated_layer(layer: nn.Module, stride: int) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return _convolution(layer, stride)
    if isinstance(layer, nn.BatchNorm2d):
        norm = nn.BatchNorm3d(layer.num_features, layer.eps, layer.momentum, layer.affine)
        norm.load_state_dict(layer.state_dict())
        return norm
    if isinstance(layer, nn.MaxPool2d):
        return _pool(layer, stride)
    if type(layer).__name__.endswith("2d"):
        raise ValueError(f"no {type(layer).__name__} can be inflated")
    return layer


def _convolution(flat: nn.Conv2d, stride: int) -> nn.Conv3d:
    depth = 1 if flat.kernel_size[0] == 1 else 3
    if not isinstance(flat.padding, tuple) or flat.padding_mode != "zeros":
        raise ValueError("no convolution with a padding by name can be inflated")
    deep = nn.Conv3d(
        flat.in_channels,
        flat.out_channels,
        _with(depth, flat.kernel_size),
        stride=_with(stride if flat.stride[0] > 1 else 1, flat.stride),
        padding=_with(depth // 2, flat.padding),
        dilation=_with(1, flat.dilation),
        groups=flat.groups,
        bias=flat.bias is not None,
    )
    weights = {**flat.state_dict(), "weight": inflated(flat.weight.detach(), depth)}
    deep.load_state_dict(weights)
    return deep


def _with(depth: int, flat: tuple[int, ...]) -> tuple[int, int, int]:
    rows, columns = flat
    return depth, rows, columns


def _pool(flat: nn.MaxPool2d, stride: int) -> nn.MaxPool3d:
    kernel, step, padding = (
        value if isinstance(value, tuple) else (value, value)
        for value in (flat.kernel_size, flat.stride, flat.padding)
    )
    if stride == 1:
        return nn.MaxPool3d((1, *kernel), (1, *step), (0, *padding))
    return nn.MaxPool3d((3, *kernel), (stride, *step), (1, *padding))
