"""The answer is the result: restored images are decided on already."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.result.decisions.base import Decision


class AsIs(Decision):
    """Nothing is decided: values stay values. Its masks are where a value is above zero."""

    kind: Literal["as_is"] = "as_is"

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S): True where the value is above zero."""
        return np.asarray(prob > 0)

    @property
    def pixelwise(self) -> bool:
        """Each pixel is decided by itself."""
        return True
