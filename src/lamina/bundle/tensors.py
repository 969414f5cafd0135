"""Weights as bytes: safetensors only, and looked at before they are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lamina.errors import BundleError
from lamina.files.tensor_header import check_bytes

if TYPE_CHECKING:
    from torch import Tensor, nn

_PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


def write_tensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return ``tensors`` as safetensors, on the CPU and contiguous; order does not matter."""
    from safetensors.torch import save

    return save({key: tensors[key].detach().cpu().contiguous() for key in sorted(tensors)})


def read_tensors(data: bytes, place: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file.

    Args:
        data: The whole file.
        place: What messages call it.

    Raises:
        BundleError: it is a pickle, damaged, absurd, or holds a value that is not finite.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    check_header(data, place)
    try:
        tensors: dict[str, Tensor] = load(data)
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise BundleError(f"{place}: damaged safetensors ({error}); copy it again") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BundleError(
                f"{place}: '{name}' holds NaN or infinity; train or copy the member again"
            )
    return tensors


def fill_what_fits(
    network: nn.Module, tensors: Mapping[str, Tensor], place: str, *, encoder: bool = False
) -> list[str]:
    """Put those tensors into a network that have the name and shape of its own.

    Args:
        network: Keeps its own tensors elsewhere.
        tensors: Of another network.
        place: What messages call them.
        encoder: Take only those of the encoder.

    Returns:
        A line for each tensor of the network that was not loaded, with the reason.

    Raises:
        BundleError: none fits.
    """
    own, loaded, left = network.state_dict(), {}, []
    for name, value in own.items():
        if encoder and "encoder" not in name.split("."):
            left.append(f"{name} {tuple(value.shape)}: not of the encoder")
        elif name not in tensors:
            left.append(f"{name} {tuple(value.shape)}: not in the file")
        elif tensors[name].shape != value.shape:
            left.append(f"{name} {tuple(value.shape)}: {tuple(tensors[name].shape)} in the file")
        else:
            loaded[name] = tensors[name]
    if not loaded:
        raise BundleError(
            f"{place}: none of its {len(tensors)} tensors fits the network; give a bundle of the "
            "same network by --start, or set start to null"
        )
    network.load_state_dict({**own, **loaded})
    return left


def fill(network: nn.Module, tensors: Mapping[str, Tensor], place: str) -> None:
    """Put ``tensors`` into ``network``; names and shapes must match exactly.

    Raises:
        BundleError: they do not; every difference is listed (at most ten).
    """
    wanted = network.state_dict()
    missing, unknown = wanted.keys() - tensors.keys(), tensors.keys() - wanted.keys()
    lines = [f"missing {name} {tuple(wanted[name].shape)}" for name in sorted(missing)]
    lines += [f"unknown {name} {tuple(tensors[name].shape)}" for name in sorted(unknown)]
    lines += [
        f"shape   {name}: file {tuple(tensors[name].shape)}, network {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if lines:
        more = [f"and {len(lines) - 10} more"] if len(lines) > 10 else []
        raise BundleError(
            f"{place}: these weights do not belong to the recipe's network; {len(lines)} tensors "
            "differ\n  " + "\n  ".join(lines[:10] + more)
        )
    network.load_state_dict(dict(tensors))


def check_header(data: bytes, place: str) -> None:
    """Refuse what is no safetensors file by its first bytes; nothing is made of it yet.

    Raises:
        BundleError: it is a pickle, cut off, or its header is absurd.
    """
    if data[:4].startswith(_PICKLE):
        raise BundleError(
            f"{place}: these are pickled weights, which can run code; only safetensors are read"
        )
    check_bytes(data, place)
