"""Who predicts: what is refused, and which GPU each worker sees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lamina.errors import RecipeError
from lamina.prediction.workers.pool_of import Asked, Computing, processes_for


def test_workers_see_the_gpus_that_this_process_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a job that was given GPUs 4 and 6 of a machine."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(Computing, "here", lambda *_: Computing("cuda:1", "a GPU", "float32", True))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    with processes_for(Asked(devices=("cuda:1", "cuda:0")), "float32", Path("out")) as processes:
        assert processes.environments == [
            {"CUDA_VISIBLE_DEVICES": "6"},
            {"CUDA_VISIBLE_DEVICES": "4"},
        ]
        assert (processes.count, processes.device_asked) == (2, "cuda")


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (("cuda:0", "cpu"), "names 'cpu', which is no GPU"),
        (("cuda:0", "cuda:97"), "'cuda:97', and torch sees 1 CUDA devices"),
    ],
)
def test_what_is_no_gpu_here_is_refused(
    devices: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(RecipeError, match=message),
        processes_for(Asked(devices=devices), "float32", Path("out")),
    ):
        pass
