"""Predictions on disk: whole, verified, and never mixed."""

from __future__ import annotations

import json
import multiprocessing
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.geometry.region import Region
from lamina.prediction.folder.manifest import write_info
from lamina.prediction.folder.predictions import (
    LEDGER,
    Info,
    PredictedCase,
    Predictions,
    source_digest,
)
from lamina.result.calibration import Calibration
from lamina.result.decisions import Argmax, AsIs, Expected, Threshold
from tests.factories.predictions import predicted_case, prediction_info


def case(id: str, shape: tuple[int, ...] = (4, 6), sha256: str = "00") -> PredictedCase:
    return predicted_case(id, shape, sha256=sha256)


def answer(shape: tuple[int, ...], seed: int = 0, outputs: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((outputs, *shape), np.float32)


@pytest.fixture
def info(make: Any) -> Info:
    return about(make.recipe())


def about(recipe: Any, *cases: PredictedCase, decision: Any = None) -> Info:
    default = (case("a.png"), case("vol/b"))
    return prediction_info(recipe, *(cases or default), decision=decision or recipe.decide)


def test_what_is_added_is_there_when_opened_again(tmp_path: Path, info: Info) -> None:
    made = Predictions.create(tmp_path, info)
    assert made.ids == []
    made.add("vol/b", answer((4, 6)))
    made.add("a.png", answer((4, 6), seed=1))
    found = Predictions.open(tmp_path)
    assert found.ids == ["a.png", "vol/b"]
    prob = found.prob("vol/b")
    assert isinstance(prob, np.memmap)
    assert prob.dtype == np.float16
    np.testing.assert_array_equal(prob, answer((4, 6)).astype(np.float16))
    np.testing.assert_array_equal(found.mask("vol/b"), found.stored_mask("vol/b"))
    assert (tmp_path / "probabilities/vol%2Fb.npy").is_file()
    assert (tmp_path / "masks/dot/vol%2Fb.png").is_file()
    assert all(found.finished(id) for id in found.ids)


@pytest.mark.parametrize("shape", [(9, 7), (3, 9, 7)])
def test_a_reader_reads_any_part_of_the_probabilities(
    tmp_path: Path, make: Any, shape: tuple[int, ...]
) -> None:
    made = Predictions.create(tmp_path, about(make.recipe(), case("a", shape)))
    made.add("a", answer(shape))
    read, whole = made.reader("a"), made.prob("a")
    part = Region((1,) * len(shape), tuple(n - 1 for n in shape))
    np.testing.assert_array_equal(read(part), whole[(slice(None), *part.slices)])
    curve = Calibration(slope=2.0, shift=-1.0)
    again = made.with_calibration([curve, curve])
    np.testing.assert_array_equal(
        again.reader("a")(part), again.prob("a")[(slice(None), *part.slices)]
    )


@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7)])
@pytest.mark.parametrize(
    ("kind", "names", "decision"),
    [
        ("binary", ["a"], Threshold()),
        ("multilabel", ["a", "b"], Threshold(threshold=(0.3, 0.6))),
        ("multiclass", ["a", "b", "c"], Argmax()),
    ],
)
def test_masks_follow_the_decision_in_every_task(
    tmp_path: Path, make: Any, kind: str, names: list[str], decision: Any, shape: tuple[int, ...]
) -> None:
    recipe = make.recipe(task={"kind": kind, "names": names})
    made = Predictions.create(tmp_path, about(recipe, case("x", shape), decision=decision))
    made.add("x", answer(shape, outputs=len(names)))
    np.testing.assert_array_equal(made.stored_mask("x"), decision(made.prob("x")))
    np.testing.assert_array_equal(made.mask("x"), decision(made.prob("x")))


@pytest.mark.parametrize(
    ("kind", "names"), [("multilabel", ["a", "b"]), ("multiclass", ["a", "b"])]
)
def test_a_volume_decided_by_expected_score_in_two_passes_is_that_decided_whole(
    tmp_path: Path, make: Any, kind: str, names: list[str]
) -> None:
    shape = (150, 6, 9)
    recipe = make.recipe(task={"kind": kind, "names": names})
    decision = Expected(exclusive=kind == "multiclass", empty="zero")
    made = Predictions.create(tmp_path, about(recipe, case("x", shape), decision=decision))
    prob = answer(shape) ** 3 * np.linspace(0.2, 1, 150, dtype=np.float32)[:, None, None]
    made.add("x", prob)
    parts = list(made.decided("x"))
    assert len(parts) > 1
    whole = decision(made.prob("x"))
    assert 0 < whole[1].sum() < whole[1].size
    np.testing.assert_array_equal(np.concatenate([one for *_, one in parts], axis=1), whole)
    np.testing.assert_array_equal(made.stored_mask("x"), whole)


def test_values_of_restore_keep_their_precision(tmp_path: Path, make: Any) -> None:
    recipe = make.recipe(task={"kind": "restore", "names": ["x"]}, loss=[{"kind": "mse"}])
    made = Predictions.create(tmp_path, about(recipe, case("x"), decision=AsIs()))
    values = answer((4, 6), outputs=1) * 1000
    made.add("x", values)
    np.testing.assert_array_equal(made.prob("x"), values)
    np.testing.assert_array_equal(made.stored_mask("x"), values)


def test_a_new_decision_makes_new_masks_from_the_same_probabilities(
    tmp_path: Path, info: Info
) -> None:
    made = Predictions.create(tmp_path, info)
    made.add("a.png", answer((4, 6)))
    stamp = made.prob_path("a.png").stat().st_mtime_ns
    harder = info.model_copy(update={"decision": Threshold(threshold=0.9)})
    found = Predictions.create(tmp_path, harder)
    assert found.ids == ["a.png"]
    assert not found.finished("a.png")
    assert found.redecide("a.png")
    assert found.finished("a.png")
    np.testing.assert_array_equal(found.stored_mask("a.png"), found.prob("a.png") > 0.9)
    assert found.prob_path("a.png").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("what", ["probabilities", "masks"])
@pytest.mark.parametrize("how", ["flip", "cut", "delete"])
def test_B03_B04_B06_a_damaged_file_is_not_finished(
    tmp_path: Path, info: Info, what: str, how: str
) -> None:
    made = Predictions.create(tmp_path, info)
    made.add("a.png", answer((4, 6)))
    path = next(one for one in sorted((tmp_path / what).rglob("*")) if one.is_file())
    data = path.read_bytes()
    if how == "delete":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if how == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    found = Predictions.create(tmp_path, info)
    assert not found.finished("a.png")
    assert found.redecide("a.png") == (what == "masks")  # masks can be made again, exactly
    assert found.finished("a.png") == (what == "masks")


def test_B08_a_changed_source_or_other_members_are_predicted_again(
    tmp_path: Path, make: Any
) -> None:
    recipe = make.recipe()
    made = Predictions.create(tmp_path, about(recipe, case("a"), case("b"), case("c")))
    for id in "abc":
        made.add(id, answer((4, 6)))
    others = case("c").model_copy(update={"members": ("fold1",)})
    found = Predictions.create(tmp_path, about(recipe, case("a"), case("b", sha256="11"), others))
    assert found.ids == ["a"]
    assert [found.finished(id) for id in "abc"] == [True, False, False]
    with pytest.raises(DataError, match="'b' is not finished"):
        found.prob("b")


def test_what_is_half_written_in_the_ledger_is_dropped(tmp_path: Path, info: Info) -> None:
    made = Predictions.create(tmp_path, info)
    made.add("a.png", answer((4, 6)))
    made.add("vol/b", answer((4, 6)))
    ledger = tmp_path / LEDGER
    ledger.write_bytes(ledger.read_bytes()[:-20])
    found = Predictions.open(tmp_path)
    assert found.ids == ["a.png"]
    found.add("vol/b", answer((4, 6)))
    assert Predictions.open(tmp_path).ids == ["a.png", "vol/b"]


@pytest.mark.parametrize("passage", range(1, 5))
@pytest.mark.parametrize("point", ["file.before_rename", "file.after_rename", "file.after_write"])
def test_B02_killed_at_any_point_nothing_false_is_finished(
    tmp_path: Path, info: Info, monkeypatch: pytest.MonkeyPatch, point: str, passage: int
) -> None:
    made = Predictions.create(tmp_path, info)
    monkeypatch.setenv("LAMINA_FAULT", f"{point}:{passage}")

    def work() -> None:
        made.add("a.png", answer((4, 6)))
        made.add("vol/b", answer((4, 6)))

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL  # two cases of two files pass each point four times
    monkeypatch.delenv("LAMINA_FAULT")
    found = Predictions.create(tmp_path, info)
    for id in found.ids:
        assert found.finished(id)
    for id in ("a.png", "vol/b"):
        if not found.finished(id):
            found.add(id, answer((4, 6)))
    assert Predictions.open(tmp_path).ids == ["a.png", "vol/b"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, info: Info) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    for overwrite in (False, True):
        with pytest.raises(RecipeError, match="choose another --out"):
            Predictions.create(tmp_path, info, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_overwriting_begins_anew_and_keeps_what_is_not_ours(tmp_path: Path, info: Info) -> None:
    made = Predictions.create(tmp_path, info)
    made.add("a.png", answer((4, 6)))
    (tmp_path / "notes.txt").write_text("mine")
    other = info.model_copy(update={"bundles": ("b1",)})
    with pytest.raises(RecipeError, match="other bundles or options"):
        Predictions.create(tmp_path, other)
    found = Predictions.create(tmp_path, other, overwrite=True)
    assert found.ids == []
    assert not (tmp_path / "probabilities").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_unknown_case_or_a_wrong_shape_is_refused(tmp_path: Path, info: Info) -> None:
    made = Predictions.create(tmp_path, info)
    with pytest.raises(DataError, match="no case 'z'"):
        made.prob("z")
    with pytest.raises(ValueError, match="for a case"):
        made.add("a.png", answer((4, 7)))


def test_the_header_says_all_that_is_needed_to_do_it_again(tmp_path: Path, info: Info) -> None:
    Predictions.create(tmp_path, info)
    found = json.loads((tmp_path / "prediction.json").read_text())
    assert {
        "recipe", "recipe_digest", "bundles", "members", "predict", "tile", "precision",
        "versions", "decision", "cases",
    } <= found.keys()  # fmt: skip
    assert {"views", "overlap", "window", "mean_of"} <= found["predict"].keys()


def test_the_digest_of_several_files_depends_on_their_order(tmp_path: Path) -> None:
    names = []
    for name in "ab":
        (tmp_path / name).write_text(name)
        names.append(str(tmp_path / name))
    assert source_digest(names) != source_digest(names[::-1])
    # printf a | sha256sum
    assert source_digest(names[:1]).startswith("ca978112ca1bbdca")


def test_a_folder_of_before_names_is_read_and_continued_as_it_is(
    tmp_path: Path, info: Info
) -> None:
    """Issue 14, part 2: all classes in one file called by the id; new cases are named anew."""
    write_info(tmp_path, info)  # as earlier versions did, without names
    before = Predictions.open(tmp_path)
    before.add("a.png", answer((4, 6)))
    assert tifffile.imread(tmp_path / "masks" / "a.png.tif").shape == (2, 4, 6)
    more = info.model_copy(update={"cases": (*info.cases, case("c.png"))})
    found = Predictions.create(tmp_path, more)
    assert found.finished("a.png")
    np.testing.assert_array_equal(found.stored_mask("a.png"), found.mask("a.png"))
    found.add("c.png", answer((4, 6), seed=3))
    assert (tmp_path / "masks" / "dot" / "c.png").is_file()
    np.testing.assert_array_equal(found.stored_mask("c.png"), found.mask("c.png"))
    assert [found.case(id).name for id in ("a.png", "vol/b", "c.png")] == [None, None, "c"]


def test_a_name_once_given_stays(tmp_path: Path, make: Any) -> None:
    """Issue 14, part 2: of two that would meet the later keeps its suffix, in any later run."""
    recipe = make.recipe()
    first = Predictions.create(tmp_path, about(recipe, case("a.png")))
    assert first.case("a.png").name == "a"
    cases = [case(id) for id in ("a.tif", "a.png", "a", "b.nii.gz")]
    again = Predictions.create(tmp_path, about(recipe, *cases))
    names = [again.case(id).file_name for id in ("a.tif", "a.png", "b.nii.gz")]
    assert names == ["a.tif", "a", "b"]
    assert again.case("a").file_name.startswith("a~")
    masks = {path for one in again.info.cases for path in again.mask_paths(one.id)}
    assert len(masks) == 8


def test_a_case_is_looked_up_and_not_searched_for(tmp_path: Path, make: Any) -> None:
    compared = 0

    class Id(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    cases = [case(f"c{n}") for n in range(300)]
    predictions = Predictions.create(tmp_path / "pred", about(make.recipe(), *cases))
    for each in cases:
        assert predictions.case(Id(each.id)).id == each.id
    assert compared < 2 * len(cases)
