"""Train and predict one row in this process; __main__.py starts it, with the right interpreter."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("dataset", "program"):
        parser.add_argument(name)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    parser.add_argument("--bfloat16", action="store_true", help="it is fast here")
    asked = parser.parse_args()
    if asked.program.startswith("nnunet"):
        from nnunet_program import run as run_nnunet

        half = asked.bfloat16 and asked.program == "nnunet-cpu"
        used = run_nnunet(
            asked.folder, asked.program, asked.seconds, asked.seed, asked.out, half=half
        )
    else:
        from datasets import BY_NAME

        dataset = BY_NAME[asked.dataset]
        if asked.program == "plain":
            from plain_program import run
        else:
            from lamina_program import run
        used = run(dataset, asked.folder, asked.program, asked.seconds, asked.seed, asked.out)
    (asked.out / "used.json").write_text(json.dumps(used, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
