"""A plain training loop around segmentation_models_pytorch, as tutorials write it.

resnet18 U-Net from nothing, AdamW at 1e-3 along a cosine, cross-entropy and Dice, batches of 8
random crops (or whole images, resized) that are mirrored and change in brightness and contrast;
channels_last, and bfloat16 where the processor is fast at it. Noise: DnCNN of 17 layers with 64
channels (Zhang et al. 2017).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import segmentation_models_pytorch as smp
import torch
from datasets import SIGMA, Dataset, images
from lamina_program import save, spent
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.prediction.tiling.precision import fast_on_cpu

CROP, PATCH, BATCH, RATE = 256, 64, 8, 1e-3
HALF = fast_on_cpu() is not None


def run(
    dataset: Dataset, folder: Path, program: str, seconds: float, seed: int, out: Path
) -> dict[str, Any]:
    """Train within the CPU seconds, predict the test images into `out`."""
    del program
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    used: dict[str, Any] = {"begun": round(spent(), 1), "recipe": "plain", "planned": 0.0}
    cases = [prepared(dataset, image, masks) for _, image, masks in images(folder / "train")]
    network = dncnn() if dataset.restores else unet(len(dataset.classes))
    network = network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), RATE)
    begun, steps = spent(), 0
    while spent() < seconds:
        share = min((spent() - begun) / (seconds - begun), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 + math.cos(math.pi * share)) / 2
        x, y = batch(dataset, cases, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=HALF):
            answer = network(x.contiguous(memory_format=torch.channels_last))
        loss = loss_of(dataset, x, answer.float(), y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        steps += 1
    used |= {"trained": round(spent(), 1), "steps": steps}
    network.eval()
    for id, image, _ in images(folder / "test"):
        prob = answered(dataset, network, image)
        save(out / f"{id}.npz", prob, prob > 0.5, restores=dataset.restores)
    used["predicted"] = round(spent(), 1)
    return used


def unet(classes: int) -> nn.Module:
    return smp.Unet("resnet18", encoder_weights=None, in_channels=1, classes=classes)


def dncnn() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(1, 64, 3, padding=1), nn.ReLU()]
    for _ in range(15):
        layers += [nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(64, 1, 3, padding=1))


def standard(dataset: Dataset, image: NDArray[Any]) -> NDArray[np.float32]:
    if dataset.restores:
        return (image / 255).astype(np.float32)
    return ((image - image.mean()) / (image.std() + 1e-6)).astype(np.float32)


def prepared(
    dataset: Dataset, image: NDArray[Any], masks: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a normalised image and its masks (K, rows, columns), large enough for a crop."""
    one, truth = standard(dataset, image), masks.astype(np.float32)
    if dataset.resize is not None:
        side = (dataset.resize, dataset.resize)
        one = cv2.resize(one, side, interpolation=cv2.INTER_AREA)
        truth = np.stack([cv2.resize(mask, side, interpolation=cv2.INTER_AREA) for mask in truth])
        return one, (truth > 0.5).astype(np.float32)
    size = PATCH if dataset.restores else CROP
    rows, columns = (max(size - n, 0) for n in one.shape)
    pad = ((0, rows), (0, columns))
    return np.pad(one, pad, "symmetric"), np.pad(truth, ((0, 0), *pad), "symmetric")


def batch(dataset: Dataset, cases: list[Any], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Draw crops, mirrored, with other brightness and contrast or with noise."""
    size = dataset.resize or (PATCH if dataset.restores else CROP)
    xs, ys = [], []
    for _ in range(BATCH):
        image, masks = cases[rng.integers(len(cases))]
        top, left = (rng.integers(n - size + 1) for n in image.shape)
        x = image[top : top + size, left : left + size]
        y = masks[:, top : top + size, left : left + size]
        for axis, name in ((-1, "x"), (-2, "y")):
            if name in dataset.mirrored and rng.random() < 0.5:
                x, y = np.flip(x, axis), np.flip(y, axis)
        if dataset.restores:
            y = x[None]
            x = x + rng.normal(0, SIGMA / 255, x.shape)
        elif rng.random() < 0.5:
            x = x * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2)
        xs.append(x[None].astype(np.float32))
        ys.append(y.copy())
    return torch.from_numpy(np.stack(xs)), torch.from_numpy(np.stack(ys))


def loss_of(dataset: Dataset, x: Tensor, answer: Tensor, y: Tensor) -> Tensor:
    if dataset.restores:
        return nn.functional.mse_loss(x - answer, y)
    prob = answer.sigmoid()
    both = (prob * y).sum((0, 2, 3))
    dice = (2 * both + 1) / (prob.sum((0, 2, 3)) + y.sum((0, 2, 3)) + 1)
    return nn.functional.binary_cross_entropy_with_logits(answer, y) + 1 - dice.mean()


def answered(dataset: Dataset, network: nn.Module, image: NDArray[Any]) -> NDArray[np.float32]:
    """Return (K, rows, columns) of a whole image, padded to multiples of 32."""
    rows, columns = image.shape
    one = standard(dataset, image)
    if dataset.resize is not None:
        one = cv2.resize(one, (dataset.resize, dataset.resize), interpolation=cv2.INTER_AREA)
    pads = tuple((0, -n % 32) for n in one.shape)
    x = torch.from_numpy(np.pad(one, pads, "symmetric")[None, None])
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=HALF):
        answer = network(x.contiguous(memory_format=torch.channels_last)).float()
    if dataset.restores:
        return ((x - answer)[0, :, :rows, :columns] * 255).numpy()
    prob = answer.sigmoid()[0, :, : one.shape[0], : one.shape[1]].numpy()
    if dataset.resize is None:
        return prob
    return np.stack([cv2.resize(p, (columns, rows), interpolation=cv2.INTER_LINEAR) for p in prob])
