"""Bundles of different networks joined into one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lamina.bundle import Bundle, KnownCase, MemberWeights, Part, join
from lamina.bundle.index import sealed
from lamina.data.network_input.normalise import Fixed
from lamina.errors import BundleError
from lamina.recipe.recipe import MeanOf, Recipe

VALUES: dict[str, Any] = {
    "name": "tiny",
    "task": {"kind": "binary", "names": ["dot"]},
    "data": {"kind": "folder"},
    "network": {
        "kind": "unet",
        "encoder": "test_resnet",
        "decoder": {"encoder_depth": 3, "decoder_channels": [8, 8, 8]},
    },
    "frame": {"size": [32, 32], "channels": 1},
    "loss": [{"kind": "bce"}],
    "stages": [{"epochs": 1}],
}
WIDER = VALUES["network"] | {"decoder": {"encoder_depth": 3, "decoder_channels": [16, 8, 8]}}


def bundle(**changes: Any) -> Bundle:
    recipe = Recipe.model_validate(VALUES | changes)
    torch.manual_seed(0)
    weights = recipe.network.build(recipe.frame.inputs, 1).state_dict()
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    return Bundle.make(recipe, [member], cases={"a": KnownCase(sha256=("00",), fold=0)})


@pytest.fixture(scope="module")
def pair() -> tuple[Bundle, Bundle]:
    return bundle(), bundle(network=WIDER, predict={"tile": [64, 64]})


@pytest.fixture(scope="module")
def joined(pair: tuple[Bundle, Bundle]) -> Bundle:
    return join([Part("a", pair[0], 2.0), Part("b", pair[1], 1.0)], MeanOf(members="cubic"))


def test_each_member_keeps_its_network_and_tile(
    pair: tuple[Bundle, Bundle], joined: Bundle, tmp_path: Path
) -> None:
    joined.save(tmp_path / "joined")
    found = Bundle.load(tmp_path / "joined")
    assert found.index == joined.index
    assert [member.name for member in found.members] == ["a-fold0", "b-fold0"]
    assert [found.recipe_of(number).tile for number in range(2)] == [(32, 32), (64, 64)]
    assert found.recipe.predict.mean_of.members == "cubic"
    assert [training.weight for training in found.trainings] == [2.0, 1.0]
    x = torch.rand(1, 1, 32, 32)
    for number, one in enumerate(pair):
        with torch.inference_mode():
            assert torch.equal(found.network(number)(x), one.network(0)(x))


def test_what_decides_an_answer_decides_the_digest(
    pair: tuple[Bundle, Bundle], joined: Bundle
) -> None:
    parts = [Part("a", pair[0], 2.0), Part("b", pair[1], 3.0)]
    assert join(parts, MeanOf(members="cubic")).digest() != joined.digest()
    assert join(parts, MeanOf()).digest() != join(parts, MeanOf(members="cubic")).digest()


def test_a_bundle_of_format_1_still_opens_with_its_digest(
    pair: tuple[Bundle, Bundle], tmp_path: Path
) -> None:
    pair[0].save(tmp_path)
    values = sealed(pair[0].index)
    del values["seal"], values["sources"]
    values["format"] = 1
    for member in values["members"]:
        del member["source"]
    for case in values["cases"].values():
        del case["labels"]
    text = json.dumps({**values, "seal": seal_of(values)})
    (tmp_path / "bundle.json").write_text(text)
    found = Bundle.load(tmp_path)
    assert found.digest() == pair[0].digest()
    assert [training.members for training in found.trainings] == [(0,)]


def seal_of(values: dict[str, Any]) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def test_bundles_that_see_or_answer_differently_are_not_joined(
    pair: tuple[Bundle, Bundle], joined: Bundle
) -> None:
    others = {
        "task": bundle(task={"kind": "binary", "names": ["line"]}),
        r"frame\.channels": bundle(frame={"size": [32, 32], "channels": 3}),
        "an ensemble already": joined,
    }
    for words, other in others.items():
        with pytest.raises(BundleError, match=words):
            join([Part("a", pair[0], 1.0), Part("b", other, 1.0)], MeanOf())


def test_a_member_of_no_source_is_refused(joined: Bundle, tmp_path: Path) -> None:
    joined.save(tmp_path)
    members = [member.model_copy(update={"source": "c"}) for member in joined.members]
    index = joined.index.model_copy(update={"members": tuple(members)})
    (tmp_path / "bundle.json").write_text(json.dumps(sealed(index)))
    with pytest.raises(BundleError, match="names a source that is not there"):
        Bundle.load(tmp_path)
