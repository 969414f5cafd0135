"""Which memory layout is faster for networks of volumes, by their norm.

Promise    the layout that lamina chooses takes at most 1.1 times as long as the other: contiguous
           for instance norm, channels last for group norm
Run        python benchmarks/layout.py            minutes, one core
Keep       python benchmarks/layout.py --write    writes benchmarks/layout.json

A training step of `resunet` with 4 levels of width 16, two samples of 16 x 96 x 96 voxels and a
cross-entropy, in the precision that is fast here; seconds of the processor, least of the rounds,
both layouts in turn.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from lamina.files import write_json
from lamina.model.memory_layout import layout_of
from lamina.model.networks import Resunet
from lamina.prediction.tiling.precision import choose, name_of

ROUNDS = 3
SHAPE = (2, 1, 16, 96, 96)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}


def network(norm: str) -> nn.Module:
    torch.manual_seed(0)
    option = Resunet(width=16, blocks=(1, 1, 1, 1)).model_copy(update={"norm": norm})
    return option.suited(SHAPE[2:]).build(1, 2).train()


def step(net: nn.Module, layout: torch.memory_format, precision: torch.dtype | None) -> float:
    for parameter in net.parameters():
        if parameter.ndim == 5:
            parameter.data = parameter.data.contiguous(memory_format=layout)
    image = torch.randn(SHAPE).contiguous(memory_format=layout)
    target = torch.randint(0, 2, (SHAPE[0], *SHAPE[2:]))
    begun = time.process_time()
    with torch.autocast("cpu", dtype=precision, enabled=precision is not None):
        logits = net(image)
    functional.cross_entropy(logits.float(), target).backward()
    taken = time.process_time() - begun
    net.zero_grad(set_to_none=True)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    torch.set_num_threads(1)
    precision = choose("auto", torch.device("cpu"))
    result: dict[str, object] = {
        "machine": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "precision": name_of(precision),
        "rounds": ROUNDS,
    }
    goals = {}
    for norm in ("instance", "group"):
        net = network(norm)
        seconds: dict[str, list[float]] = {name: [] for name in LAYOUTS}
        for _ in range(ROUNDS):
            for name, layout in LAYOUTS.items():
                seconds[name].append(step(net, layout, precision))
        least = {name: round(min(each), 3) for name, each in seconds.items()}
        chosen = next(name for name, one in LAYOUTS.items() if one == layout_of(net, 5))
        other = next(name for name in LAYOUTS if name != chosen)
        ratio = round(least[chosen] / least[other], 3)
        result[f"{norm} norm, seconds of a step"] = {**least, "chosen": chosen, "ratio": ratio}
        goals[norm] = {"measured": ratio, "promised": 1.1, "kept": ratio <= 1.1}
    result["goals"] = goals
    print(json.dumps(result, indent=1))
    if write:
        write_json(Path(__file__).with_suffix(".json"), result)


if __name__ == "__main__":
    main()
