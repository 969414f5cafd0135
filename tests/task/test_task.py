"""What a task says about its outputs, and what it refuses."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lamina.errors import RecipeError
from lamina.task import Task


def test_outputs_are_counted_by_names() -> None:
    assert Task(kind="multilabel", names=("1", "2", "3", "4")).outputs == 4
    assert Task(names=("ink",)).outputs == 1


def test_outputs_are_unknown_until_the_names_are() -> None:
    with pytest.raises(RecipeError, match=r"task\.names is not set"):
        _ = Task(kind="multiclass").outputs


@pytest.mark.parametrize(
    ("kind", "exclusive"),
    [("binary", False), ("multilabel", False), ("multiclass", True), ("restore", False)],
)
def test_only_classes_exclude_each_other(kind: str, exclusive: bool) -> None:
    assert Task.model_validate({"kind": kind}).exclusive is exclusive


def test_names_found_in_the_data_fill_a_gap_and_never_replace() -> None:
    assert Task(kind="multilabel").found(("a", "b")).names == ("a", "b")
    own = Task(kind="multilabel", names=("crack", "fray"))
    assert own.found(("1", "2")) is own


def test_another_number_of_classes_than_the_data_hold_is_an_error_that_lists_both() -> None:
    with pytest.raises(RecipeError) as caught:
        Task(kind="multilabel", names=("a", "b")).found(("1", "2", "3"))
    assert str(caught.value) == (
        "task.names lists 2 classes ['a', 'b'], but the data hold 3: ['1', '2', '3']"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"names": ["a", "a"], "kind": "multilabel"}, "names must be different"),
        ({"names": [], "kind": "multilabel"}, "at least one"),
        ({"names": ["a", "b"]}, "a binary task has one name, not 2"),
        ({"kind": "regression"}, "'binary', 'multilabel', 'multiclass' or 'restore'"),
        ({"name": ["a"]}, "Extra inputs are not permitted"),
    ],
)
def test_tasks_that_cannot_be_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task.model_validate(fields)
    assert message in str(caught.value)


def test_a_task_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Task().kind = "restore"  # type: ignore[misc]
