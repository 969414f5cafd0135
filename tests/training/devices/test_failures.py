"""Errors reach the parent as what they were."""

from __future__ import annotations

import pytest

from lamina.errors import DataError, LaminaError, RecipeError, StoppedError
from lamina.training.devices.failures import Failed
from lamina.training.stage.loading.processes import WorkerError


@pytest.mark.parametrize(
    "error",
    [
        RecipeError("a: b; c"),
        DataError("x"),
        StoppedError("saved", 15),
        LaminaError("y"),
        WorkerError("killed", waited=False),  # known to one module only
    ],
)
def test_errors_keep_their_words_and_exit_codes(error: LaminaError) -> None:
    again = Failed.of(error).error()
    assert (str(again), again.exit_code) == (str(error), error.exit_code)
    known = {RecipeError, DataError, StoppedError, LaminaError}
    assert type(again) is (type(error) if type(error) in known else LaminaError)
