"""Encoders of segmentation_models_pytorch and timm by name, and with published weights."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from lamina.errors import BundleError, RecipeError
from lamina.model import weights as files
from lamina.model.networks.vit_pyramid import VitPyramid, is_plain_vit

UNBUILT = (ValueError, TypeError, KeyError, RuntimeError, AttributeError)
"""What the libraries raise where a network cannot be built."""

_WRAPPERS = re.compile(r"^(model\.|body\.)+")


def library(name: str) -> ModuleType:
    """Import a library that takes seconds, only when a network is built."""
    return importlib.import_module(name)


def published_size(name: str) -> int | None:
    """Return the rows of the images that an encoder of windows was published for; None: any.

    ``name`` is the library's, see ``encoder_name``.
    """
    if not name.startswith("tu-") or is_plain_vit(name):
        return None
    config = library("timm").models.get_pretrained_cfg(name.removeprefix("tu-"))
    fixed = config is not None and config.fixed_input_size
    return int(config.input_size[-1]) if fixed else None


def why_unbuilt(error: Exception) -> str:
    """Return what a library says of a network that it cannot build, in words."""
    if "downsampling pattern" in str(error):
        return (
            "it has no pyramid of maps at 1/4, 1/8, 1/16 and 1/32 of the size; convnextv2, "
            "caformer, swinv2, maxvit and all that are convolutional have one, and for plain "
            "transformers such as eva02 and vit quarter_unet makes one"
        )
    return str(error)


def encoder_name(encoder: str) -> str:
    """Return the library's name of ``encoder``, with ``tu-`` where it is timm's."""
    known = library("segmentation_models_pytorch.encoders").encoders
    timm = library("timm")
    if encoder in known:
        return encoder
    bare = encoder.removeprefix("tu-")
    if not timm.is_model(bare):
        names = sorted({*known, *timm.list_models()})
        near = difflib.get_close_matches(bare, names, 5, cutoff=0.5)
        raise RecipeError(
            f"network.encoder is '{encoder}', which neither segmentation_models_pytorch nor timm "
            f"has; near are {', '.join(near) or 'none'}"
        )
    arch, _, tag = bare.partition(".")
    tags = [key.partition(".")[2] for key in timm.models.get_arch_pretrained_cfgs(arch)]
    if tag and tag not in tags:
        raise RecipeError(
            f"network.encoder is '{encoder}', but {arch} has no weights named '{tag}'; it has "
            f"{', '.join(filter(None, tags)) or 'none'}"
        )
    return f"tu-{bare}"


def bare_encoder(name: str, inputs: int, sizes: Mapping[str, Any]) -> nn.Module:
    """Return an encoder at its random start.

    It maps (B, inputs, H, W) to a list of 6 maps: the input, then halved once to five times.

    Args:
        name: The library's, see ``encoder_name``.
        inputs: Channels of the image.
        sizes: What an encoder of windows has to be told of sizes.

    Raises:
        RecipeError: it has no such maps, or cannot be built.
    """
    get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
    try:
        if is_plain_vit(name):
            return VitPyramid(name, inputs)
        encoder: nn.Module = get_encoder(name, in_channels=inputs, depth=5, weights=None, **sizes)
    except UNBUILT as error:
        bare = name.removeprefix("tu-")
        raise RecipeError(f"encoder '{bare}' cannot be built: {why_unbuilt(error)}") from error
    return encoder


def hub_file(name: str, encoder: str) -> Path:
    """Return the file of the encoder's imagenet weights."""
    repo: str | None = None
    revision: str | None = None
    if name.startswith("tu-"):
        config = library("timm").models.get_pretrained_cfg(name.removeprefix("tu-"))
        repo = config.hf_hub_id if config is not None else None
    else:
        known = library("segmentation_models_pytorch.encoders").encoders
        settings = known[name]["pretrained_settings"].get("imagenet")
        if settings is not None:
            repo, revision = settings["repo_id"], settings["revision"]
    if repo is None:
        raise BundleError(
            f"encoder '{encoder}' has no published imagenet weights; set network.weights to a "
            ".safetensors file, or to none"
        )
    return files.from_hub(repo, revision=revision, encoder=encoder)


def plain_encoder(
    name: str,
    tensors: dict[str, Tensor],
    *,
    depth: int,
    sizes: Mapping[str, Any],
    source: str,
) -> nn.Module:
    """Return a three-channel encoder with a published file's weights."""
    get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
    try:
        if name.startswith("tu-"):
            overlay = {"state_dict": tensors, "source": ""}
            if is_plain_vit(name):
                plain: nn.Module = VitPyramid(
                    name, 3, pretrained=True, pretrained_cfg_overlay=overlay
                )
            else:
                plain = get_encoder(
                    name, depth=depth, weights=True, pretrained_cfg_overlay=overlay, **sizes
                )
            _refuse_strange(plain, tensors, source)
            return plain
        plain = get_encoder(name, depth=depth, weights=None)
        plain.load_state_dict(dict(tensors))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{source}: these weights do not belong to encoder '{name}'\n  {error}"
        ) from error
    return plain


def _refuse_strange(plain: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Raise BundleError where most of an encoder's weights are not in the file.

    timm leaves what it does not find as it is, without a word. Its encoders rename ``stages.0``
    to ``stages_0`` and stand below ``model.``, so names are compared without both.
    """
    given = {name.replace(".", "_") for name in tensors}
    own = [_WRAPPERS.sub("", name) for name, _ in plain.named_parameters()]
    found = [name for name in own if name.replace(".", "_") in given]
    if 2 * len(found) < len(own):
        raise BundleError(
            f"{source}: these weights belong to another network; only {len(found)} of "
            f"{len(own)} tensors of the encoder are in it"
        )
