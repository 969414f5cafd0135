"""A pyramid of maps from the one map of a plain vision transformer.

Letters: B batch, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from torch import Tensor, nn
from torch.nn import functional

_MODULES = ("timm.models.eva", "timm.models.vision_transformer")
_PATCH = 16


def is_plain_vit(name: str) -> bool:
    """Return whether an encoder is a transformer with one map, such as eva02 and vit.

    ``name`` is the library's, see ``encoder_name``.
    """
    if not name.startswith("tu-"):
        return False
    make = timm.models.model_entrypoint(_architecture(name))
    return make.__module__ in _MODULES


class VitPyramid(nn.Module):
    """The last map of a transformer of timm, made larger and smaller (Li et al. 2022, ViTDet).

    Patches are of 16x16 pixels, and images of any multiple of 32: published weights of other
    patches and positions are resampled by timm. Maps at 1/4 and 1/8 of the size are grown by
    transposed convolutions, which begin at random; the one at 1/32 is a maximum of 2x2.
    """

    def __init__(self, name: str, inputs: int, **options: Any) -> None:
        super().__init__()
        self.model: nn.Module = timm.create_model(
            name.removeprefix("tu-"),
            features_only=True,
            out_indices=1,  # the last one
            in_chans=inputs,
            patch_size=_PATCH,
            dynamic_img_size=True,
            **options,
        )
        width = int(self.model.feature_info.channels()[-1])  # type: ignore[union-attr, operator]
        self.quarter = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 2, 2),
            nn.GroupNorm(1, width // 2),
            nn.GELU(),
            nn.ConvTranspose2d(width // 2, width // 4, 2, 2),
        )
        self.eighth = nn.ConvTranspose2d(width, width // 2, 2, 2)
        self.out_channels = [inputs, 0, width // 4, width // 2, width, width]

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return six maps of (B, inputs, H, W): the image, none of 1/2, then 1/4 to 1/32."""
        found: Tensor = self.model(image)[-1]
        rows, columns = image.shape[-2:]
        return [
            image,
            image.new_empty(len(image), 0, rows // 2, columns // 2),
            self.quarter(found),
            self.eighth(found),
            found,
            functional.max_pool2d(found, 2),
        ]

    def with_own(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of the transformer among ``tensors``, with what is grown as it is."""
        own = {key: value for key, value in self.state_dict().items() if _grown(key)}
        return own | {key: value for key, value in tensors.items() if not _grown(key)}


def _grown(key: str) -> bool:
    return key.startswith(("quarter.", "eighth."))


def _architecture(name: str) -> str:
    return name.removeprefix("tu-").partition(".")[0]
