"""Generators are named by what they are for, and by nothing else."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from lamina.seeding import rng


def test_equal_names_give_equal_streams_in_any_order_of_asking() -> None:
    first = rng(7, "stage", 3, 11).random(5).tolist()
    rng(7, "stage", 3, 12).random(100)
    assert rng(7, "stage", 3, 11).random(5).tolist() == first


def test_every_part_of_the_name_counts() -> None:
    names: list[tuple[int | str, ...]] = [
        (),
        (0,),
        (1,),
        (0, 1),
        (1, 0),
        ("warm",),
        ("tune",),
        ("warm", 0),  # the first sample of an epoch must not repeat what the epoch drew
        ("warm", 0, 0),
        ("warm", "tune"),
        ("tune", "warm"),
    ]
    first = {rng(42, *name).integers(2**63) for name in names}
    first |= {rng(43, *name).integers(2**63) for name in names}
    assert len(first) == 2 * len(names)


def test_the_stream_is_that_of_numpy_seeded_with_the_same_numbers() -> None:
    seed = np.random.SeedSequence(42, spawn_key=[zlib.crc32(b"warm"), 3])
    reference = np.random.Generator(np.random.PCG64(seed))
    assert rng(42, "warm", 3).random(4).tolist() == reference.random(4).tolist()


def test_the_stream_is_the_same_on_every_machine() -> None:
    assert rng(42, "warm", 3).integers(1000, size=6).tolist() == [60, 393, 299, 887, 211, 367]


def test_asking_leaves_the_global_generator_alone() -> None:
    before = str(np.random.get_state())  # noqa: NPY002
    rng(1, "anything").random(10)
    assert str(np.random.get_state()) == before  # noqa: NPY002


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        rng(-1)
