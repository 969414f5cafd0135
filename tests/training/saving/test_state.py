"""Saves come back equal; damaged ones are passed over; a kill at any point leaves a sound one."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lamina import files
from lamina.errors import BundleError
from lamina.training.saving.state import (
    KeptCheckpoint,
    Position,
    TrainState,
    drop_tensors,
    load_optimizer,
    load_state,
    optimizer_parts,
    save_state,
)


def some_state(step: int) -> TrainState:
    kept = KeptCheckpoint(0.5, 1, "epoch-0001.safetensors", "ab" * 32, "first")
    position = Position(stage=1, epoch=2, batch=3, step=step, history=[0.1, 0.5], kept=[kept])
    position.members["first"] = [kept, replace(kept, score=0.25)]
    return TrainState(position, {"network/w": torch.full((2, 3), float(step))})


def test_a_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    save_state(tmp_path, some_state(7), number=1)
    found = load_state(tmp_path)
    assert found is not None
    state, number = found
    assert number == 1
    assert state.position == some_state(7).position
    assert torch.equal(state.tensors["network/w"], torch.full((2, 3), 7.0))


def test_a_save_from_before_stages_left_several_members_is_read(tmp_path: Path) -> None:
    save_state(tmp_path, some_state(7), number=1)
    path = tmp_path / "00000001" / "position.json"
    raw = json.loads(path.read_text())
    for one in (*raw["kept"], *raw["members"]["first"]):
        del one["stage"]
    raw["members"]["first"] = raw["members"]["first"][0]
    index = files.read_object(tmp_path / "00000001" / "index.json")
    index["position.json"] = files.write_json(path, raw)
    files.write_json(tmp_path / "00000001" / "index.json", index)
    found = load_state(tmp_path)
    assert found is not None
    assert found[0].position.members == {"first": some_state(7).position.kept}
    assert found[0].position.kept == [replace(some_state(7).position.kept[0], stage="")]


def test_no_saves_is_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "index", ["[]", "null", "{}", '"text"', '{"position.json": "00"}', "[" * 100_000, ""]
)
def test_trust_4_a_strange_index_of_a_save_is_passed_over(tmp_path: Path, index: str) -> None:
    """TRUST-4, C05: whatever JSON it is, the save before it is used; alone, it is refused."""
    save_state(tmp_path, some_state(1), number=1)
    save_state(tmp_path, some_state(2), number=2)
    (tmp_path / "00000002" / "index.json").write_text(index)
    found = load_state(tmp_path)
    assert found is not None
    assert found[1] == 1
    (tmp_path / "00000001" / "index.json").write_text(index)
    with pytest.raises(BundleError, match="every checkpoint is damaged"):
        load_state(tmp_path)


@pytest.mark.parametrize("value", [[], None, {"kept": 3}, {"kept": [], "members": {}, "x": 1}])
def test_trust_4_a_sealed_position_of_other_types_is_refused(tmp_path: Path, value: Any) -> None:
    """TRUST-4: right digest, wrong content."""
    save_state(tmp_path, some_state(1), number=1)
    folder = tmp_path / "00000001"
    index = files.read_object(folder / "index.json")
    index["position.json"] = files.write_json(folder / "position.json", value)
    files.write_json(folder / "index.json", index)
    with pytest.raises(BundleError, match="every checkpoint is damaged"):
        load_state(tmp_path)


def test_only_the_two_newest_saves_stay(tmp_path: Path) -> None:
    for number in range(1, 6):
        save_state(tmp_path, some_state(number), number=number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000004", "00000005"]


@pytest.mark.parametrize("saves", [1, 2])
def test_a_finished_fold_keeps_its_position_twice_and_no_tensors(
    tmp_path: Path, saves: int
) -> None:
    """Also where an earlier process was killed between the two."""
    for number in range(1, saves + 1):
        save_state(tmp_path, some_state(number), number=number)
    done = replace(some_state(9).position, stage_done=True)
    save_state(tmp_path, TrainState(done, {}), number=saves + 1)
    drop_tensors(tmp_path, done, number=saves + 1)
    drop_tensors(tmp_path, done, number=saves + 2)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"{saves + 1:08d}", f"{saves + 2:08d}"]
    (tmp_path / kept[1] / "position.json").write_text("{}")
    found = load_state(tmp_path)
    assert found is not None
    assert found[0] == TrainState(done, {})


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_cut_save_is_passed_over_with_a_word(
    tmp_path: Path, share: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """C05."""
    save_state(tmp_path, some_state(1), number=1)
    save_state(tmp_path, some_state(2), number=2)
    path = tmp_path / "00000002" / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    found = load_state(tmp_path)
    assert found is not None
    assert found[0].position.step == 1
    said = capsys.readouterr().err
    assert "00000002" in said
    assert "00000001" in said


def test_two_hundred_flipped_bytes_of_each_file_are_found(tmp_path: Path) -> None:
    """C06."""
    save_state(tmp_path, some_state(1), number=1)
    save_state(tmp_path, some_state(2), number=2)
    for name in ("tensors.safetensors", "position.json"):
        path = tmp_path / "00000002" / name
        whole = path.read_bytes()
        for at in range(0, len(whole), max(len(whole) // 200, 1)):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            found = load_state(tmp_path)
            assert found is not None
            assert found[0].position.step == 1, (name, at)
        path.write_bytes(whole)


def test_when_all_saves_are_damaged_training_stops_and_says_so(tmp_path: Path) -> None:
    """C05, C06."""
    save_state(tmp_path, some_state(1), number=1)
    (tmp_path / "00000001" / "position.json").write_text("{}")
    with pytest.raises(BundleError, match="every checkpoint is damaged"):
        load_state(tmp_path)


POINTS = ["file.after_write", "file.before_rename", "file.after_rename", "state.before_index"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("passage", [1, 2, 3])
def test_a_kill_at_any_point_of_a_save_leaves_a_sound_one(
    tmp_path: Path, point: str, passage: int
) -> None:
    """C03, M01."""
    save_state(tmp_path, some_state(1), number=1)
    child = os.fork()
    if child == 0:
        os.environ["LAMINA_FAULT"] = f"{point}:{passage}"
        save_state(tmp_path, some_state(2), number=2)
        os._exit(0)
    killed = os.waitpid(child, 0)[1] != 0
    found = load_state(tmp_path)
    assert found is not None
    last_write = (point, passage) == ("file.after_rename", 3)
    assert found[0].position.step == (1 if killed and not last_write else 2)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.RAdam, torch.optim.SGD])
def test_an_optimizer_goes_on_as_if_never_stopped(kind: type[torch.optim.Optimizer]) -> None:
    def fresh() -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = torch.nn.Linear(3, 2)
        options = {"lr": 0.1} | ({"momentum": 0.9} if kind is torch.optim.SGD else {})
        return network, kind(network.parameters(), **options)  # type: ignore[arg-type]

    def step(network: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.ones(4, 3)).square().sum().backward()
        optimizer.step()

    network, optimizer = fresh()
    for _ in range(3):
        step(network, optimizer)
    tensors, numbers = optimizer_parts(optimizer)
    tensors = {name: value.clone() for name, value in tensors.items()}
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    step(network, optimizer)

    again, other = fresh()
    again.load_state_dict(weights)
    load_optimizer(other, tensors, numbers)
    step(again, other)
    assert torch.equal(again.weight, network.weight)
    assert torch.equal(again.bias, network.bias)
