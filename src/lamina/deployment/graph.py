"""Networks as ONNX files, each compared with the network that it was made from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lamina.errors import BundleError, RecipeError
from lamina.files import write_with
from lamina.log import note
from lamina.prediction.tiling.averaging import Kind, activate

OPSET = 18
"""Version of the ONNX operators."""

_BATCH = 64  # tiles of a forward pass, at most
_TRACED = 2  # tiles of the example; 1 would be taken as fixed


def check_installed() -> None:
    """Refuse where a package that writes or runs ONNX is missing.

    Raises:
        RecipeError: which one, and how to install all of them.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise RecipeError(
            f"--format onnx needs {error.name or error}, which is not installed; "
            "pip install 'lamina[onnx]'"
        ) from error


def write_onnx(network: nn.Module, shape: tuple[int, int, int], path: Path, name: str) -> str:
    """Write a network as one ONNX file: tile (batch, C, h, w) to logits, float32.

    Args:
        network: On the CPU, in evaluation mode.
        shape: C, h and w of a tile; the batch alone may change.
        path: Where to write.
        name: What messages call the member.

    Returns:
        The SHA-256 of the file.

    Raises:
        BundleError: the network cannot be traced, or its graph is not valid.
    """
    import onnx

    example = torch.zeros((_TRACED, *shape))
    batch = torch.export.Dim("batch", min=1, max=_BATCH)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=["tile"],
                output_names=["logits"],
                dynamic_shapes=({0: batch},),
                verbose=False,
            )
            if program is None:
                raise RuntimeError("the exporter returned nothing")
            sha256 = write_with(path, lambda place: program.save(place, external_data=False))
            onnx.checker.check_model(path)
    except (RuntimeError, ValueError, TypeError, onnx.checker.ValidationError) as error:
        note(str(error))
        first = str(error).strip().splitlines()[:1]
        raise BundleError(
            f"member {name}: its network cannot be exported for tiles of "
            f"{shape[1]} x {shape[2]} pixels: {''.join(first) or type(error).__name__}"
        ) from error
    return sha256


def logits_of(path: Path, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what an ONNX file answers for tiles (B, C, h, w)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"tile": tiles})[0], np.float32)


def difference(network: nn.Module, path: Path, tiles: Tensor, kind: Kind) -> float:
    """Return the largest difference of probabilities between a network and its ONNX file.

    Args:
        network: On the CPU, in evaluation mode.
        path: Its file.
        tiles: (B, C, h, w) float32, as the network sees them.
        kind: Of the task; values are compared as they are where it restores.

    Returns:
        At least 0; infinite where either answers no number.
    """
    worst = 0.0
    for tile in tiles:  # one at a time and all of them: the batch may change
        worst = max(worst, _between(network, path, tile[None], kind))
    return max(worst, _between(network, path, tiles, kind))


def _between(network: nn.Module, path: Path, tiles: Tensor, kind: Kind) -> float:
    with torch.inference_mode():
        theirs = activate(kind, network(tiles).float())
    ours = activate(kind, torch.from_numpy(logits_of(path, tiles.numpy())))
    apart = float((ours - theirs).abs().max())
    return apart if np.isfinite(apart) else float("inf")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the exporter warns of, about its own code, from the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
