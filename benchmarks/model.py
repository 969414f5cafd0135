"""What a loaded model adds to its networks: the first answer, and every one after it.

Promise    load and the first answer of a 512 x 512 image <= 1.5 s after the imports;
           every later answer <= 1.02 of the forward passes alone, with the same batches
Run        python benchmarks/model.py             about a minute, one core
Keep       python benchmarks/model.py --write     writes benchmarks/model.json

The first answer is that of a fresh process which has imported torch, lamina and the libraries that
build the network; what else lamina imports to load and to answer counts. Byte code of Python
files is kept, as it is of an installed package. ``first_s`` is by the clock with as many threads as
torch takes by itself and the recipe's own precision, as a person waits for it, on a machine that
does nothing else; beside are the seconds of the processor on one thread in float32, and those of
the imports. Later answers and forward passes are timed like these. A forward pass takes
the very network of the model, with batches of the same size, type and memory layout. What is not
of the network is also timed by itself: a call whose network returns its input at once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

PROCESSES, ROUNDS = 5, 25
SIDE = 512
_CHANGED = ("OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")  # a user has them as they come

Numbers = dict[str, float]


def save_bundle(folder: Path) -> None:
    """Write a bundle of one member of folder-laptop with random weights."""
    import torch

    from lamina.bundle import Bundle, MemberWeights
    from lamina.data.network_input.normalise import Fixed
    from lamina.recipe.load import load_recipe
    from lamina.task import Task

    recipe = load_recipe("folder-laptop", ["predict.views=as_is"])
    recipe = recipe.model_copy(update={"task": Task(kind="binary", names=("defect",))})
    torch.manual_seed(7)
    weights = recipe.network.untrained().build(recipe.frame.inputs, 1).state_dict()
    member = MemberWeights("fold0", weights, 0, "main", 0.5, Fixed(mean=0.5))
    Bundle.make(recipe, [member], cases={}).save(folder)


def image_of() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return the image that is predicted."""
    return np.random.default_rng(7).integers(0, 256, (SIDE, SIDE), np.uint8)


def first(folder: Path) -> Numbers:
    """Time load and first call by the clock, with the threads that torch takes by itself."""
    import torch

    import lamina
    import lamina.model.modules.smp  # with the libraries that build the network

    begun = time.perf_counter()
    lamina.load(folder, device="cpu")(image_of())
    return {"first_s": time.perf_counter() - begun, "first_threads": torch.get_num_threads()}


def first_alone(folder: Path) -> Numbers:
    """Time the imports, then load and first call on one thread: in a process without either."""
    begun = time.process_time()
    import torch

    of_torch = time.process_time()
    import lamina
    import lamina.model.modules.smp  # with the libraries that build the network

    imported = time.process_time()
    torch.set_num_threads(1)
    lamina.load(folder, device="cpu", precision="float32")(image_of())
    return {
        "import_torch_s": of_torch - begun,
        "import_libraries_s": imported - of_torch,
        "first_one_thread_s": time.process_time() - imported,
    }


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds of the processor of one call."""
    begun = time.process_time()
    call()
    return time.process_time() - begun


def later(folder: Path) -> Numbers:
    """Time calls of a loaded model and forward passes of its network in turns."""
    import torch

    import lamina
    from lamina.prediction.tiling.memory import batch_size

    torch.set_num_threads(1)
    image, model = image_of(), lamina.load(folder, device="cpu", precision="float32")
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

    def call() -> None:
        _ = model(image).probabilities

    call()
    forward()
    pairs = []
    for number in range(ROUNDS):  # who is first takes turns
        if number % 2:
            answer = seconds(call)
            pairs.append((answer, seconds(forward)))
        else:
            alone = seconds(forward)
            pairs.append((seconds(call), alone))
    networks.networks = [replace(networks.networks[0], network=torch.nn.Identity())]
    rest = [seconds(call) for _ in range(4 * ROUNDS)]
    return {
        "call_s": statistics.median(answer for answer, _ in pairs),
        "forward_s": statistics.median(alone for _, alone in pairs),
        "call_of_forward": statistics.median(answer / alone for answer, alone in pairs),
        "rest_s": statistics.median(rest),
        "tiles": tiles,
        "batch": batch,
    }


PARTS = {"first": first, "first alone": first_alone, "later": later}


def in_process(part: str, folder: Path) -> Numbers:
    """Return what a part measures in a process of its own."""
    command = [sys.executable, __file__, "--part", part, "--bundle", str(folder)]
    plain = {k: v for k, v in os.environ.items() if k not in _CHANGED}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=plain)
    numbers: Numbers = json.loads(done.stdout)
    return numbers


def measure(folder: Path) -> Numbers:
    """Return the medians of several first answers, and those of later ones."""
    found: Numbers = {}
    for part in ("first", "first alone"):
        in_process(part, folder)  # whose byte code is kept
        firsts = [in_process(part, folder) for _ in range(PROCESSES)]
        found |= {name: statistics.median(one[name] for one in firsts) for name in firsts[0]}
    return {name: round(value, 4) for name, value in (found | in_process("later", folder)).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="keep the result beside this script")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--bundle", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        print(json.dumps(PARTS[options.part](options.bundle)))
        return
    import torch

    from lamina.files import write_json

    with tempfile.TemporaryDirectory() as folder:
        save_bundle(Path(folder) / "bundle")
        result = {
            "machine": f"{platform.system()} {platform.machine()}",
            "torch": torch.__version__,
            "processes": PROCESSES,
            "rounds": ROUNDS,
            "side": SIDE,
            **measure(Path(folder) / "bundle"),
        }
    print(json.dumps(result, indent=1))
    if options.write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
