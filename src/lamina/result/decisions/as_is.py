"""The answer is the result: restored images are decided on already."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.result.decisions.base import Decision


class AsIs(Decision):
    """Nothing is decided: values stay values. Its masks are where a value is above zero."""

    kind: Literal["as_is"] = "as_is"
    without_numbers: ClassVar[str | None] = "leaves values as they are"

    store: Literal["float32", "uint8"] = "float32"
    """Values in files of what is restored: in stored units as far as they are known; or 255 times
    the share of the unit, held within 0 and 255, never wrapped."""

    whole: Literal["round", "truncate"] = "round"  # NOISE-14, NOISE-17
    """How bytes become whole numbers; truncate drops the fraction."""

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S): True where the value is above zero."""
        return np.asarray(prob > 0)

    def stored(
        self, values: NDArray[Any], *, offset: float = 0.0, span: float = 1.0
    ) -> NDArray[np.float32] | NDArray[np.uint8]:
        """Return values as files hold them; bytes of what is no number are 0 (NOISE-9).

        Args:
            values: Shares of the unit, any shape.
            offset: What 0 stands for in stored units.
            span: From what 0 to what 1 stands for.
        """
        if self.store == "uint8":
            return eight_bits(values, truncate=self.whole == "truncate")
        return np.asarray(values, np.float32) * np.float32(span) + np.float32(offset)

    @property
    def kind_of_file(self) -> type[np.float32] | type[np.uint8]:
        """The type that ``stored`` returns."""
        return np.uint8 if self.store == "uint8" else np.float32

    @property
    def pixelwise(self) -> bool:
        """Each pixel is decided by itself."""
        return True


def eight_bits(values: NDArray[Any], *, truncate: bool) -> NDArray[np.uint8]:
    """Return 255 times ``values`` as bytes; below 0 and no number: 0, above 1: 255."""
    found: NDArray[np.float32] = np.nan_to_num(np.clip(values, 0, 1)).astype(
        np.float32
    ) * np.float32(255)
    return np.asarray(found if truncate else np.rint(found)).astype(np.uint8)
