"""What the channels of a target and of an answer mean."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from lamina.errors import RecipeError
from lamina.spec import Spec


class Task(Spec):
    """What is predicted for each pixel.

    ======== ============================== ======================= =====================
    kind     target volume                  answer                  activation
    ======== ============================== ======================= =====================
    binary   1 channel of 0/1               1 channel               sigmoid
    multilabel  K channels of 0/1, may overlap  K channels          sigmoid each
    multiclass  1 channel of class ids 0..K-1   K channels          softmax over channels
    restore  C channels of values           C channels              none
    ======== ============================== ======================= =====================
    """

    kind: Literal["binary", "multilabel", "multiclass", "restore"] = "binary"

    names: tuple[str, ...] | None = None
    """Names of the outputs in order; null: as the data say. Class 0 of multiclass is background."""

    unit: float | None = Field(default=None, gt=0)
    """Restore only: the stored value of targets that the network answers 1 for, and scores take
    as 1; null: 255 for targets of 8 bits, 65535 for 16 bits, 1 for floats, as found in the data."""

    @model_validator(mode="after")
    def _a_unit_is_for_values(self) -> Task:
        if self.unit is not None and self.kind != "restore":
            raise ValueError(f"unit is {self.unit}, for a restore task, and kind is {self.kind}")
        return self

    @model_validator(mode="after")
    def _names_are_different(self) -> Task:
        if self.names is not None:
            if not self.names or len(set(self.names)) != len(self.names):
                raise ValueError(f"names must be different and at least one: {self.names}")
            if self.kind == "binary" and len(self.names) != 1:
                raise ValueError(f"a binary task has one name, not {len(self.names)}")
        return self

    @property
    def outputs(self) -> int:
        """Number of channels of the answer; known once the names are."""
        if self.names is None:
            raise RecipeError("task.names is not set, and no data were opened to find the names")
        return len(self.names)

    @property
    def exclusive(self) -> bool:
        """Whether each pixel belongs to exactly one class (softmax) or to any number (sigmoid)."""
        return self.kind == "multiclass"

    def found(self, names: tuple[str, ...]) -> Task:
        """Return the task with the names found in the data where the recipe sets none.

        Raises:
            RecipeError: the recipe names another number of classes than the data hold.
        """
        if self.names is None:
            return self.model_copy(update={"names": names})
        if len(self.names) != len(names):
            raise RecipeError(
                f"task.names lists {len(self.names)} classes {list(self.names)}, "
                f"but the data hold {len(names)}: {list(names)}"
            )
        return self
