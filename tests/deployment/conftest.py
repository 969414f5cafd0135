"""Exports of small bundles; a network is traced once for all tests of a process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import lamina
from lamina.data.image_types.image_kind import ImageKind
from lamina.deployment import export as export_module
from lamina.deployment.graph import Format, write_network
from lamina.files import write_bytes
from tests.factories.bundles import Maker

NETWORK = {"kind": "dncnn", "width": 8, "depth": 3, "residual": False}

_TRACED: dict[tuple[str, tuple[int, ...], str], bytes] = {}


def traced_once(
    network: nn.Module, shape: tuple[int, int, int], path: Path, name: str, format: Format
) -> None:
    """Write the file that ``write_network`` made of equal weights before; each use compares it."""
    state = hashlib.sha256()
    for key, values in network.state_dict().items():
        state.update(key.encode() + values.contiguous().numpy().tobytes())
    key = (state.hexdigest(), shape, format)
    if key not in _TRACED:
        write_network(network, shape, path, name, format)
        _TRACED[key] = path.read_bytes()
    write_bytes(path, _TRACED[key])


@pytest.fixture
def exported(
    tmp_path: Path, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Path, Path]]:
    """Make a bundle with changes of the recipe, export it, and return both folders."""
    monkeypatch.setattr(export_module, "write_network", traced_once)

    def export(
        options: dict[str, Any] | None = None,
        name: str = "one",
        learnt: dict[str, Any] | None = None,
        images: ImageKind | None = None,
        **changes: Any,
    ) -> tuple[Path, Path]:
        bundle, edge = tmp_path / f"{name}-bundle", tmp_path / f"{name}-edge"
        made = make.bundle(**{"network": NETWORK, **changes})
        members = tuple(member.model_copy(update=learnt or {}) for member in made.index.members)
        index = made.index.model_copy(update={"members": members, "images": images})
        replace(made, index=index).save(bundle)
        lamina.export(bundle, edge, **(options or {}))
        return bundle, edge

    return export
