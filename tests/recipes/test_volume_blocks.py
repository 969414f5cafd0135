"""A recipe of blocks from training to a score, on made scans whose axes are stored x, y, z."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import lamina
from lamina.errors import DataError, RecipeError
from lamina.seeding import rng
from lamina.training.dataset import open_data

nibabel = pytest.importorskip("nibabel")

RECIPE = {
    "name": "blocks",
    "task": {"kind": "binary", "names": ["ball"]},
    "precision": "float32",
    "data": {
        "kind": "volume_pairs",
        "image": "images/*.nii",
        "target": "labels/*.nii",
        "labels": {"0": 0, "1": 1},
    },
    "split": {"kind": "folds", "count": 2},
    "frame": {"size": [8, 16, 16]},
    "transforms": [{"kind": "flip"}],
    "network": {
        "kind": "resunet",
        "width": 8,
        "blocks": [1, 1],
        "supervision": True,
        "prior": 0.1,
    },
    "loss": [{"kind": "bce"}, {"kind": "dice"}],
    "train": {
        "epochs": 3,
        "batch": 2,
        "sampler": {"kind": "random_crop", "count": 16, "focus": 0.5},
        "optimizer": {"kind": "adamw", "lr": 0.02},
        "schedule": {"kind": "poly"},
        "validate_every": 3,
    },
    "monitor": {"kind": "dice", "over": "pooled"},
    "metric": {"kind": "dice", "over": "pooled"},
    "predict": {"overlap": [0.5, 0.25, 0.25]},
}


def write_data(root: Path) -> None:
    """Write four scans of 24 x 20 x 12 voxels (x, y, z) with a bright ball each."""
    x, y, z = np.mgrid[:24, :20, :12]
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        chance = rng(0, "scan", number)
        a, b, c = chance.uniform((8, 8, 4), (16, 12, 8))
        ball = (x - a) ** 2 + (y - b) ** 2 + 4 * (z - c) ** 2 < 45
        scan = (chance.normal(90, 15, ball.shape) + 90 * ball).clip(0, 255).astype(np.uint8)
        for folder, values in (("images", scan), ("labels", ball.astype(np.uint8))):
            image = nibabel.Nifti1Image(values, np.diag([1.0, 1.0, 2.0, 1.0]))
            nibabel.save(image, root / folder / f"scan{number}.nii")


def test_blocks_are_trained_tuned_predicted_and_scored(tmp_path: Path) -> None:
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "pred"
    write_data(data)
    (tmp_path / "blocks.yaml").write_text(json.dumps(RECIPE), encoding="utf-8")
    recipe = lamina.load_recipe(tmp_path / "blocks.yaml")
    lamina.train(recipe, data=data, out=run)
    lamina.tune(run)
    lamina.predict([run], [data / "images"], out, members="all")
    score = lamina.score(out, data)
    assert score.value > 0.5  # a mask of everything has 0.16
    assert score.value > score.baseline_empty
    scan = nibabel.load(data / "images" / "scan0.nii")
    mask = nibabel.load(next((out / "native").glob("scan0.nii*")))
    assert mask.shape == scan.shape
    np.testing.assert_array_equal(mask.affine, scan.affine)
    stored = zarr.open_array(out / "probabilities" / "scan0.zarr", mode="r")[:]
    answer = lamina.load(run)(np.asarray(scan.dataobj).transpose(2, 1, 0))
    np.testing.assert_allclose(answer.probabilities.transpose(0, 3, 2, 1), stored, atol=2e-3)
    with pytest.raises(RecipeError, match=r"block by block.*lamina\.load"):
        lamina.export(run, tmp_path / "exported")


def thinned(root: Path, number: int) -> None:
    """Leave every second slice of a scan out: its slices are 4 apart, those of others 2."""
    for folder in ("images", "labels"):
        path = root / folder / f"scan{number}.nii"
        kept = np.array(nibabel.load(path).dataobj)[:, :, ::2]
        nibabel.save(nibabel.Nifti1Image(kept, np.diag([1.0, 1, 4, 1])), path)


def test_scans_of_other_spacings_are_resampled_and_answered_on_their_own_grid(
    tmp_path: Path,
) -> None:
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "pred"
    write_data(data)
    thinned(data, 3)
    (tmp_path / "blocks.yaml").write_text(json.dumps(RECIPE), encoding="utf-8")
    recipe = lamina.load_recipe(tmp_path / "blocks.yaml")
    opened = open_data(recipe, data)
    assert opened.recipe.frame.spacing == (2, 1, 1)
    assert opened.summary()["resampled"] == {"scan3": (24, 20, 12)}
    said = "\n".join(opened.lines())
    assert "1 of 4 volumes are resampled" in said
    assert "24 x 20 x 6 to 24 x 20 x 12 voxels (xyz)" in said
    lamina.train(recipe, data=data, out=run)
    lamina.train(recipe, data=data, out=run)  # finished: the recipe is the one it was
    lamina.predict([run], [data / "images"], out, members="all")
    assert lamina.score(out, data).value > 0.5
    scan = nibabel.load(data / "images" / "scan3.nii")
    mask = nibabel.load(next((out / "native").glob("scan3.nii*")))
    assert mask.shape == scan.shape == (24, 20, 6)
    np.testing.assert_array_equal(mask.affine, scan.affine)
    model = lamina.load(run)
    array = np.asarray(scan.dataobj)
    answer = model(array, axes="xyz", spacing=(1, 1, 4))
    stored = zarr.open_array(out / "probabilities" / "scan3.zarr", mode="r")[:]
    np.testing.assert_allclose(answer.probabilities, stored, atol=2e-3)
    with pytest.raises(DataError, match="spacing="):
        model(array, axes="xyz")


def test_volume3d_trains_as_nnunet_does() -> None:
    """Isensee et al. 2021: rate, momentum, decay, samples of an epoch, foreground, mirroring."""
    recipe = lamina.load_recipe("volume3d")
    (stage,) = recipe.stages
    optimizer = stage.optimizer.model_dump()
    assert (optimizer["kind"], optimizer["lr"], optimizer["momentum"]) == ("sgd", 0.01, 0.99)
    assert optimizer["nesterov"]
    assert optimizer["weight_decay"] == 3e-5
    assert stage.schedule.model_dump()["power"] == 0.9
    sampler = stage.sampler.model_dump()
    assert sampler["count"] == 250 * stage.batch
    assert sampler["focus"] == 0.33
    assert recipe.network.model_dump()["supervision"]
    assert (recipe.predict.views, recipe.split.model_dump()["count"]) == ("flips", 5)
