"""Training from end to end on a tiny recipe: resume, kills, stages, frozen encoders, locks."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.errors import PartialError, RecipeError, StoppedError
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.recipe.stage import Stage
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.volume import ArrayVolume
from tests.factories.processes import PROCESSES
from tests.factories.training import known, steel_recipe, tiny


def run(folder: Path, out: Path, changes: tuple[str, ...] = (), folds: Any = (0,)) -> None:
    """Train in a process of its own; its exit code says how it ended."""
    try:
        train(tiny(folder, *changes), data=folder, out=out, folds=folds, save_minutes=0.001)
    except StoppedError as error:
        sys.exit(error.exit_code)


def started(*args: Any) -> Any:
    process = PROCESSES.Process(target=run, args=args)
    process.start()
    return process


def member_of(out: Path) -> tuple[str, dict[str, Any]]:
    row = json.loads((out / "fold0" / "member.json").read_text())
    return row["sha256"], row


def rows_of(out: Path) -> list[dict[str, Any]]:
    lines = (out / "fold0" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run that nothing interrupted, and the seconds from its lock to its end."""
    folder = tmp_path_factory.mktemp("whole")
    process = started(folder, folder / "run")
    begun = locked(folder / "run", process)
    process.join()
    assert process.exitcode == 0
    return folder / "run", time.monotonic() - begun


def locked(out: Path, process: Any) -> float:
    """Wait until the process holds the run, and return when that was."""
    while process.is_alive():
        with suppress(OSError, ValueError):
            if json.loads((out / "run.lock").read_text())["pid"] == process.pid:
                break
        time.sleep(0.01)
    return time.monotonic()


def test_a_run_leaves_a_bundle_with_scores_and_held_out_answers(whole: tuple[Path, float]) -> None:
    out, _ = whole
    bundle = Bundle.load(out / "bundle")
    assert [member.fold for member in bundle.members] == [0]
    assert len(bundle.task.names or ()) == 4
    assert len(bundle.cases) == 12
    assert [row["epoch"] for row in rows_of(out)] == [0, 1, 2]
    held_out = sum(case.fold == 0 for case in bundle.cases.values())
    assert len(list((out / "fold0" / "oof" / "probabilities").glob("*.npy"))) == held_out
    assert not (out / "run.lock").exists()


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments_changes_nothing_in_the_end(
    tmp_path: Path, whole: tuple[Path, float], kills: int
) -> None:
    """C08; C01: killed again and again, then resumed: the very bytes of the uninterrupted run."""
    wanted, seconds = whole
    chance, hits = random.Random(0), 0
    for _ in range(kills):
        process = started(tmp_path, tmp_path / "run")
        locked(tmp_path / "run", process)
        time.sleep(chance.uniform(0, 0.5) * seconds)
        process.kill()
        process.join()
        hits += process.exitcode == -signal.SIGKILL
    assert hits  # else nothing was killed
    process = started(tmp_path, tmp_path / "run")
    process.join()
    assert process.exitcode == 0
    assert member_of(tmp_path / "run")[0] == member_of(wanted)[0]
    without_time = [
        [{k: v for k, v in row.items() if "seconds" not in k} for row in rows_of(out)]
        for out in (tmp_path / "run", wanted)
    ]
    assert without_time[0] == without_time[1]  # C08: no epoch twice, none missing


STAGED = (
    "train.epochs=2",
    "train.keep=2",
    "stages=[{name: small, resize: [32, 48], size: [32, 32], member: soup},"
    " {name: large, start: best, carry_best: true, member: top}]",
)


@pytest.mark.slow
def test_kills_in_any_stage_change_no_member_of_a_recipe_with_several(tmp_path: Path) -> None:
    """C01 with stages: other sizes, a mean of weights, a best carried over, several members."""
    begun = time.monotonic()
    process = started(tmp_path, tmp_path / "whole", STAGED)
    process.join()
    assert process.exitcode == 0
    seconds, chance = time.monotonic() - begun, random.Random(1)
    for _ in range(3):
        process = started(tmp_path, tmp_path / "run", STAGED)
        time.sleep(chance.uniform(0.3, 0.8) * seconds)
        process.kill()
        process.join()
    process = started(tmp_path, tmp_path / "run", STAGED)
    process.join()
    assert process.exitcode == 0
    wanted = member_of(tmp_path / "whole")[1]
    assert member_of(tmp_path / "run")[1] == wanted
    assert [one["name"] for one in wanted["members"]] == ["fold0-1", "fold0-2"]
    rows = [rows_of(tmp_path / name) for name in ("whole", "run")]
    assert [row["stage"] for row in rows[0]] == ["small", "small", "large", "large"]
    assert [row["monitor"] for row in rows[0]] == [row["monitor"] for row in rows[1]]


def test_sigterm_saves_leaves_with_143_and_goes_on(
    tmp_path: Path, whole: tuple[Path, float]
) -> None:
    """C02."""
    wanted, _ = whole
    process = started(tmp_path, tmp_path / "run")
    log = tmp_path / "run" / "fold0" / "metrics.jsonl"
    while not log.exists() and process.is_alive():
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    assert process.exitcode == 143
    run(tmp_path, tmp_path / "run")
    assert member_of(tmp_path / "run")[0] == member_of(wanted)[0]


def test_a_finished_run_is_not_trained_again(whole: tuple[Path, float], tmp_path: Path) -> None:
    out, _ = whole
    before = member_of(out)
    again = train(tiny(tmp_path), data=tmp_path, out=out, folds=(0,))
    assert again.folds[0].members[0].sha256 == before[0]
    assert [row["epoch"] for row in rows_of(out)] == [0, 1, 2]


def test_another_recipe_in_the_same_folder_is_refused_with_the_difference(
    whole: tuple[Path, float], tmp_path: Path
) -> None:
    """C09."""
    with pytest.raises(RecipeError, match=r"seed: 3 -> 4"):
        train(tiny(tmp_path, "seed=4"), data=tmp_path, out=whole[0], folds=(0,))


def test_a_second_process_in_the_folder_is_refused_and_a_dead_ones_lock_is_taken_over(
    tmp_path: Path,
) -> None:
    """C11."""
    from lamina.training.run_folder import locked

    with locked(tmp_path):
        second = locked(tmp_path)
        with pytest.raises(RecipeError, match=f"process {os.getpid()}"):
            second.__enter__()
    dead = PROCESSES.Process(target=time.sleep, args=(0,))
    dead.start()
    dead.join()
    lock = {"pid": dead.pid, "host": socket.gethostname()}
    (tmp_path / "run.lock").write_text(json.dumps(lock))
    with locked(tmp_path):
        assert json.loads((tmp_path / "run.lock").read_text())["pid"] == os.getpid()


def test_stages_follow_one_another_and_a_frozen_encoder_stays(tmp_path: Path) -> None:
    recipe = tiny(
        tmp_path,
        "train.epochs=1",
        "stages=[{name: first}, {name: second, start: first, freeze_encoder: 1, member: last}]",
    )
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    first = load_file(tmp_path / "run" / "fold0" / "first" / "epoch-0000.safetensors")
    second = load_file(tmp_path / "run" / "fold0" / "second" / "last.safetensors")
    for name, value in first.items():
        if name.startswith("encoder."):
            assert torch.equal(value, second[name]), name
    assert any(
        not torch.equal(value, second[name])
        for name, value in first.items()
        if name.startswith("decoder.")
    )
    assert [row["stage"] for row in rows_of(tmp_path / "run")] == ["first", "second"]


def test_every_member_answers_at_the_size_of_its_stage_and_held_out_answers_are_their_mean(
    tmp_path: Path,
) -> None:
    """With ``top_of: all`` the best of a small first stage stays beside a later epoch."""
    changes = ("stages.large.optimizer.lr=1e-9", "stages.large.top_of=all", "train.ema=null")
    changes += ("stages.large.epochs=1",)  # so that one of each stage is kept, whatever they score
    recipe = tiny(tmp_path, *STAGED, *changes)
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    bundle = Bundle.load(tmp_path / "run" / "bundle")
    stages = [member.stage for member in bundle.members]
    assert sorted(stages) == ["large", "small"]
    frames = {m.stage: bundle.recipe_of(n).frame for n, m in enumerate(bundle.members)}
    assert (frames["small"].resize, frames["large"].resize) == ((32, 48), None)
    assert (frames["small"].size, frames["large"].size) == ((32, 32), (64, 64))
    predictions = Predictions.open(tmp_path / "run" / "fold0" / "oof")
    members = [
        Member(
            bundle.network(number),
            one.normalise,
            frame=bundle.recipe_of(number).frame,
            tile=bundle.recipe_of(number).tile,
        )
        for number, one in enumerate(bundle.members)
    ]
    case = open_data(recipe, tmp_path).held_out(0)[0]
    each = [predict_case(case, [one], bundle.recipe, device=torch.device("cpu")) for one in members]
    assert each[0].shape == (4, *case.image.shape)
    np.testing.assert_allclose(predictions.prob(case.id), (each[0] + each[1]) / 2, atol=1e-3)
    assert predictions.case(case.id).members == ("fold0-1", "fold0-2")


def test_a_stage_learns_only_from_its_parts(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, "train.epochs=1", "train.parts=[stage_2]")
    with pytest.raises(RecipeError, match=r"no training case is of stage_2.*may name main"):
        train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    image = ArrayVolume(np.zeros((1, 4, 4), np.uint8))
    cases = [Case("a", "a", image), Case("b", "b", image, facts={"part": "stage_2"})]
    learnt = {
        parts: [case.id for case in Stage(epochs=1, parts=parts).learns(cases)]
        for parts in (None, ("main",), ("stage_2",), ("main", "stage_2"))
    }
    assert list(learnt.values()) == [["a", "b"], ["a"], ["b"], ["a", "b"]]


def test_a_trained_stage_keeps_its_size(tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(tiny(tmp_path, "train.epochs=1"), data=tmp_path, out=out, folds=(0,))
    for change in ("stages.main.resize=[32, 48]", "stages.main.size=[32, 32]"):
        other = tiny(tmp_path, "train.epochs=1", change)
        with pytest.raises(RecipeError, match=r"choose another --out, .*\n"):
            train(other, data=tmp_path, out=out, folds=(0,), accept_changes=True)


def test_epochs_without_validation_disturb_neither_the_best_checkpoint_nor_early_stop(
    tmp_path: Path,
) -> None:
    """STEEL-16 and STEEL-17: nothing is ever found, so the first validation stays the best."""
    recipe = tiny(
        tmp_path,
        "train.epochs=20",
        "train.validate_every=2",
        "train.validate_from=2",
        "train.patience=2",
        "train.ema=null",
        "train.optimizer.lr=1e-9",
        "network.prior=1e-6",
        "data.count=4",
    )
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    rows = rows_of(tmp_path / "run")
    assert [row["epoch"] for row in rows] == list(range(8))
    judged = [(row["epoch"], row["best"]) for row in rows if "monitor" in row]
    assert judged == [(3, True), (5, False), (7, False)]
    assert member_of(tmp_path / "run")[1]["epoch"] == 3


def test_one_process_trains_with_one_precision_after_another(tmp_path: Path) -> None:
    for precision in ("float32", "bfloat16", "float32"):
        recipe = tiny(tmp_path, "train.epochs=1", f"precision={precision}", "data.count=4")
        out = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        train(recipe, data=tmp_path, out=out, folds=(0,))
        assert json.loads((out / "env.json").read_text())["precision"] == precision


def test_read_11_a_bundle_remembers_its_images_and_predicts_others_alike_or_not_at_all(
    tmp_path: Path,
) -> None:
    """READ-11: the same picture in 16 bits and in 0 to 1 has the same answer; noise has none."""
    data = known(tmp_path)
    recipe = steel_recipe(tmp_path)
    run = train(recipe, data=data, out=tmp_path / "run", folds=[0], device="cpu", workers=0).run
    bundle = Bundle.load(run / "bundle")
    assert bundle.images is not None
    assert (bundle.images.types, bundle.images.scale) == (("uint8",), "whole")
    (tmp_path / "new").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "new" / "a.tif", pixels)
    tifffile.imwrite(tmp_path / "new" / "b.tif", pixels.astype(np.uint16) * 257)
    tifffile.imwrite(tmp_path / "new" / "c.tif", pixels.astype(np.float32) / 255)
    tifffile.imwrite(tmp_path / "new" / "d.tif", pixels.astype(np.uint16) * 250)
    with pytest.raises(PartialError, match=r"d.tif: holds uint16 of 0 to \d+, and the members"):
        predict([run], [tmp_path / "new"], tmp_path / "pred", device="cpu", progress=False)
    found = Predictions.open(tmp_path / "pred")
    assert found.case("a.tif").converted is None
    assert "read as uint8" in str(found.case("b.tif").converted)
    for other in ("b.tif", "c.tif"):
        np.testing.assert_array_equal(found.prob(other), found.prob("a.tif"))
