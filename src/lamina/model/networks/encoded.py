"""Networks around an encoder of segmentation_models_pytorch or timm, and its starting weights."""

from __future__ import annotations

import difflib
import importlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from pydantic import Field
from torch import Tensor, nn

from lamina.errors import BundleError, RecipeError
from lamina.model import weights as files
from lamina.model.networks.base import Network
from lamina.model.stems import Stem

_WRAPPERS = re.compile(r"^(model\.|body\.)+")
_HEADS = ("fc.", "_fc.", "last_linear.", "classifier.", "linear.", "head.")


class Encoded(Network):
    """A network with an ``encoder``, a ``decoder`` and a ``segmentation_head``."""

    encoder: str = "resnet18"
    """Name of an encoder of segmentation_models_pytorch, or of timm (``tu-`` may be left out)."""

    weights: str = "none"
    """Starting weights: none; imagenet, for the encoder; or the path of a safetensors file, for
    the encoder or the whole network."""

    stem: Stem = "sum"
    """How starting weights for red, green, blue serve another number of channels."""

    prior: float | None = Field(default=None, gt=0, lt=1)
    """Probability that every output starts at, by the last bias (Lin et al. 2017, RetinaNet).

    A small one saves a network from scratch the steps in which it learns that most pixels are
    background; null: the library's start, about one half."""

    @property
    def _depth(self) -> int:
        """How often the encoder halves its input."""
        return 5

    def _bare_encoder(self, inputs: int) -> nn.Module:
        """Return the encoder by itself, at its random start.

        It maps (B, inputs, H, W) to a list of 6 maps: the input, then halved once to five times.
        """
        get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
        try:
            encoder: nn.Module = get_encoder(
                encoder_name(self.encoder), in_channels=inputs, depth=5, weights=None
            )
        except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
            raise RecipeError(f"encoder '{self.encoder}' cannot be built: {error}") from error
        return encoder

    def _start(self, network: nn.Module, inputs: int) -> None:
        """Give ``network`` its starting weights: the prior of the last bias, then what is loaded.

        Raises:
            BundleError: the weights are not on this machine or do not fit.
        """
        if self.prior is not None:
            _start_at(network.get_submodule("segmentation_head"), self.prior)
        if self.weights == "none":
            return
        name = encoder_name(self.encoder)
        if self.weights == "imagenet":
            self._load_encoder(network, name, _hub_file(name, self.encoder), inputs)
        else:
            self._load(network, name, Path(self.weights), inputs)

    def _load(self, network: nn.Module, name: str, path: Path, inputs: int) -> None:
        tensors = files.read(path)
        if any(key.startswith("encoder.") for key in tensors):
            files.fit(network, tensors, inputs=inputs, stem=self.stem, source=str(path))
        elif tensors.keys() & network.get_submodule("encoder").state_dict().keys():
            tensors = {key: tensors[key] for key in tensors if not key.startswith(_HEADS)}
            self._fit_encoder(network, tensors, inputs, str(path))
        else:
            self._load_encoder(network, name, path, inputs)

    def _load_encoder(self, network: nn.Module, name: str, path: Path, inputs: int) -> None:
        """Load a published file: a plain encoder takes it in its library's way, then lends it."""
        tensors = files.read(path)
        plain = _plain_encoder(name, tensors, depth=self._depth, source=str(path))
        self._fit_encoder(network, plain.state_dict(), inputs, str(path))

    def _fit_encoder(
        self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: int, source: str
    ) -> None:
        encoder = network.get_submodule("encoder")
        files.fit(encoder, tensors, inputs=inputs, stem=self.stem, source=source)


def _start_at(head: nn.Module, prior: float) -> None:
    convolutions = [one for one in head.modules() if isinstance(one, nn.Conv2d)]
    last = convolutions[-1]
    if last.bias is not None:
        nn.init.constant_(last.bias, math.log(prior / (1 - prior)))


def library(name: str) -> ModuleType:
    """Import a library that takes seconds, only when a network is built."""
    return importlib.import_module(name)


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


def _hub_file(name: str, encoder: str) -> Path:
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


def _plain_encoder(name: str, tensors: dict[str, Tensor], *, depth: int, source: str) -> nn.Module:
    """Return a three-channel encoder with a published file's weights."""
    get_encoder = library("segmentation_models_pytorch.encoders").get_encoder
    try:
        if name.startswith("tu-"):
            overlay = {"state_dict": tensors, "source": ""}
            plain: nn.Module = get_encoder(
                name, depth=depth, weights=True, pretrained_cfg_overlay=overlay
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
