"""Memory kept, measured and shared out."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from lamina.errors import ResourceError
from lamina.prediction.tiling.memory import (
    activations,
    available_memory,
    batch_size,
    fit_batch,
    is_out_of_memory,
    keep_memory,
    measured_peak,
    used_memory,
)

GLIBC = platform.libc_ver()[0] == "glibc"


def test_keeping_memory_may_be_asked_for_twice() -> None:
    assert keep_memory() == keep_memory() == GLIBC


@pytest.mark.skipif(not GLIBC, reason="only glibc gives memory back so eagerly")
def test_kept_memory_takes_no_fresh_pages() -> None:
    code = """
import resource, sys, numpy as np
from lamina.prediction.tiling.memory import keep_memory
if sys.argv[1] == "keep": keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for n in range(4):
    begun = faults()
    np.ones(2**25, np.uint8); np.ones(2**25, np.uint8)
print(faults() - begun)
"""

    def count(mode: str) -> int:
        command = [sys.executable, "-c", code, mode]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(done.stdout)

    kept = count("keep")
    assert kept < 200  # 64 MiB are 16384 pages
    assert count("leave") > kept


@pytest.mark.skipif(not GLIBC, reason="only glibc keeps it")
def test_free_memory_between_what_is_in_use_is_given_back() -> None:
    code = """
import numpy as np
from lamina.prediction.tiling.memory import give_back, keep_memory, used_memory
keep_memory()
held = [np.ones(2**20, np.uint8) for _ in range(200)]
del held[::2]
before = used_memory()
give_back()
print(before - used_memory(), all(each.all() for each in held))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    freed, whole = done.stdout.split()
    assert int(freed) > 90 * 2**20  # of 100 MiB
    assert whole == "True"


def test_memory_of_this_machine_is_told_in_bytes() -> None:
    assert 2**20 < available_memory() < 2**50
    assert 2**20 < used_memory() < 2**40


def test_activations_are_the_sum_of_all_outputs_and_of_three_answers() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    sample = torch.zeros(1, 1, 10, 10)
    assert activations(network, sample, None) == 4 * 100 * (1 + 4 + 4 + 2 + 3 * 2)
    half = activations(network, sample, torch.bfloat16)
    assert half == 4 * 100 * (1 + 3 * 2) + 2 * 100 * (4 + 4 + 2)


def test_the_peak_of_a_gpu_is_measured_once_the_network_has_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the counters of torch played by numbers: there may be no GPU here."""
    sample, said = torch.zeros(1, 1, 10, 10), list[str]()

    class Noting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            said.append("pass")
            return x

    def counter(name: str, value: int) -> None:
        monkeypatch.setattr(torch.cuda, name, lambda _: said.append(name) or value)

    counter("reset_peak_memory_stats", 0)
    counter("memory_allocated", 1000)
    counter("max_memory_allocated", 6000)
    assert measured_peak(Noting(), sample, None) == 5000 + 4 * 400
    wanted = ["pass", "reset_peak_memory_stats", "memory_allocated", "pass", "max_memory_allocated"]
    assert said == wanted


def test_batches_fit_the_limit() -> None:
    assert fit_batch(100, 1000, 1350) == 3
    assert fit_batch(100, 1000, 10**9) == 8
    assert fit_batch(100, 1000, 10**9, most=2) == 2


@pytest.mark.parametrize(
    ("tiles", "most", "size"), [(1, 8, 1), (3, 8, 3), (9, 8, 5), (49, 8, 7), (25, 8, 5), (7, 1, 1)]
)
def test_one_size_of_batch_leaves_little_padding(tiles: int, most: int, size: int) -> None:
    assert batch_size(tiles, most) == size


def test_M04_too_little_memory_names_the_smallest_that_works() -> None:
    with pytest.raises(ResourceError, match=r"--memory 100M is too little.*needs 301M"):
        fit_batch(101 * 2**20, 200 * 2**20, 100 * 2**20)
    assert fit_batch(101 * 2**20, 200 * 2**20, 301 * 2**20) == 1


def test_what_counts_as_out_of_memory() -> None:
    said = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried"
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError(said))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes differ"))
