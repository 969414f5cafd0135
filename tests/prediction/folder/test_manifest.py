"""What makes two predictions one: the plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.data.orientation import canonical
from lamina.errors import DataError, RecipeError
from lamina.files import read_json, write_json
from lamina.prediction.folder.manifest import (
    HEADER,
    Arithmetic,
    Info,
    PredictedCase,
    check_arithmetic,
    check_place,
    must_continue,
    place_of,
    read_info,
    write_info,
)
from lamina.result.decisions import Threshold
from lamina.volume import ArrayVolume, Placement, Transposed
from tests.factories.predictions import predicted_case, prediction_info


def case(id: str, **changes: Any) -> PredictedCase:
    return predicted_case(id, (4, 6), **changes)


@pytest.fixture
def info(make: Any) -> Info:
    return prediction_info(make.recipe(), case("a"), case("b"))


def test_there_and_back(tmp_path: Path, info: Info) -> None:
    write_info(tmp_path, info)
    assert read_info(tmp_path) == info


def test_trust_2_an_edited_header_is_refused_and_one_without_a_seal_opens(
    tmp_path: Path, info: Info
) -> None:
    """TRUST-2: prediction.json carries its digest; those of before have none."""
    write_info(tmp_path, info)
    values = read_json(tmp_path / HEADER)
    write_json(tmp_path / HEADER, {**values, "decision": {"kind": "threshold", "threshold": 0.7}})
    with pytest.raises(DataError, match=r"own digest, it was damaged or edited; .* --overwrite"):
        read_info(tmp_path)
    write_json(tmp_path / HEADER, {name: values[name] for name in reversed(values)})
    assert read_info(tmp_path) == info
    write_json(tmp_path / HEADER, {name: values[name] for name in values if name != "seal"})
    assert read_info(tmp_path) == info


@pytest.mark.parametrize("content", ["[]", "null", "3", '"text"'])
def test_trust_2_json_that_is_no_header_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / HEADER).write_text(content)
    with pytest.raises(DataError, match="holds no JSON object"):
        read_info(tmp_path)


def test_trust_2_a_damaged_header_of_held_out_answers_names_another_remedy(tmp_path: Path) -> None:
    (tmp_path / "oof").mkdir()
    (tmp_path / "oof" / HEADER).write_text("{}")
    with pytest.raises(DataError, match=r"delete .*oof, then run the same `lamina train`"):
        read_info(tmp_path / "oof")


def test_a_new_decision_or_more_cases_go_on(info: Info) -> None:
    more = (*info.cases, case("c"))
    after = info.model_copy(update={"decision": Threshold(threshold=0.2), "cases": more})
    must_continue(Path("out"), info, after)


@pytest.mark.parametrize(
    ("key", "value"), [("bundles", ("b1",)), ("precision", "bfloat16"), ("members", "out_of_fold")]
)
def test_B05_another_plan_is_refused_and_says_what_differs(
    info: Info, key: str, value: object
) -> None:
    with pytest.raises(RecipeError, match=f"other bundles or options \\({key}\\)"):
        must_continue(Path("out"), info, info.model_copy(update={key: value}))


def test_the_batch_is_no_part_of_the_plan_of_a_folder_but_of_what_is_added(info: Info) -> None:
    noted = Arithmetic(batch=8, device="cpu AVX512", tf32=False)
    before = info.model_copy(update={"arithmetic": noted})
    must_continue(Path("out"), before, info)
    check_arithmetic(Path("out"), noted, noted.model_copy())
    check_arithmetic(Path("out"), None, noted)  # of an earlier version
    with pytest.raises(RecipeError, match=r"begun with 8 tiles .* pass --batch 8, choose"):
        check_arithmetic(Path("out"), noted, noted.model_copy(update={"batch": 4}))
    other = Arithmetic(batch=8, device="NVIDIA H200 9.0", tf32=True)
    with pytest.raises(RecipeError, match=r"now .* on NVIDIA H200 9\.0 with TF32.*where it began"):
        check_arithmetic(Path("out"), noted, other)


def test_other_cases_are_refused(info: Info) -> None:
    with pytest.raises(RecipeError, match="1 other cases, such as 'b'"):
        must_continue(Path("out"), info, info.model_copy(update={"cases": info.cases[:1]}))


def test_a_damaged_header_is_named(tmp_path: Path, info: Info) -> None:
    with pytest.raises(DataError, match=r"no prediction\.json"):
        read_info(tmp_path)
    values = info.model_dump(mode="json")
    write_json(tmp_path / HEADER, {**values, "tile": "big"})
    with pytest.raises(DataError, match="tile"):
        read_info(tmp_path)


class Scan(ArrayVolume):
    """Voxels from left to right of a person, stored from right to left."""

    placement = Placement(
        axes="xyz",
        spacing=(1.0, 1.0, 2.0),
        units=("mm",) * 3,
        origin=(0.0, 0.0, 0.0),
        directions=((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
        world="body",
    )


def test_read_2_a_prediction_of_another_orientation_is_not_compared() -> None:
    """READ-2: those of earlier versions lie as files are stored; nothing is mirrored silently."""
    stored = Scan(np.zeros((1, 3, 4, 5)), "xyz", "scan.nii")
    upright = canonical(stored)
    said = {name: value for name, value in place_of(upright).items() if name == "orientation"}
    check_place(predicted_case("a", (3, 4, 5), **said), upright)
    earlier = predicted_case("a", (3, 4, 5))
    check_place(earlier, stored)
    check_place(earlier, Transposed(stored, (1, 0, 2), "xyz"))  # as data.transpose says
    with pytest.raises(
        DataError, match=r"predicted as it is stored, and scan.nii is read in the o"
    ):
        check_place(earlier, upright)
    with pytest.raises(DataError, match=r"in the orientation RAS, and scan.nii is read .* LAS"):
        check_place(predicted_case("a", (3, 4, 5), **said), stored)
    plane = ArrayVolume(np.zeros((1, 3, 4)))
    check_place(predicted_case("a", (3, 4)), plane)
    assert set(place_of(plane).values()) == {None}
