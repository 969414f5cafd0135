"""Encoders of segmentation_models_pytorch and timm by name, and with published weights."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import timm
from segmentation_models_pytorch.encoders import encoders as known_encoders
from segmentation_models_pytorch.encoders import get_encoder
from torch import Tensor, nn

from lamina.errors import BundleError, RecipeError
from lamina.model import weights as files
from lamina.model.modules.vit_pyramid import VitPyramid, is_plain_vit

UNBUILT = (ValueError, TypeError, KeyError, RuntimeError, AttributeError)
"""What the libraries raise where a network cannot be built."""

_WRAPPERS = re.compile(r"^(model\.|body\.)+")


def published_size(name: str) -> int | None:
    """Return the rows of the images that an encoder of windows was published for; None: any.

    ``name`` is the library's, see ``encoder_name``.
    """
    if not name.startswith("tu-") or is_plain_vit(name):
        return None
    config = timm.models.get_pretrained_cfg(name.removeprefix("tu-"))
    if config is None or not config.fixed_input_size:
        return None
    return int(config.input_size[-1])


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
    if encoder in known_encoders:
        return encoder
    bare = encoder.removeprefix("tu-")
    if not timm.is_model(bare):
        names = sorted({*known_encoders, *timm.list_models()})
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


def sizes_of(encoder: str, name: str, image_size: int | None) -> dict[str, Any]:
    """Return what an encoder of windows has to be told of sizes; nothing for others.

    Args:
        encoder: As the recipe names it.
        name: The library's, see ``encoder_name``.
        image_size: Rows of the images that it shall be made for; None: as published.

    Raises:
        RecipeError: a size is given for an encoder that takes any.
    """
    if published_size(name) is None:
        if image_size is None:
            return {}
        raise RecipeError(
            f"network.image_size is {image_size}, but encoder '{encoder}' takes images of any "
            "size; leave it out"
        )
    told = {} if image_size is None else {"img_size": image_size}
    # By themselves these take one size only, and no multiples of it.
    return told | ({"strict_img_size": False} if name.startswith("tu-swin") else {})


def bare_encoder(encoder: str, inputs: int, image_size: int | None) -> nn.Module:
    """Return an encoder at its random start.

    It maps (B, inputs, H, W) to a list of 6 maps: the input, then halved once to five times.

    Args:
        encoder: As the recipe names it.
        inputs: Channels of the image.
        image_size: Rows of the images that an encoder of windows is made for; None: as published.

    Raises:
        RecipeError: it does not exist, has no such maps, or cannot be built.
    """
    name = encoder_name(encoder)
    sizes = sizes_of(encoder, name, image_size)
    try:
        if is_plain_vit(name):
            return VitPyramid(name, inputs)
        made: nn.Module = get_encoder(name, in_channels=inputs, depth=5, weights=None, **sizes)
    except UNBUILT as error:
        bare = name.removeprefix("tu-")
        raise RecipeError(f"encoder '{bare}' cannot be built: {why_unbuilt(error)}") from error
    return made


def expect_size(network: nn.Module, encoder: str, image_size: int | None) -> None:
    """Make ``network`` refuse images that its encoder of windows is not made for.

    Args:
        network: Its submodule ``encoder`` was made by ``bare_encoder`` of the same arguments.
        encoder: As the recipe names it.
        image_size: As the recipe says.
    """
    size = image_size or published_size(encoder_name(encoder))
    if size is not None:
        hook = partial(_refuse_other_sizes, encoder, size)
        network.get_submodule("encoder").register_forward_pre_hook(hook)


def _refuse_other_sizes(name: str, size: int, encoder: nn.Module, args: tuple[Any, ...]) -> None:
    del encoder
    rows, columns = args[0].shape[-2:]
    if rows % size or columns % size:
        raise RecipeError(
            f"encoder '{name}' is made for images of {size}x{size} pixels or multiples, not of "
            f"{rows}x{columns}; set frame.size and predict.tile to such, or network.image_size"
        )


def hub_file(name: str, encoder: str) -> Path:
    """Return the file of the encoder's imagenet weights."""
    repo: str | None = None
    revision: str | None = None
    if name.startswith("tu-"):
        config = timm.models.get_pretrained_cfg(name.removeprefix("tu-"))
        repo = config.hf_hub_id if config is not None else None
    else:
        settings = known_encoders[name]["pretrained_settings"].get("imagenet")
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
    given_names = [name for name in own if name.replace(".", "_") in given]
    if 2 * len(given_names) < len(own):
        raise BundleError(
            f"{source}: these weights belong to another network; only {len(given_names)} of "
            f"{len(own)} tensors of the encoder are in it"
        )
