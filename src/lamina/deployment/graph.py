"""Networks as files that run without lamina, each compared with what it was made from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from lamina.deployment.run import open_network
from lamina.errors import BundleError, RecipeError
from lamina.files import write_with
from lamina.log import note
from lamina.prediction.tiling.averaging import Kind, activate

Format = Literal["onnx", "torch"]
"""``onnx``; or ``torch``: programs of ``torch.export``, files ``.pt2``."""

Shapes = tuple[dict[int, Any]]

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}

OPSET = 18
"""Version of the ONNX operators."""

_BATCH = 64  # tiles of a forward pass, at most
_TRACED = 2  # tiles of the example; 1 would be taken as fixed


def check_installed(format: Format) -> None:
    """Refuse where a package that writes or runs a format is missing.

    Raises:
        RecipeError: which one, and how to install all of them.
    """
    if format == "torch":
        return
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RecipeError(
            f"--format onnx needs {error.name or error}, which is not installed; "
            "pip install 'lamina[onnx]', or export --format torch"
        ) from error


def write_network(
    network: nn.Module, shape: tuple[int, int, int], path: Path, name: str, format: Format
) -> None:
    """Write a network as one file: tile (batch, C, h, w) to logits, float32.

    Args:
        network: On the CPU, in evaluation mode.
        shape: C, h and w of a tile; the batch alone may change.
        path: Where to write.
        name: What messages call the member.
        format: ``onnx``, or ``torch`` for a program of ``torch.export``.

    Raises:
        BundleError: the network cannot be traced, or its graph is not valid.
    """
    write = _write_onnx if format == "onnx" else _write_program
    example = torch.zeros((_TRACED, *shape))
    shapes = ({0: torch.export.Dim("batch", min=1, max=_BATCH)},)
    try:
        with _quiet(), torch.no_grad():
            write(network, example, shapes, path)
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        note(str(error))
        first = str(error).strip().splitlines()[:1]
        raise BundleError(
            f"member {name}: its network cannot be exported for tiles of "
            f"{shape[1]} x {shape[2]} pixels: {''.join(first) or type(error).__name__}"
        ) from error


def _write_onnx(network: nn.Module, example: Tensor, shapes: Shapes, path: Path) -> None:
    import onnx

    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        opset_version=OPSET,
        external_data=False,
        input_names=["tile"],
        output_names=["logits"],
        dynamic_shapes=shapes,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("the exporter returned nothing")
    write_with(path, lambda place: program.save(place, external_data=False))
    try:
        onnx.checker.check_model(path)
    except onnx.checker.ValidationError as error:
        raise ValueError(str(error)) from error


def _write_program(network: nn.Module, example: Tensor, shapes: Shapes, path: Path) -> None:
    program = torch.export.export(network, (example,), dynamic_shapes=shapes)
    program.example_inputs = None  # they would be pickled; weights are plain bytes
    write_with(path, lambda place: torch.export.save(program, place))


def difference(network: nn.Module, path: Path, tiles: Tensor, kind: Kind) -> float:
    """Return the largest difference of probabilities between a network and its file.

    Args:
        network: On the CPU, in evaluation mode.
        path: Its file.
        tiles: (B, C, h, w) float32, as the network sees them.
        kind: Of the task; values are compared as they are where it restores.

    Returns:
        At least 0; infinite where either answers no number.
    """
    exported = open_network(path)
    worst = 0.0
    for batch in (*(tile[None] for tile in tiles), tiles):  # the batch may change
        with torch.inference_mode():
            theirs = activate(kind, network(batch).float())
        ours = activate(kind, torch.from_numpy(exported(batch.numpy())))
        apart = float((ours - theirs).abs().max())
        worst = max(worst, apart if np.isfinite(apart) else float("inf"))
    return worst


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter warns of, about its own code, from the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
