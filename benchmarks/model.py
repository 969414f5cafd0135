"""What a loaded model adds to its networks: the first answer, and every one after it.

Promise    the first answer of a 512 x 512 image <= 1.5 s after ``import lamina`` and torch;
           the next ones <= 1.02 of the forward passes alone, with the same batches
Run        python benchmarks/model.py             about a minute, one core
Keep       python benchmarks/model.py --write     writes benchmarks/model.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import lamina
from lamina.bundle import Bundle, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.files import write_json
from lamina.prediction.tiling.memory import batch_size
from lamina.recipe.load import load_recipe
from lamina.task import Task

ROUNDS = 9
SIDE = 512


def save_bundle(folder: Path) -> None:
    """Write a bundle of one member of folder-laptop with random weights."""
    recipe = load_recipe("folder-laptop", ["precision=float32", "predict.views=as_is"])
    recipe = recipe.model_copy(update={"task": Task(kind="binary", names=("defect",))})
    torch.manual_seed(7)
    weights = recipe.network.untrained().build(recipe.frame.inputs, 1).state_dict()
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    Bundle.make(recipe, [member], cases={}).save(folder)


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def measure(folder: Path) -> dict[str, float]:
    """Time load and first call, then calls and their forward passes in turns."""
    image = np.random.default_rng(7).integers(0, 256, (SIDE, SIDE), np.uint8)
    begun = time.perf_counter()
    model = lamina.load(folder, device="cpu")
    model(image)
    first = time.perf_counter() - begun
    networks = model._networks
    recipe = networks.recipe
    rows, columns = recipe.tile
    step = [max(1, round(n * (1 - recipe.predict.overlap))) for n in (rows, columns)]
    tiles = int(
        np.prod([1 + -(-(SIDE - n) // s) for n, s in zip((rows, columns), step, strict=True)])
    )
    batch = batch_size(tiles, networks.batch)
    network = networks.networks[0].network
    sample = torch.rand((batch, recipe.frame.inputs, rows, columns))
    sample = sample.to(memory_format=torch.channels_last)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(-(-tiles // batch)):
                network(sample)

    calls: list[float] = []
    alone: list[float] = []
    for _ in range(ROUNDS):
        alone.append(seconds(forward))
        calls.append(seconds(lambda: model(image).probabilities))
    return {
        "first_s": round(first, 3),
        "call_s": round(statistics.median(calls), 4),
        "forward_s": round(statistics.median(alone), 4),
        "call_of_forward": round(
            statistics.median(a / b for a, b in zip(calls, alone, strict=True)), 3
        ),
        "tiles": tiles,
        "batch": batch,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    write = parser.parse_args().write
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        save_bundle(Path(folder) / "bundle")
        result = {
            "machine": f"{platform.system()} {platform.machine()}",
            "torch": torch.__version__,
            "rounds": ROUNDS,
            "side": SIDE,
            **measure(Path(folder) / "bundle"),
        }
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
