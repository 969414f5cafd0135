"""nnU-Net v2 as a program of the evidence, in an environment of its own: `pip install nnunetv2`.

nnunet       its own plan of the 2d configuration
nnunet-cpu   the same with crops of at most 256, batches of 4, half the width, and bfloat16 where
             the processor is fast at it, as a person would cut it for a CPU

Fold `all`: every case is learnt from. Steps are its trainer's own, with its augmentation, losses
and rate of 0.01 along its polynomial, which here ends with the CPU seconds.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np


def spent() -> float:
    """Return the CPU seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])


def run(
    folder: Path, program: str, seconds: float, seed: int, out: Path, *, half: bool
) -> dict[str, Any]:
    """Plan, preprocess and train within the CPU seconds, predict the test images into `out`."""
    for name in ("raw", "preprocessed", "results"):
        os.environ[f"nnUNet_{name}"] = str(out / name)
    os.environ |= {"nnUNet_n_proc_DA": "1", "nnUNet_compile": "f"}
    classes = write_raw(folder, out / "raw" / "Dataset001_x")
    begun = spent()  # the images were written for nnU-Net's sake, as the others found theirs
    import torch
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)
    extract_fingerprints([1], num_processes=1, show_progress_bar=False)
    plan_experiments([1])
    path = out / "preprocessed" / "Dataset001_x" / "nnUNetPlans.json"
    plans = json.loads(path.read_text(encoding="utf-8"))
    if program == "nnunet-cpu":
        sized(plans["configurations"]["2d"])
        path.write_text(json.dumps(plans), encoding="utf-8")
    preprocess([1], configurations=("2d",), num_processes=(1,), show_progress_bar=False)
    os.environ |= {"nnUNet_n_proc_DA": "0"}  # its planner takes no 0
    used: dict[str, Any] = {"begun": 0.0, "planned": round(spent() - begun, 1)}
    used["recipe"] = json.dumps(plans["configurations"]["2d"]["architecture"]["arch_kwargs"])
    trainer, steps = trained(plans, out, seconds + begun, half=half)
    used |= {"trained": round(spent() - begun, 1), "steps": steps}
    predicted(trainer, folder, out, classes, half=half)
    used["predicted"] = round(spent() - begun, 1)
    return used


def write_raw(folder: Path, raw: Path) -> int:
    """Write the training images in nnU-Net's layout; return the number of classes."""
    from PIL import Image

    for name in ("imagesTr", "labelsTr"):
        (raw / name).mkdir(parents=True)
    classes = count = 0
    for path in sorted((folder / "train").glob("*.npz")):
        with np.load(path) as arrays:
            image, masks = arrays["image"], arrays["masks"]
        classes, count = len(masks), count + 1
        labels = np.zeros(image.shape, np.uint8)
        for k, mask in enumerate(masks):
            labels[mask] = k + 1
        Image.fromarray(image).save(raw / "imagesTr" / f"{path.stem}_0000.png")
        Image.fromarray(labels).save(raw / "labelsTr" / f"{path.stem}.png")
    about = {
        "channel_names": {"0": "grey"},
        "labels": {"background": 0} | {f"class{k + 1}": k + 1 for k in range(classes)},
        "numTraining": count,
        "file_ending": ".png",
    }
    (raw / "dataset.json").write_text(json.dumps(about), encoding="utf-8")
    return classes


def sized(plan: dict[str, Any]) -> None:
    """Cut a plan for a CPU: crops of 256, batches of 4, half the width."""
    plan["batch_size"] = 4
    plan["patch_size"] = [min(side, 256) for side in plan["patch_size"]]
    options = plan["architecture"]["arch_kwargs"]
    stages = min(options["n_stages"], 7)  # 256 halved six times leaves 4
    while min(plan["patch_size"]) // 2 ** (stages - 1) < 4:
        stages -= 1
    for key in ("features_per_stage", "kernel_sizes", "strides", "n_conv_per_stage"):
        options[key] = options[key][:stages]
    options["n_conv_per_stage_decoder"] = options["n_conv_per_stage_decoder"][: stages - 1]
    options["features_per_stage"] = [width // 2 for width in options["features_per_stage"]]
    options["n_stages"] = stages


def trained(plans: dict[str, Any], out: Path, until: float, *, half: bool) -> tuple[Any, int]:
    """Take the trainer's steps until the CPU seconds are over."""
    import torch
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    about = json.loads((out / "raw" / "Dataset001_x" / "dataset.json").read_text(encoding="utf-8"))
    plans = plans | {"continue_training": False}
    trainer = nnUNetTrainer(plans, "2d", "all", about, device=torch.device("cpu"))
    trainer.plot_network_architecture = lambda: None
    trainer.on_train_start()
    trainer.network.train()
    begun, steps = spent(), 0
    while spent() < until:
        share = min((spent() - begun) / (until - begun), 1.0)
        for group in trainer.optimizer.param_groups:
            group["lr"] = trainer.initial_lr * (1 - share) ** 0.9
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            trainer.train_step(next(trainer.dataloader_train))
        steps += 1
    return trainer, steps


def predicted(trainer: Any, folder: Path, out: Path, classes: int, *, half: bool) -> None:
    """Write the probabilities of all test images, by its own sliding window and mirroring."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(
        device=torch.device("cpu"), perform_everything_on_device=False, allow_tqdm=False
    )
    predictor.manual_initialization(
        trainer.network,
        trainer.plans_manager,
        trainer.configuration_manager,
        [trainer.network.state_dict()],
        trainer.dataset_json,
        "nnUNetTrainer",
        trainer.inference_allowed_mirroring_axes,
    )
    for path in sorted((folder / "test").glob("*.npz")):
        with np.load(path) as arrays:
            image = arrays["image"].astype(np.float32)[None, None]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            labels, prob = predictor.predict_single_npy_array(
                image, {"spacing": (999, 1, 1)}, save_or_return_probabilities=True
            )
        mask = np.asarray(labels)[0] == np.arange(1, classes + 1)[:, None, None]
        np.savez(out / path.name, prob=np.asarray(prob)[1:, 0].astype(np.float16), mask=mask)
