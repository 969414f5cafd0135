"""A volume of 512 x 512 x 512 voxels in blocks: within the memory said, killed and run again."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from lamina.bundle import Bundle, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.files import digest
from lamina.recipe.recipe import Recipe

pytestmark = pytest.mark.slow

SIDE = 512
MEMORY = 1500  # MiB, as said on the command line


def recipe() -> Recipe:
    return Recipe.model_validate(
        {
            "name": "large",
            "precision": "float32",
            "task": {"kind": "multiclass", "names": ["rock", "fault"]},
            "data": {"kind": "volume_pairs"},
            "network": {
                "kind": "resunet",
                "width": 2,
                "blocks": [1, 1],
                "kernels": [[1, 1, 1], [3, 3, 3]],
                "norm": "batch",
            },
            "loss": [{"kind": "cross_entropy"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": [64, 128, 128], "normalise": {"kind": "fixed", "mean": 0.5}},
            "predict": {"overlap": 0.25},
            "decide": {"kind": "argmax"},
        }
    )


def make_bundle(folder: Path) -> Path:
    wanted = recipe()
    torch.manual_seed(0)
    weights = wanted.network.build(1, 2).state_dict()
    member = MemberWeights("fold0", dict(weights), 0, "main", 0.5, Fixed())
    Bundle.make(wanted, [member], cases={}).save(folder / "bundle")
    return folder / "bundle"


def make_volume(path: Path) -> None:
    array = zarr.create_array(
        path, shape=(SIDE,) * 3, chunks=(64,) * 3, dtype="uint8", dimension_names=["z", "y", "x"]
    )
    for z in range(0, SIDE, 64):
        array[z : z + 64] = np.random.default_rng(z).integers(0, 256, (64, SIDE, SIDE), np.uint8)


def tree(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): digest(p) for p in folder.rglob("*") if p.is_file()}


def test_it_stays_within_the_memory_and_killed_thrice_gives_the_same_bytes(tmp_path: Path) -> None:
    """M03, B01."""
    bundle, volume = make_bundle(tmp_path), tmp_path / "volume.zarr"
    make_volume(volume)
    command = [sys.executable, "-m", "lamina", "predict", str(bundle), str(volume)]
    options = ["--memory", f"{MEMORY}M", "--batch", "1", "--save", "masks,probabilities"]

    def run(out: Path, fault: str = "") -> int:
        environment = os.environ | {"LAMINA_FAULT": fault}
        done = subprocess.run([*command, "--out", str(out), *options], env=environment, check=False)
        return done.returncode

    assert run(tmp_path / "whole") == 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024  # MiB
    assert peak < MEMORY
    stores = [tmp_path / name / "probabilities" / "volume.zarr" for name in ("whole", "killed")]
    for fault in ("slab.before_ledger:3", "slab.after_ledger:5", "store.after_chunk:40"):
        assert run(tmp_path / "killed", fault) == -signal.SIGKILL
    assert run(tmp_path / "killed") == 0
    assert tree(stores[1]) == tree(stores[0])
    for store in stores:
        shutil.rmtree(store)
