"""Who predicts: what is refused, how many there are, and which GPU each worker sees."""

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
    ("devices", "count"), [("all", 2), ("0,1", 2), ("1", 0), ("cpu:3", 3), ("cpu", 0), (["cpu"], 0)]
)
def test_words_mean_what_they_mean_for_training(
    devices: str | list[str], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single device predicts in this process."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    here = Computing.here
    asked = list[str]()

    def computing(device: str, precision: str) -> Computing:
        asked.append(device)
        return here("cpu", precision)

    monkeypatch.setattr(Computing, "here", computing)
    with processes_for(Asked(devices=devices), "float32", Path("out")) as processes:
        assert (processes.count, processes.threads) == (count, 1)
    assert asked == [{"1": "cuda:1"}.get(str(devices), "cpu" if "cpu" in devices else "cuda:0")]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(devices="cpu:2", workers=2), "--workers and --devices say who predicts"),
        (Asked(devices="cpu:2", cluster="tls://h:1"), "--devices and --cluster say who predicts"),
        (Asked(devices="0", device="cpu"), "--device and --devices are both given"),
    ],
)
def test_two_ways_to_say_who_predicts_are_refused(asked: Asked, message: str) -> None:
    with (
        pytest.raises(RecipeError, match=message),
        processes_for(asked, "float32", Path("out")),
    ):
        pass


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (("cuda:0", "cpu"), "--devices is 'cuda:0,cpu'; write GPUs by number"),
        (("cuda:0", "cuda:97"), "names cuda:0, cuda:97, and torch sees 1 CUDA devices"),
        ((), "--devices is ''; write GPUs by number"),
    ],
)
def test_what_is_no_device_here_is_refused(
    devices: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with (
        pytest.raises(RecipeError, match=message),
        processes_for(Asked(devices=devices), "float32", Path("out")),
    ):
        pass
