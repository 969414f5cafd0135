"""A bundle there and back, and every way it can be damaged or lie."""

from __future__ import annotations

import json
import multiprocessing
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lamina import files
from lamina.bundle import Bundle, KnownCase, MemberWeights, load_bundles
from lamina.bundle.index import FORMAT, sealed
from lamina.data.network_input.normalise import Fixed
from lamina.errors import BundleError
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.result.decisions import Threshold

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
RECIPE = Recipe.model_validate(VALUES)


def weights(seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return RECIPE.network.build(1, 1).state_dict()


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    members = [
        MemberWeights(f"fold{n}", weights(n), n, "main", 0.5, Fixed(mean=n, scale=1))
        for n in range(2)
    ]
    cases = {"a": KnownCase(sha256=("00",), fold=0), "b/c": KnownCase(sha256=("11",), fold=1)}
    return Bundle.make(RECIPE, members, cases=cases, scores={"monitor": {"fold0": 0.5}})


@pytest.fixture
def saved(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_folder_comes_back_equal(bundle: Bundle, saved: Path) -> None:
    found = Bundle.load(saved)
    assert found.index == bundle.index
    assert found.digest() == bundle.digest()
    assert [member.normalise for member in found.members] == [
        Fixed(mean=0, scale=1),
        Fixed(mean=1, scale=1),
    ]
    for number in range(2):
        before, after = weights(number), found.weights(number)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def test_the_network_answers_as_it_did_before(saved: Path) -> None:
    torch.manual_seed(1)
    original = RECIPE.network.build(1, 1).eval()
    found = Bundle.load(saved).network(1)
    assert not found.training
    x = torch.rand(2, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(found(x), original(x), atol=1e-5, rtol=1e-5)


def test_starting_weights_are_not_looked_for_again(bundle: Bundle) -> None:
    network = RECIPE.network.model_copy(update={"weights": "/no/such/file.safetensors"})
    index = bundle.index.model_copy(
        update={"recipe": RECIPE.model_copy(update={"network": network})}
    )
    Bundle(index, bundle.store).network(0)


def test_the_recipe_beside_it_is_the_same_recipe(saved: Path) -> None:
    assert load_recipe(saved / "recipe.yaml") == RECIPE


def test_a_zip_comes_back_equal_and_equal_bundles_give_equal_bytes(
    bundle: Bundle, saved: Path, tmp_path: Path
) -> None:
    bundle.write_zip(tmp_path / "one.zip")
    Bundle.load(saved).write_zip(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    found = Bundle.load(tmp_path / "one.zip")
    assert found.index == bundle.index
    name = "segmentation_head.0.weight"
    assert torch.equal(found.weights(0)[name], weights(0)[name])


def test_a_decision_is_replaced_without_touching_weights_or_digest(saved: Path) -> None:
    before = Bundle.load(saved)
    stamp = (saved / "members/fold0.safetensors").stat().st_mtime_ns
    after = before.with_decision(Threshold(threshold=0.3), {"tuned": 0.9})
    after.save(saved)
    found = Bundle.load(saved)
    assert found.decision == Threshold(threshold=0.3)
    assert found.scores == {"monitor": {"fold0": 0.5}, "tuned": 0.9}
    assert found.digest() == before.digest()
    assert (saved / "members/fold0.safetensors").stat().st_mtime_ns == stamp


def test_W06_two_hundred_flipped_bytes_of_a_member_are_found(saved: Path) -> None:
    """W06: the first fifty, and others all over the file; each by itself."""
    path = saved / "members/fold0.safetensors"
    data = path.read_bytes()
    anywhere = np.random.default_rng(0).integers(0, len(data), 150)
    for at in [*range(50), *map(int, anywhere)]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(BundleError, match="does not match its digest"):
            Bundle.load(saved)


def test_every_flipped_byte_of_the_index_is_found(saved: Path) -> None:
    path = saved / "bundle.json"
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        path.write_bytes(changed)
        try:
            found = Bundle.load(saved, verify=False)
        except BundleError:
            continue
        assert sealed(found.index) == json.loads(data), at  # white space only


def reseal(path: Path, **changes: Any) -> None:
    """Change the index as an attacker would, seal and all."""
    index = Bundle.load(path, verify=False).index
    changed = index.model_copy(update=changes)
    (path / "bundle.json").write_text(json.dumps(sealed(changed)))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "C:/x", "https://host/x", "os.system"]
)
def test_W09_names_in_the_index_are_only_names_inside(saved: Path, name: str) -> None:
    members = Bundle.load(saved).members
    reseal(saved, members=(members[0].model_copy(update={"file": name}), members[1]))
    with pytest.raises(BundleError):
        Bundle.load(saved)


def test_a_link_out_of_the_folder_is_not_followed(saved: Path, tmp_path: Path) -> None:
    path = saved / "members/fold0.safetensors"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="link leads out"):
        Bundle.load(saved)


def test_a_newer_layout_says_so(saved: Path) -> None:
    reseal(saved, format=FORMAT + 1, lamina="9.9")
    with pytest.raises(BundleError, match=r"written by lamina 9\.9"):
        Bundle.load(saved)


def test_a_member_of_another_network_is_refused_with_the_differences(saved: Path) -> None:
    wider = VALUES["network"] | {"decoder": {"encoder_depth": 3, "decoder_channels": [16, 8, 8]}}
    reseal(saved, recipe=Recipe.model_validate(VALUES | {"network": wider}))
    with pytest.raises(BundleError, match="do not belong to the recipe's network"):
        Bundle.load(saved).network(0)


@pytest.mark.parametrize("missing", ["bundle.json", "members/fold1.safetensors"])
def test_a_missing_file_is_named(saved: Path, missing: str) -> None:
    (saved / missing).unlink()
    with pytest.raises(BundleError, match=missing.replace(".", r"\.")):
        Bundle.load(saved)


def test_what_is_no_bundle_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"not a zip")
    (tmp_path / "empty").mkdir()
    for name in ("x.zip", "empty", "nothing"):
        with pytest.raises(BundleError, match=name):
            load_bundles([tmp_path / name])


def test_a_run_folder_stands_for_its_bundle(saved: Path) -> None:
    assert load_bundles([saved.parent])[0].index == load_bundles([saved])[0].index


def test_bundles_that_see_differently_do_not_answer_together(
    bundle: Bundle, saved: Path, tmp_path: Path
) -> None:
    other = Recipe.model_validate(VALUES | {"task": {"kind": "binary", "names": ["line"]}})
    index = bundle.index.model_copy(update={"recipe": other})
    Bundle(index, bundle.store).save(tmp_path / "other")
    with pytest.raises(BundleError, match="cannot be combined: task"):
        load_bundles([saved, tmp_path / "other"])
    assert len(load_bundles([saved, saved])) == 2


@pytest.mark.parametrize(
    "point",
    ["file.after_write:1", "file.before_rename:2", "file.before_rename:3", "file.before_rename:4"],
)
def test_a_bundle_that_was_cut_short_is_none(
    bundle: Bundle, tmp_path: Path, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMINA_FAULT", point)
    child = multiprocessing.get_context("fork").Process(target=bundle.save, args=(tmp_path,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    with pytest.raises(BundleError, match=r"bundle\.json"):
        Bundle.load(tmp_path)


def test_trust_10_a_network_that_cannot_be_built_names_the_bundle(
    make: Any, tmp_path: Path
) -> None:
    """TRUST-10: an encoder that the libraries here do not know, in a sound index."""
    make.bundle().save(tmp_path / "bundle")
    index = tmp_path / "bundle" / "bundle.json"
    values = json.loads(index.read_text(encoding="utf-8"))
    del values["seal"]
    values["recipe"]["network"]["encoder"] = "resnet19"
    index.write_text(json.dumps(files.sealed(values)), encoding="utf-8")
    with pytest.raises(BundleError, match=r"bundle: .*resnet19") as caught:
        Bundle.load(tmp_path / "bundle").network(0)
    assert str(tmp_path / "bundle") in str(caught.value).splitlines()[0]
