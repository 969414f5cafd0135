"""What every decision promises."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.spec import Spec


class Decision(Spec):
    """The rule that turns probabilities into masks."""

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return the masks of one whole case.

        Args:
            prob: (K, *S) probabilities in 0..1, any floating type.

        Returns:
            (K, *S): True where the class is decided on.
        """
        raise NotImplementedError
