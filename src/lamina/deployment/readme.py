"""The page that goes with an exported folder."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

_PAGE = """# An exported pipeline

Made by {created_by}. It predicts {what} with NumPy and {runtime}.

    python -m pip install numpy {package} pillow
    python run.py photo.png --out {out}

In a program:

    from run import Pipeline
    pipeline = Pipeline(".")             # loads once; any number of threads may call it
    result = pipeline(image)             # a NumPy array: {takes}
    result.probabilities, result.masks   # (classes, rows, columns)

| file | holds |
|---|---|
| `pipeline.json` | everything around the networks: normalisation, tiles, views, means, decision |
| `member-*{suffix}` | the networks: `tile` (batch, channels, rows, columns) float32 to `logits` |
| `window*.npy` | weights with which overlapping tiles are blended |
| `run.py` | the program that reads them; its code says what each key of `pipeline.json` means |
| `sample/` | an image, and what lamina itself answers for it, to test other programs with |

Members: {members}. Compared with lamina in float32 on a made image of {size} pixels:
probabilities differ by at most {apart:.1e}, masks in {pixels} pixels.
"""


_RUNTIMES = {
    ".onnx": ("ONNX Runtime;\nneither lamina nor torch is needed", "onnxruntime"),
    ".pt2": ("torch; lamina\nis not needed", "torch"),
}
"""What runs the networks, with what is not needed, and its package."""


def _output(task: dict[str, Any]) -> str:
    """Return the name of a file that holds what is predicted."""
    if task["kind"] == "restore":
        return "restored.npy"
    return "masks.npy" if task["kind"] == "multilabel" and len(task["names"]) > 1 else "mask.png"


def readme(about: dict[str, Any]) -> str:
    """Return the page for what ``pipeline.json`` says."""
    channels, parity = about["input"]["channels"], about["parity"]
    restore = about["task"]["kind"] == "restore"
    learnt = about["input"]["learnt"]
    kind = f", {' or '.join(learnt['types'])}" if learnt else ""
    suffix = PurePath(about["members"][0]["file"]).suffix
    runtime, package = _RUNTIMES[suffix]
    return _PAGE.format(
        suffix=suffix,
        runtime=runtime,
        package=package,
        created_by=about["created_by"],
        what="restored images" if restore else f"masks of {', '.join(about['task']['names'])}",
        out=_output(about["task"]),
        takes=f"{channels} channel{'s' * (channels > 1)}{', RGB' * (channels == 3)}{kind}",
        members=", ".join(member["name"] for member in about["members"]),
        size=" x ".join(map(str, parity["image"][1:])),
        apart=parity["image_difference"],
        pixels=parity["mask_pixels"],
    )
