"""Blocks of voxels beside the network: a training step, a prediction, and the memory that is said.

Promise    a step of volume3d-laptop costs at most 1.15 of a plain loop with the same network,
           batch, precision and loss, which cuts its crops from arrays in memory and mirrors them;
           a volume predicted from Zarr to Zarr costs at most 1.1 of the pure forward passes of its
           tiles; the most memory held is at most what is said before
Run        python benchmarks/blocks_engine.py            about five minutes, one core
Try        python benchmarks/blocks_engine.py --quick    the figures mean nothing
Keep       python benchmarks/blocks_engine.py --write    writes benchmarks/blocks_engine.json
Columns    python benchmarks/blocks_engine.py --columns  only the memory of a volume of 64 x 2048 x
           2048, which is predicted in columns: a sixth of what whole planes need is allowed; and
           the share of tiles that is answered again

Times are CPU seconds of one thread. Epochs of both loops alternate, and so do predictions and
forward passes, so that both meet the same noise. Peaks are of processes of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import zarr
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed
from lamina.data.readers import open_volume
from lamina.files import write_json
from lamina.model.memory_layout import laid_out, lay_out
from lamina.prediction.engine import Member, Place, plan_case, stream_case
from lamina.prediction.streaming.units.columns import Seen, column_bytes
from lamina.prediction.tiling.memory import activations, keep_memory
from lamina.prediction.tiling.precision import choose
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.seeding import rng
from lamina.training.saving.state import Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loop import _train_epoch
from lamina.training.stage.signals import Stop
from lamina.volume import ArrayVolume

HERE = Path(__file__).resolve()
CPU = torch.device("cpu")
NORMALISE = Fixed(mean=0.5, std=0.2, scale=255)
WHOLE = (20, 512, 512)
BATCH = 4


def scan(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return grey levels and a mask, (*shape) uint8."""
    image = rng(0, "blocks").integers(0, 256, shape, np.uint8)
    return image, (image > 240).astype(np.uint8)


class Loops:
    """The same steps by Lamina's loop and by a plain one, each with a network of its own."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        recipe = load_recipe("volume3d-laptop")
        count = steps * recipe.stages[0].batch
        self.recipe = load_recipe("volume3d-laptop", [f"stages.main.sampler.count={count}"])
        self.stage, self.image, self.mask = self.recipe.stages[0], *scan(WHOLE)
        self.precision = choose(self.recipe.precision, CPU)
        self.network, self.optimizer = self.made()
        network, optimizer = self.made()
        words = {torch.bfloat16: "bf16", None: "no"}
        accelerator = Accelerator(cpu=True, mixed_precision=words[self.precision])
        network = accelerator.prepare(network)
        target = ArrayVolume(self.mask[None], "zyx")
        self.job = FoldContext(
            recipe=self.recipe,
            task=self.recipe.task,
            folder=Path(tempfile.mkdtemp()),
            title="bench",
            cases=[Case("a", "a", ArrayVolume(self.image[None], "zyx"), target)],
            held_out=[],
            normalise=NORMALISE,
            accelerator=accelerator,
            precision=self.precision,
            workers=0,
            stop=Stop(),
            track=lambda row, step: None,
        )
        rates = [1e-3] * len(optimizer.param_groups)
        self.now = StageState(
            self.stage, network, optimizer, rates, None, Position(), lambda: None, 1e9
        )

    def made(self) -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(1)
        network = lay_out(self.recipe.network.build(1, 1)).train()
        return network, self.stage.optimizer.build(network)

    def lamina(self, epoch: int) -> None:
        self.now.position.epoch, self.now.position.batch = epoch, 0
        with contextlib.redirect_stderr(io.StringIO()):
            _train_epoch(self.job, self.now)

    def plain(self, epoch: int) -> None:
        for image, target in self.crops(epoch):
            with torch.autocast("cpu", self.precision, enabled=self.precision is not None):
                logits = self.network(laid_out(self.network, image))
            box = [n // s for n, s in zip(target.shape[2:], logits.shape[2:], strict=True)]
            logits, target = logits.float(), functional.avg_pool3d(target, box)
            probability = logits.sigmoid()
            overlap = 2 * (probability * target).sum() / (probability.sum() + target.sum() + 1)
            loss = functional.binary_cross_entropy_with_logits(logits, target) + 1 - overlap
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()

    def crops(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches of random crops, mirrored at random, as a notebook makes them."""
        chance, size = np.random.default_rng(epoch), self.recipe.frame.size
        for _ in range(self.steps):
            pairs = []
            for _ in range(self.stage.batch):
                start = [chance.integers(n - s + 1) for n, s in zip(WHOLE, size, strict=True)]
                at = tuple(slice(a, a + s) for a, s in zip(start, size, strict=True))
                flips = [axis for axis in range(3) if chance.random() < 0.5]
                crop = np.flip(self.image[at], flips).astype(np.float32)
                pairs.append((crop / 255, np.flip(self.mask[at], flips).astype(np.float32)))
            image, target = (
                torch.from_numpy(np.stack(one))[:, None] for one in zip(*pairs, strict=True)
            )
            yield (image - 0.5) / 0.2, target

    def run(self, rounds: int) -> dict[str, float]:
        seconds: dict[str, list[float]] = {"plain": [], "lamina": []}
        for epoch in range(rounds + 1):
            for name, way in (("plain", self.plain), ("lamina", self.lamina)):
                begun = time.process_time()
                way(epoch)
                if epoch:  # the first round warms up
                    seconds[name].append((time.process_time() - begun) / self.steps)
        pairs = zip(seconds["lamina"], seconds["plain"], strict=True)
        return {
            "plain_seconds": round(statistics.median(seconds["plain"]), 3),
            "lamina_seconds": round(statistics.median(seconds["lamina"]), 3),
            "ratio": round(statistics.median(a / b for a, b in pairs), 3),
        }


def predicting(tile: tuple[int, ...], classes: int) -> Recipe:
    names = [f"class{k}" for k in range(classes)]
    return Recipe.model_validate(
        {
            "name": "blocks",
            "task": {"kind": "multiclass", "names": names},
            "data": {"kind": "volume_pairs"},
            "network": {"kind": "resunet", "width": 16, "blocks": [1, 1, 1], "norm": "group"},
            "loss": [{"kind": "cross_entropy"}],
            "stages": [{"epochs": 1}],
            "frame": {"size": tile},
            "predict": {"overlap": 0.5},
        }
    )


def write_volume(path: Path, shape: tuple[int, ...]) -> None:
    array = zarr.create_array(path, shape=shape, chunks=(64, 64, 64), dtype="uint8")
    chance = np.random.default_rng(0)
    for start in range(0, shape[0], 64):
        part = chance.integers(0, 256, (min(64, shape[0] - start), *shape[1:]), np.uint8)
        array[start : start + 64] = part


def prediction(folder: Path, shape: tuple[int, ...], rounds: int) -> dict[str, Any]:
    """Return CPU seconds of a prediction from Zarr to Zarr, and of its forward passes alone."""
    wanted = predicting((32, 64, 64), 2)
    torch.manual_seed(1)
    network = lay_out(wanted.network.build(1, 2)).eval()
    write_volume(folder / "in.zarr", shape)
    volume = open_volume(folder / "in.zarr")
    member, options = Member(network, Fixed(scale=255)), {"device": CPU, "batch": BATCH}
    precision = choose("auto", CPU)
    spent: dict[str, list[float]] = {"total": [], "forward": []}
    for number in range(rounds):
        place = Place(folder / f"work{number}", folder / f"out{number}.zarr", "plan")
        plan = plan_case(volume, [member], wanted, place=place, precision=precision, **options)
        begun = time.process_time()
        stream_case(volume, [member], wanted, place=place, precision=precision, **options)
        spent["total"].append(time.process_time() - begun)
        begun = time.process_time()
        tiles = laid_out(network, torch.rand(BATCH, 1, *wanted.tile))
        enabled = precision is not None
        with torch.inference_mode(), torch.autocast("cpu", precision, enabled=enabled):
            for _ in range(-(-plan.tiles // BATCH)):
                network(tiles)
        spent["forward"].append(time.process_time() - begun)
    total, forward = (statistics.median(spent[name]) for name in ("total", "forward"))
    pairs = zip(spent["total"], spent["forward"], strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return {
        "shape": shape,
        "tiles": plan.tiles,
        "total_seconds": round(total, 2),
        "forward_seconds": round(forward, 2),
        "ratio": round(ratio, 3),
    }


class Twice(nn.Module):
    """Two outputs of an input, without memory of its own beside them."""

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([image, -image], 1)


def peak(source: Path, allowed: int | None) -> dict[str, Any]:
    """Return the most memory of a prediction in this process, and what was said before; MiB.

    Args:
        source: A volume.
        allowed: Bytes for bands, which are cut into columns where they need more; None: no limit.
    """
    keep_memory()
    wanted = predicting((64, 128, 128), 2)
    network = Twice().eval()
    member = Member(network, Fixed(scale=255))
    options: dict[str, Any] = {"device": CPU, "batch": 1}
    with tempfile.TemporaryDirectory(dir=source.parent) as name:
        small = Path(name) / "small.zarr"
        write_volume(small, (8, 8, 8))
        place = Place(Path(name) / "first", Path(name) / "first.zarr", "plan")
        stream_case(open_volume(small), [member], wanted, place=place, **options)  # imports
        volume = open_volume(source)
        place = Place(Path(name) / "work", Path(name) / "out.zarr", "plan")
        options["memory"] = allowed
        plan = plan_case(volume, [member], wanted, place=place, **options)
        said = plan.memory + activations(network, torch.zeros(1, 1, *wanted.tile), None)
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the high-water mark
        stream_case(volume, [member], wanted, place=place, **options)
        found = _status("VmHWM") - before
    return {
        "shape": volume.shape,
        "bands": list(plan.slabs.values()),
        "again": round(plan.again, 3),
        "measured": round(found / 2**20),
        "said": round(said / 2**20),
    }


def _status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"no {key} in /proc/self/status")


def peaks(
    folder: Path, shapes: Sequence[tuple[int, ...]], allowed: int | None = None
) -> list[dict[str, Any]]:
    """Return ``peak`` of volumes of these shapes, each in a process of its own."""
    rows = []
    for shape in shapes:
        source = folder / f"{'x'.join(map(str, shape))}.zarr"
        write_volume(source, shape)
        done = subprocess.run(
            [sys.executable, str(HERE), "--peak", str(source), str(allowed or 0)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def wide(folder: Path, quick: bool) -> dict[str, Any]:
    """Return the peak of a volume that is predicted in columns, and whole planes as they are said.

    What is allowed is a sixth of what whole planes need.
    """
    shape = (16, 256, 256) if quick else (64, 2048, 2048)
    seen = [Seen((64, 128, 128), shape)]
    whole = column_bytes(
        ArrayVolume(np.broadcast_to(np.uint8(0), (1, *shape)), "zyx"), 2, seen, shape[1:]
    )
    row = peaks(folder, [shape], whole // 6)[0]
    return row | {"allowed": round(whole / 6 / 2**20), "whole_planes": round(whole / 2**20)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    parser.add_argument("--columns", action="store_true", help="only a wide volume, in columns")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.peak:
        print(json.dumps(peak(Path(asked.peak[0]), int(asked.peak[1]) or None)), flush=True)
        return
    found: dict[str, Any] = {}
    if asked.columns:
        kept = HERE.with_suffix(".json")
        found = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    else:
        rounds, steps = (1, 2) if asked.quick else (5, 4)
        shape = (48, 96, 96) if asked.quick else (96, 192, 192)
        found["step"] = Loops(steps).run(rounds)
        print(json.dumps(found), flush=True)
        with tempfile.TemporaryDirectory() as name:
            found["prediction"] = prediction(Path(name), shape, 1 if asked.quick else 3)
            print(json.dumps(found["prediction"]), flush=True)
            depths, side = ((64, 128), 128) if asked.quick else ((256, 512), 512)
            found["peak_mib"] = peaks(Path(name), [(depth, side, side) for depth in depths])
    with tempfile.TemporaryDirectory() as name:
        found["columns_mib"] = wide(Path(name), asked.quick)
        print(json.dumps(found["columns_mib"]), flush=True)
    goals = {
        f"peak of {' x '.join(map(str, row['shape']))}": (row["measured"], row["said"])
        for row in [*found.get("peak_mib", []), found["columns_mib"]]
    }
    for name, most in (("step", 1.15), ("prediction", 1.1)):
        if name in found:
            goals[name] = (found[name]["ratio"], most)
    found["promises"] = {
        name: {"measured": value, "promised": most, "kept": value <= most}
        for name, (value, most) in goals.items()
    }
    found["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "precision": str(choose("auto", CPU) or torch.float32).removeprefix("torch."),
        "threads": 1,
        "torch": torch.__version__,
    }
    print(json.dumps(found, indent=1))
    if asked.write:
        write_json(HERE.with_suffix(".json"), found)


if __name__ == "__main__":
    main()
