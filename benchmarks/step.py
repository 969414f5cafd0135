"""What a training step costs beside the network: against a plain loop over the same batches.

Promise    at most 0.25 ms a step over a plain loop, bar and log on (item 8); the laptop recipe at
           most half the time per step of a plain float32 loop where the processor multiplies
           bfloat16 fast (item 8b)
Run        python benchmarks/step.py            about two minutes, one core
Keep       python benchmarks/step.py --write    writes benchmarks/step.json

Both loops draw the same samples through the same loader and learn by the same loss and
optimiser; the plain one is what a notebook has, with a mean of the loss and nothing else.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.nn import functional

from lamina.data.case import Case
from lamina.data.network_input.normalise import Fixed
from lamina.files import write_json
from lamina.model.downscale import at_size
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import choose
from lamina.recipe.load import load_recipe
from lamina.synthetic.steel import CLASSES, strip
from lamina.training.saving.state import Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import epoch_of
from lamina.training.stage.loop import _train_epoch
from lamina.training.stage.signals import Stop
from lamina.volume import ArrayVolume

ROUNDS = 9
NORMALISE = Fixed(mean=0.4, std=0.1, scale=255)
NAMES = [f"class_{k + 1}" for k in range(CLASSES)]


def cases(count: int, shape: tuple[int, int]) -> list[Case]:
    found = []
    for index in range(count):
        image, masks = strip(index, shape=shape)
        facts = {"classes": ",".join(str(k) for k in range(CLASSES) if masks[k].any())}
        target = ArrayVolume(masks.astype(np.uint8))
        found.append(Case(str(index), str(index), ArrayVolume(image[None]), target, facts=facts))
    return found


class Race:
    """The same epochs by Lamina's loop and by a plain one, each with a network of its own."""

    def __init__(
        self,
        changes: list[str],
        make: Callable[[], nn.Module],
        count: int,
        shape: tuple[int, int],
        *,
        fast: bool,
    ) -> None:
        self.recipe = load_recipe("steel-laptop", [*changes, f"task.names={json.dumps(NAMES)}"])
        self.stage = self.recipe.stages[0]
        self.cases = cases(count, shape)
        self.plain_network, network = make().train(), make()
        self.plain_optimizer = torch.optim.AdamW(self.plain_network.parameters(), lr=1e-4)
        precision = choose("auto", torch.device("cpu")) if fast else None
        words = {torch.bfloat16: "bf16", None: "no"}
        AcceleratorState._reset_state(True)  # it is one per process, and remembers the precision
        accelerator = Accelerator(cpu=True, mixed_precision=words[precision])
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = self.stage.optimizer.build(network)
        network = accelerator.prepare(network)
        self.job = FoldContext(
            recipe=self.recipe,
            task=self.recipe.task,
            folder=Path(tempfile.mkdtemp()),
            title="bench",
            cases=self.cases,
            held_out=[],
            normalise=NORMALISE,
            accelerator=accelerator,
            precision=precision,
            workers=0,
            stop=Stop(),
            track=lambda row, step: None,
        )
        rates = [1e-4] * len(optimizer.param_groups)
        self.now = StageState(
            self.stage, network, optimizer, rates, None, Position(), lambda: None, 1e9
        )

    def samples(self, epoch: int):
        recipe = self.recipe
        return epoch_of(recipe, recipe.task, self.cases, NORMALISE, self.stage, epoch)

    def lamina(self, epoch: int) -> None:
        self.now.position.epoch, self.now.position.batch = epoch, 0
        with contextlib.redirect_stderr(io.StringIO()):
            _train_epoch(self.job, self.now)

    def plain(self, epoch: int) -> None:
        samples = self.samples(epoch)
        mean = 0.0
        for batch in batches(
            samples, self.stage.sampler.groups(len(samples), self.stage.batch), workers=0
        ):
            logits = self.plain_network(batch.image)
            target, _ = at_size(logits, batch.target.float(), batch.valid.float())
            loss = functional.binary_cross_entropy_with_logits(logits, target)
            loss.backward()
            self.plain_optimizer.step()
            self.plain_optimizer.zero_grad()
            mean += loss.item()

    def steps(self) -> int:
        return len(self.stage.sampler.groups(len(self.samples(0)), self.stage.batch))

    def run(self) -> dict[str, float]:
        """Milliseconds of CPU time per step; epochs alternate, so both meet the same noise."""
        seconds: dict[str, list[float]] = {"plain": [], "lamina": []}
        for epoch in range(ROUNDS + 1):
            for name, way in (("plain", self.plain), ("lamina", self.lamina)):
                begun = time.process_time()
                way(epoch)
                if epoch:  # the first round warms up
                    seconds[name].append(time.process_time() - begun)
        found = {k: statistics.median(v) / self.steps() * 1e3 for k, v in seconds.items()}
        return {
            "plain_ms": round(found["plain"], 3),
            "lamina_ms": round(found["lamina"], 3),
            "over_ms": round(found["lamina"] - found["plain"], 3),
            "ratio": round(found["lamina"] / found["plain"], 3),
        }


def tiny() -> nn.Module:
    torch.manual_seed(1)
    wide = [nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*wide, nn.Conv2d(8, CLASSES, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    torch.set_num_threads(1)
    keep_memory()
    bce = ['loss=[{"kind": "bce", "weight": 1}]', "stages.main.clip_norm=null", "transforms=[]"]
    small = [*bce, "frame.size=[64,64]", "stages.main.batch=4"]
    step = Race(small, tiny, 160, (64, 128), fast=False).run()
    print(step)

    def unet() -> nn.Module:
        torch.manual_seed(1)
        return load_recipe("steel-laptop", bce).network.build(1, CLASSES)

    laptop = Race(bce, unet, 32, (256, 256), fast=True).run()
    fast = choose("auto", torch.device("cpu"))
    result = {
        "machine": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "precision": str(fast or torch.float32).removeprefix("torch."),
        "rounds": ROUNDS,
        "tiny network, batch 4": step,
        "steel-laptop, batch 8": laptop,
        "goals": {
            "8": {"measured": step["over_ms"], "promised": 0.25, "kept": step["over_ms"] <= 0.25},
            "8b": {"measured": laptop["ratio"], "promised": 0.5, "kept": laptop["ratio"] <= 0.5},
        },
    }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
