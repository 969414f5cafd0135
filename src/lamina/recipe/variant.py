"""One of several networks that a recipe trains: what it has of its own."""

from __future__ import annotations

from pydantic import Field

from lamina.data.network_input.frame import Frame
from lamina.data.transforms import AnyTransform
from lamina.model.networks import AnyNetwork
from lamina.recipe.stage import Stage
from lamina.spec import Spec


class Variant(Spec):
    """What a member changes; in a file each part is laid over the recipe's own part.

    ``train`` of a member lies over ``train`` of the recipe, and so under each stage.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """What the member is called; its run is the folder members/NAME."""

    frame: Frame | None = None
    """How it sees a region, such as turned by quarters; null: as the recipe says."""

    transforms: tuple[AnyTransform, ...] | None = None
    """Random changes of its training samples; null: as the recipe says."""

    network: AnyNetwork | None = None
    """Its network; null: the recipe's."""

    stages: tuple[Stage, ...] | None = Field(default=None, min_length=1)
    """Its stages; null: the recipe's."""
