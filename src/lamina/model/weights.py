"""Starting weights from safetensors files; nothing that is read here can run.

Files of torch.save are pickles, which run code when opened; they are known by their first bytes,
whatever their name, and refused. The hub's files are looked for on this machine only, and not even
a name is looked up, unless ``--online`` or ``LAMINA_ONLINE=1`` in the environment allows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download, try_to_load_from_cache
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from lamina.errors import BundleError
from lamina.files.tensor_header import check_header
from lamina.model.stems import Stem, adapt
from lamina.refusals import check_regular

_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_FILE = "model.safetensors"
_SHOWN = 5  # names per line of the table


_allowed: ContextVar[bool] = ContextVar("downloads", default=False)


def online() -> bool:
    """Return whether missing files may be downloaded, by ``downloads`` or ``LAMINA_ONLINE=1``."""
    return _allowed.get() or os.environ.get("LAMINA_ONLINE", "0") not in ("", "0")


@contextmanager
def downloads(*, allowed: bool) -> Iterator[None]:
    """Let missing files be downloaded within the block; False changes nothing."""
    before = _allowed.set(allowed or _allowed.get())
    try:
        yield
    finally:
        _allowed.reset(before)


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file by name, on the CPU.

    Raises:
        BundleError: the file is missing, a pickle, damaged, or holds values that are not finite.
    """
    check_regular(path)
    try:
        with path.open("rb") as stream:
            head = stream.read(9)
    except OSError as error:
        raise BundleError(
            f"{path}: weights cannot be read ({error.strerror}); network.weights is none, "
            "imagenet, or the path of a .safetensors file"
        ) from error
    if head.startswith(_PICKLES) and not head.endswith(b"{"):
        raise BundleError(
            f"{path}: is a pickle (torch.save), which can run code when opened, and was not "
            "opened; where you trust its source, convert it once with safetensors.torch.save_file"
        )
    check_header(path)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(
            f"{path}: not a whole safetensors file ({error}); fetch it again"
        ) from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise BundleError(f"{path}: tensor '{name}' holds values that are not finite")
    return tensors


def from_hub(repo: str, *, revision: str | None, encoder: str) -> Path:
    """Return the path of a repository's ``model.safetensors`` in the hub's cache.

    Raises:
        BundleError: it is not on this machine, or could not be downloaded where that is allowed.
    """
    # Looks into folders only; the library's download asks the network even for what is there.
    cached = try_to_load_from_cache(repo, _FILE, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    where = f"{repo} ({_FILE}{f', revision {revision}' if revision else ''})"
    if not online():
        raise BundleError(
            f"imagenet weights of encoder '{encoder}' are not on this machine: {where}; pass "
            "--online or set LAMINA_ONLINE=1 to download them once, or set network.weights to a "
            ".safetensors file you have, or to none"
        )
    try:
        return Path(hf_hub_download(repo, _FILE, revision=revision))
    except Exception as error:  # the library's own errors, and those of what it speaks through
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BundleError(
            f"imagenet weights of encoder '{encoder}' could not be fetched from {where}: {first}"
        ) from error


def fit(
    module: nn.Module, tensors: Mapping[str, Tensor], *, inputs: int, stem: Stem, source: str
) -> None:
    """Load ``tensors`` into ``module``, all of them or none.

    A first convolution for three channels is adapted by ``stem`` where the module has another
    number of ``inputs``.

    Raises:
        BundleError: tensors are missing, left over or of another shape; the message counts them
            and names the first of each kind. ``source`` names where they are from.
    """
    own = module.state_dict()
    ready = {name: _adapted(own.get(name), tensors[name], inputs, stem) for name in tensors}
    counted = "num_batches_tracked"  # older files do not have it, and torch fills it in
    kinds = {
        "missing": [n for n in own if n not in ready and not n.endswith(counted)],
        "extra": [n for n in ready if n not in own],
        "of another shape": [
            f"{n} {tuple(ready[n].shape)} for {tuple(own[n].shape)}"
            for n in ready
            if n in own and ready[n].shape != own[n].shape
        ],
    }
    if any(kinds.values()):
        table = "".join(
            f"\n  {kind:<16} {len(names):>5}  {', '.join(names[:_SHOWN])}"
            f"{', ...' if len(names) > _SHOWN else ''}"
            for kind, names in kinds.items()
        )
        raise BundleError(
            f"{source}: these weights belong to another network; nothing was loaded of "
            f"{len(ready)} tensors{table}"
        )
    module.load_state_dict(ready)


def _adapted(own: Tensor | None, given: Tensor, inputs: int, stem: Stem) -> Tensor:
    if own is None or own.ndim != given.ndim or own.ndim < 2 or own.shape == given.shape:
        return given
    apart = [axis for axis in range(own.ndim) if own.shape[axis] != given.shape[axis]]
    if apart == [1] and given.shape[1] == 3 and own.shape[1] == inputs:
        return adapt(given, inputs, stem)
    return given
