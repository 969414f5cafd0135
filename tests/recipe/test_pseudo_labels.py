"""How a stage says that made labels are mixed in."""

from __future__ import annotations

import pytest

from lamina.data.samplers import Balanced, Mixed, RandomCrop
from lamina.errors import OptionError
from lamina.recipe.pseudo_labels import Pseudo
from lamina.recipe.stage import Stage


@pytest.mark.parametrize(
    ("pseudo", "sampler", "mixed"),
    [
        (Pseudo(share=0.12), RandomCrop(focus=0.5), Mixed(share={"pseudo": 0.12}, focus=0.5)),
        (Pseudo(alpha=-0.15), RandomCrop(), Mixed(alpha=-0.15)),
        (Pseudo(), Mixed(alpha=-0.15, focus=0.2), Mixed(alpha=-0.15, focus=0.2)),
        (Pseudo(alpha=0.5), Mixed(alpha=-0.15, focus=0.2), Mixed(alpha=0.5, focus=0.2)),
        (Pseudo(alpha=0), Mixed(share={"pseudo": 0.1}), Mixed(alpha=0)),
    ],
)
def test_a_stage_mixes_as_its_sampler_or_pseudo_say(
    pseudo: Pseudo, sampler: RandomCrop | Mixed, mixed: Mixed
) -> None:
    assert pseudo.mixer(sampler) == mixed


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(OptionError, match="set one of them"):
        Pseudo(share=0.1, alpha=0.1)
    for sampler in (Balanced(), Mixed(by="rarest")):
        with pytest.raises(OptionError, match="pseudo mixes batches by source"):
            Stage(epochs=1, sampler=sampler, pseudo=Pseudo(share=0.1))
