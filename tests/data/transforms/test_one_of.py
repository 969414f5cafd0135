"""One of several: the weights, that it happens, and that it joins the one warp and table."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import TypeAdapter

from lamina.data.transforms import Affine, AnyTransform, Blur, Clahe, Flip, Gamma, OneOf, Sharpen
from lamina.errors import OptionError

SIZE = (32, 48)


def drawn(group: OneOf, times: int) -> Counter[str]:
    found: Counter[str] = Counter()
    for number in range(times):
        one = group.draw(SIZE, np.random.default_rng(number))
        found[type(one[0]).__name__ if one else "nothing"] += 1
    return found


def test_exactly_one_member_is_drawn_in_proportion_to_its_p() -> None:
    """STEEL-7: weights .5, .3 and .3, of a sum of 1.1."""
    group = OneOf(of=(Clahe(p=0.5), Blur(kernel=3, p=0.3), Sharpen(p=0.3)))
    found = drawn(group, 4400)
    assert sum(found.values()) == 4400
    assert found["nothing"] == 0
    assert found["Clahe"] == pytest.approx(2000, abs=130)
    assert found["Blur"] == pytest.approx(1200, abs=120)
    assert found["Sharpen"] == pytest.approx(1200, abs=120)


def test_with_p_nothing_may_happen() -> None:
    found = drawn(OneOf(p=0.25, of=(Gamma(), Flip(axes="x"))), 2000)
    assert found["nothing"] == pytest.approx(1500, abs=80)
    assert found["Gamma"] == pytest.approx(found["Flip"], abs=80)


def test_a_random_set_of_axes_is_a_group_of_flips() -> None:
    """STEEL-7: with probability one half, one of the three sets of axes."""
    sets = tuple(Flip(axes=axes) for axes in ("x", "y", "yx"))
    group = OneOf(p=0.5, of=sets)
    picks = Counter(
        one[1] if one else ""
        for one in (group.draw(SIZE, np.random.default_rng(n)) for n in range(3000))
    )
    assert picks[""] == pytest.approx(1500, abs=120)
    for axes in ("x", "y", "yx"):
        assert picks[axes] == pytest.approx(500, abs=80)


def test_a_member_of_weight_zero_is_never_drawn() -> None:
    assert drawn(OneOf(of=(Gamma(p=0), Affine(p=0.1))), 50) == {"Affine": 50}
    with pytest.raises(OptionError, match="must be above"):
        OneOf(of=(Gamma(p=0),))


def test_a_recipe_writes_it_as_a_list() -> None:
    written = {"kind": "one_of", "of": [{"kind": "gamma"}, {"kind": "blur", "p": 0.2}]}
    found = TypeAdapter(AnyTransform).validate_python(written)
    assert found == OneOf(of=(Gamma(), Blur(p=0.2)))
    assert TypeAdapter(AnyTransform).validate_python(found.model_dump()) == found
