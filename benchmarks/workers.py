"""Prediction by several workers and training by several ranks: what the second process brings.

Promise    predict   2 local workers against 1: >= 1.8 times as fast, their start included
           dask      2 Dask workers against 2 local ones: <= 1.02 of the time
           killed    one of 4 Dask workers killed: the blocks that are begun again are at most the
                     two that it had
           decoded   chunks of the source decoded while a volume is predicted along three axes:
                     <= 1.1 per chunk and axis
           ranks     2 ranks that share whole batches against 1: >= 1.7 images per second
Run        python benchmarks/workers.py            about fifteen minutes on two cores at rest
One row    python benchmarks/workers.py --only predict       each takes less than five minutes
Try        python benchmarks/workers.py --seconds 5          seconds; the figures mean nothing
Keep       python benchmarks/workers.py --write    writes benchmarks/workers.json

All processes have one thread. Seconds are of the clock, since waiting is what is measured: nothing
else may run. ``--seconds`` is about how long one process takes for the job of ``predict``, whose
start would else count too much; the others are about half as long. The networks are not trained,
which changes no time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
import zarr

from lamina.bundle import Bundle, MemberWeights
from lamina.data.network_input.normalise import Fixed
from lamina.data.readers.zarr import chunks
from lamina.files import digest, write_json
from lamina.machine.cores import Cores
from lamina.prediction.run import predict
from lamina.prediction.tiling.memory import used_memory
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Task
from lamina.recipe.recipe import Recipe

HERE = Path(__file__)
SIDE = 512
TILE = 256

RECIPE = """
name: ranks
precision: float32
task: {{kind: multilabel}}
data: {{kind: synthetic, job: steel, count: {count}, shape: [256, 256]}}
split: {{kind: folds, count: 4}}
frame: {{size: [256, 256], channels: 1, normalise: {{kind: fixed, mean: 0.4, std: 0.2}}}}
network: {{kind: unet, encoder: resnet18, weights: none}}
loss: [{{kind: bce}}]
train:
  epochs: 4
  validate_every: 4
  batch: 8
  accumulate: 2
  optimizer: {{kind: adamw, lr: 0.001}}
  schedule: {{kind: constant}}
"""


def make_bundle(folder: Path, *, axes: str = "", width: int = 16) -> Path:
    """Write a bundle with a network whose tiles take some ten milliseconds."""
    frame: dict[str, Any] = {"size": [TILE, TILE], "channels": 1}
    recipe = Recipe.model_validate(
        {
            "name": "workers",
            "precision": "float32",
            "task": {"kind": "binary", "names": ["a"]},
            "data": {"kind": "folder"},
            "network": {"kind": "resunet", "width": width, "blocks": [1, 1, 1]},
            "loss": [{"kind": "bce"}],
            "stages": [{"epochs": 1}],
            "frame": frame | ({"slices": {"axes": axes}} if axes else {}),
            "predict": {"overlap": 0, "batch": 4},
        }
    )
    torch.manual_seed(0)
    weights = dict(recipe.network.build(1, 1).state_dict())
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    Bundle.make(recipe, [member], cases={}).save(folder / "bundle")
    return folder / "bundle"


def seconds_of_a_tile(bundle: Path) -> float:
    """Return how long one tile takes in this process."""
    network = Bundle.load(bundle).network(0).eval()
    tiles = torch.zeros(4, 1, TILE, TILE)
    times = []
    with torch.inference_mode():
        for _ in range(6):
            begun = time.perf_counter()
            network(tiles)
            times.append(time.perf_counter() - begun)
    return min(times) / 4


def make_images(folder: Path, count: int) -> Path:
    """Write grey images, no two alike."""
    rng = np.random.default_rng(0)
    base = cv2.GaussianBlur(rng.integers(0, 255, (SIDE, SIDE), np.uint8), (0, 0), 3)
    (folder / "images").mkdir()
    for number in range(count):
        path = folder / "images" / f"{number:05d}.png"
        cv2.imwrite(str(path), np.roll(base, number), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return folder / "images"


def make_volume(path: Path, shape: tuple[int, ...], chunk: int) -> Path:
    """Write a volume of noise in cubes, packed by blosc."""
    array = zarr.create_array(
        path,
        shape=shape,
        chunks=tuple(min(chunk, side) for side in shape),
        dtype="uint8",
        compressors=zarr.codecs.BloscCodec(cname="lz4", clevel=1),
        dimension_names=["z", "y", "x"],
    )
    for z in range(0, shape[0], chunk):
        part = (min(chunk, shape[0] - z), *shape[1:])
        array[z : z + chunk] = np.random.default_rng(z).integers(0, 256, part, np.uint8)
    return path


class Watch:
    """When outcomes came, and from whom; acts at one of them."""

    def __init__(self, number: int = -1, act: Callable[[Outcome], object] | None = None) -> None:
        self.number, self.act = number, act
        self.outcomes: list[tuple[float, Task, Outcome]] = []

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        noted = Schedule.done

        def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
            self.outcomes.append((time.monotonic(), task, outcome))
            noted(schedule, task, outcome)
            if self.act is not None and len(self.outcomes) == self.number:
                self.act(outcome)

        Schedule.done = done  # type: ignore[method-assign]
        try:
            yield self
        finally:
            Schedule.done = noted  # type: ignore[method-assign]

    @property
    def seconds(self) -> float:
        """From the begin of the first task to the end of the last one."""
        begun = min(at - outcome.seconds for at, _, outcome in self.outcomes)
        return max(at for at, _, _ in self.outcomes) - begun


def run(bundle: Path, inputs: Path, out: Path, **how: Any) -> float:
    """Return the seconds of a prediction from its call to its return."""
    begun = time.monotonic()
    save = ("masks", "probabilities")
    predict(bundle, inputs, out, device="cpu", save=save, progress=False, **how)
    return time.monotonic() - begun


def two_workers(folder: Path, seconds: float) -> dict[str, Any]:
    """2 local workers against 1, images of four tiles; one after the other, each once."""
    bundle = make_bundle(folder)
    count = max(math.ceil(seconds / (4 * seconds_of_a_tile(bundle))), 8)
    images = make_images(folder, count)
    found = {f"{n}": run(bundle, images, folder / f"pred{n}", workers=n) for n in (1, 2)}
    return {
        "images": count,
        "seconds_1": round(found["1"], 1),
        "seconds_2": round(found["2"], 1),
        **judged(found["1"] / found["2"], 1.8, more=True),
    }


def dask_against_local(folder: Path, seconds: float) -> dict[str, Any]:
    """2 Dask workers against 2 local ones, slabs along three axes; in turn, the better of two.

    From the begin of the first slab on: workers of Dask are there before, local ones start anew.
    """
    bundle, side = make_bundle(folder, axes="zyx"), 256
    tile = seconds_of_a_tile(bundle)
    depth = max(64 * round(seconds / 2 / tile / 3 / 64), 64)  # each axis has as many tiles
    volume = make_volume(folder / "v.zarr", (depth, side, side), 64)
    found: dict[str, list[float]] = {"local": [], "dask": []}
    with dask_client(2) as client:
        for number, kind in enumerate(("local", "dask", "dask", "local")):
            how = {"cluster": client} if kind == "dask" else {"workers": 2}
            with Watch().watching() as watch:
                run(bundle, volume, folder / f"pred{number}", **how)
            found[kind].append(watch.seconds)
    return {
        "shape": [depth, side, side],
        "tasks": len(watch.outcomes),
        "seconds": {kind: [round(each, 1) for each in times] for kind, times in found.items()},
        **judged(min(found["dask"]) / min(found["local"]), 1.02),
    }


@contextmanager
def dask_client(workers: int) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    options = {"processes": True, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(n_workers=workers, silence_logs=50, memory_limit=0, **options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def one_killed(folder: Path, seconds: float) -> dict[str, Any]:
    """How often tasks were given to a worker again after one of four was killed at work."""
    from distributed.diagnostics.plugin import SchedulerPlugin

    class Given(SchedulerPlugin):  # type: ignore[misc]
        """Counts how often each task is given to a worker."""

        def __init__(self) -> None:
            self.times: Counter[str] = Counter()

        def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
            if finish == "processing" and str(key).startswith("lamina-"):
                self.times[str(key)] += 1

    bundle = make_bundle(folder, axes="zy")
    deep = max(64 * round(seconds / 2 / seconds_of_a_tile(bundle) / 2 / 64), 512)
    volume = make_volume(folder / "v.zarr", (deep, 256, 256), 64)

    def kill(outcome: Outcome) -> None:
        os.kill(int(outcome.worker.partition(":")[2]), signal.SIGKILL)

    with dask_client(4) as client, Watch(4, kill).watching() as watch:
        given = Given()
        client.cluster.scheduler.add_plugin(given)
        run(bundle, volume, folder / "pred", cluster=client)
    run(bundle, volume, folder / "alone")
    same = all(
        digest(folder / "pred" / name) == digest(folder / "alone" / name)
        for name in ("prediction.json", "probabilities", "masks")
    )
    again = sum(given.times.values()) - len(given.times)
    return {
        "tasks": len(given.times),
        "workers": len({outcome.worker for _, _, outcome in watch.outcomes}),
        "same_bytes": same,
        **judged(again, 2),
    }


def decoded(folder: Path, seconds: float) -> dict[str, Any]:
    """Chunks decoded per chunk and axis: as memory is, and where slices are large.

    The slice that is predicted to say how long a volume takes is counted too.
    """
    del seconds
    bundle, rows = make_bundle(folder, axes="zyx", width=2), {}
    for name, shape, chunk, memory in (
        ("256x256x256, chunks of 64", (256, 256, 256), 64, None),
        ("512x512x512, chunks of 128, 512 MiB", (512, 512, 512), 128, 2**29),
    ):
        if memory is not None:  # beside what this process holds
            memory += used_memory()
        path = make_volume(folder / f"v{chunk}.zarr", shape, chunk)
        count, decode = [0], chunks._DECODERS["blosc"]

        def counted(*values: Any, count: Any = count, decode: Any = decode, **more: Any) -> Any:
            count[0] += 1
            return decode(*values, **more)

        chunks._DECODERS["blosc"] = counted
        run(bundle, path, folder / f"pred{chunk}", memory=memory)
        chunks._DECODERS["blosc"] = decode
        there = math.prod(-(-side // chunk) for side in shape)
        rows[name] = {"chunks": there, "decoded": count[0]} | judged(count[0] / there / 3, 1.1)
    return rows


def two_ranks(folder: Path, seconds: float) -> dict[str, Any]:
    """2 ranks that share the two batches of each step against one process, without the first epoch.

    Four epochs, of which the first and the start of processes are left out. Batches are as large as
    those of steel-laptop: what ranks send each other does not grow with them, so with a quarter of
    the pixels in a batch two ranks bring less (1.51 and 1.61 were measured).
    """
    count = max(round(seconds / 64) * 64, 64)  # whole steps of two batches of eight
    (folder / "ranks.yaml").write_text(RECIPE.format(count=count), encoding="utf-8")
    found, whole = {}, {}
    for name, words in (("1", ["--device", "cpu"]), ("2", ["--devices", "cpu:2"])):
        command = [sys.executable, "-m", "lamina", "train", str(folder / "ranks.yaml")]
        command += ["--data", str(folder), "--out", str(folder / name), "--folds", "0"]
        command += ["--workers", "0", *words]
        if name == "2":
            command += ["--spread", "batches"]
        begun = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        whole[name] = time.monotonic() - begun
        lines = (folder / name / "fold0" / "metrics.jsonl").read_text().splitlines()
        found[name] = sum(json.loads(line)["train_seconds"] for line in lines[1:])
    return {
        "images": count * 3 // 4,
        "epochs": len(lines) - 1,
        "seconds_1": round(found["1"], 1),
        "seconds_2": round(found["2"], 1),
        "whole_command": {name: round(value, 1) for name, value in whole.items()},
        **judged(found["1"] / found["2"], 1.7, more=True),
    }


def judged(value: float, goal: float, *, more: bool = False) -> dict[str, Any]:
    """Set a value beside its goal."""
    kept = value >= goal if more else value <= goal
    return {"measured": round(value, 3), "promised": goal, "kept": kept}


ROWS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "predict": two_workers,
    "dask": dask_against_local,
    "killed": one_killed,
    "decoded": decoded,
    "ranks": two_ranks,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=ROWS, help="one row")
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="of the longest job in one process"
    )
    parser.add_argument("--write", action="store_true", help="write the result beside this file")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    path = HERE.with_suffix(".json")
    result = json.loads(path.read_text()) if asked.only and path.exists() else {}
    for name, row in ROWS.items():
        if asked.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                result[name] = row(Path(folder), asked.seconds)
            print(name, json.dumps(result[name]), flush=True)
    cores = Cores.here()
    result["machine"] = {
        "processor": platform.processor() or platform.machine(),
        "cores": cores.allowed,
        "load_afterwards": cores.load,
        "torch": torch.__version__,
        "threads_of_each_process": 1,
    }
    if asked.write:
        write_json(path, result)


if __name__ == "__main__":
    main()
