"""Checks of the machine, on machines that are made up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lamina.doctor.checks import memory, processor, versions
from lamina.doctor.checks.device import Device
from lamina.doctor.checks.disk import Disk
from lamina.doctor.checks.memory import Memory
from lamina.doctor.checks.processor import Processor
from lamina.doctor.checks.versions import Versions, pinned
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Check, Finding
from lamina.machine.cores import WORKER_BYTES, Cores


def said(check: Check) -> list[Finding]:
    return list(check(Examined()))


def levels(check: Check) -> list[str]:
    return [one.level for one in said(check)]


def test_torch_and_torchvision_of_this_machine_belong_together() -> None:
    assert levels(Versions()) == ["fine"]


def test_a_torchvision_built_for_another_torch_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "requires", lambda _: ["numpy", "torch==1.9.1"])
    (found,) = said(Versions())
    assert found.level == "error"
    assert found.what == "this torchvision is built for torch 1.9.1"
    assert "pip install" in found.remedy


def test_an_operator_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    monkeypatch.setattr("torchvision.ops.nms", fails)
    (found,) = said(Versions())
    assert found.what == (
        "an operator of torchvision fails (operator torchvision::nms does not exist)"
    )


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["torch==2.10.0"], "2.10.0"),
        (["torch (==2.4.1)"], "2.4.1"),
        (["torch>=2.14"], None),
        (["torchaudio==2.1.0"], None),
        ([], None),
    ],
)
def test_the_version_a_package_is_pinned_to(lines: list[str], wanted: str | None) -> None:
    assert pinned(lines) == wanted


def test_more_threads_than_cores_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = Cores(machine=16, affinity=2, quota=None, load=0.5)
    monkeypatch.setattr(Cores, "here", lambda: cores)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    found = {one.where: one for one in said(Processor())}
    assert (found["threads"].level, found["threads"].what) == (
        "warning",
        "8 threads of torch, 2 cores for this process",
    )
    assert "OMP_NUM_THREADS=2" in found["threads"].remedy


@pytest.mark.parametrize(("load", "level"), [(3.9, "fine"), (9.0, "note"), (None, "fine")])
def test_quota_affinity_load_and_the_choice_of_processes_are_told(
    load: float | None, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cores = Cores(machine=8, affinity=6, quota=3.0, load=load)
    monkeypatch.setattr(Cores, "here", lambda: cores)
    monkeypatch.setattr(processor, "available_memory", lambda: 2 * WORKER_BYTES)
    found = {one.where: one for one in said(Processor())}
    assert (found["cores"].level, found["cores"].what) == (level, str(cores))
    assert found["predict --workers auto"].what == ("2 processes of 1 thread, by cores and memory")
    monkeypatch.setattr(processor, "available_memory", lambda: WORKER_BYTES)
    monkeypatch.setattr(Cores, "here", lambda: Cores(16, 16, None, load))
    found = {one.where: one for one in said(Processor())}
    assert found["predict --workers auto"].what == "1 process of 16 threads, by cores and memory"


def test_little_memory_and_little_shared_memory_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda: 1 << 30)
    assert levels(Memory(shared=tmp_path / "none")) == ["warning"]
    assert levels(Memory(least=1, shared=tmp_path, least_shared=1)) == ["fine"]
    found = said(Memory(least=1, shared=tmp_path, least_shared=1 << 62))
    assert [one.level for one in found] == ["fine", "warning"]
    assert "--workers 0" in found[1].remedy


def test_little_room_on_the_disk_is_a_warning(tmp_path: Path) -> None:
    assert levels(Disk(tmp_path, least=1)) == ["fine"]
    assert levels(Disk(tmp_path, least=1 << 62)) == ["warning"]


def test_a_driver_without_a_torch_for_it_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert levels(Device(driver=tmp_path / "none")) == ["fine"]
    (tmp_path / "version").write_text("NVRM version")
    (found,) = said(Device(driver=tmp_path / "version"))
    assert found.level == "warning"
    assert "CUDA_VISIBLE_DEVICES" in found.remedy
