"""Cores of this process: affinity and control group."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from lamina.machine import cores
from lamina.machine.cores import Cores, allowed_cores, processor_name


@pytest.mark.parametrize(
    ("text", "most"), [("200000 100000", 2), ("50000 100000", 1), ("max 100000", None), ("", None)]
)
def test_cores_are_those_that_the_control_group_allows(
    tmp_path: Path, text: str, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    (tmp_path / "cpu.max").write_text(text)
    assert allowed_cores(tmp_path / "cpu.max") == (most or 8)
    assert allowed_cores(tmp_path / "none") == 8


def test_what_limits_the_cores_is_told() -> None:
    cores = Cores(machine=64, affinity=16, quota=2.5, load=3.21)
    assert cores.allowed == 2
    assert str(cores) == "2 of 64 for this process (16 by affinity, 2.5 by quota); load 3.2"
    assert str(Cores(4, 4, None, None)) == "4 of 4 for this process (4 by affinity, no quota)"


def test_the_load_is_that_of_this_machine() -> None:
    found = Cores.here()
    assert found.load is not None
    assert found.load >= 0
    assert 1 <= found.allowed <= found.affinity <= found.machine


def test_the_processor_is_called_as_it_calls_itself(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: EPYC: 9B14 \nflags\t: fpu\n")
    assert processor_name(tmp_path / "cpuinfo") == "EPYC: 9B14"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nCPU part\t: 0xd0c\n")
    assert platform.machine() in processor_name(tmp_path / "cpuinfo")
    assert processor_name(tmp_path / "none") == processor_name(tmp_path / "cpuinfo")
