"""Fragments written out aligned, as a data folder like the one they came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lamina.data.catalogs import Fragments
from lamina.data.flatten import Flatten, Flattened, Maps, Stack
from lamina.data.flatten.summary import CURVES, LAYERS, about
from lamina.errors import DataError, RecipeError
from lamina.files import make_folder, read_json, replacing, write_bytes, write_json
from lamina.outputs.write_layers import Form, write_layers
from lamina.prediction.tiling.memory import keep_memory
from lamina.public import StrPath, StrPaths, VerbResult, as_path, as_paths
from lamina.recipe.load import load_recipe
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.volume import Chunked

MAPS, WRITTEN, HOW = "maps.npz", "written.json", "flatten.json"


@dataclass(frozen=True)
class RequestedFiles:
    """What is to be written of each fragment."""

    layers: tuple[int, int] | None = None
    """First layer and the one after the last; None: all."""
    form: Form = "tif"
    maps_only: bool = False
    """No layers at all."""


@dataclass(frozen=True)
class FlattenedFragment(VerbResult):
    """How a fragment was aligned."""

    shift: tuple[float, float]
    """Least and greatest shift over its tiles, in layers."""
    scale: tuple[float, float]
    """Least and greatest scale over its tiles."""


@dataclass(frozen=True)
class FlattenResult(VerbResult):
    """What ``flatten`` wrote."""

    out: Path
    """The folder."""
    reference: str | None
    """Name of the fragment that all are aligned to."""
    fragments: Mapping[str, FlattenedFragment]
    """The fragments by their names."""


@verb
def flatten(
    fragments: StrPaths,
    out: StrPath,
    catalog: Fragments | Recipe | StrPath,
    wish: RequestedFiles | None = None,
) -> FlattenResult:
    """Align fragments and write them; what is there already is not written again.

    ``out`` gets a folder for each fragment with its layers, copies of its mask and ink, and
    ``maps.npz`` (shift, scale, rows, columns of the tiles); ``flatten.json`` with the options and
    the curve of the reference; ``layers.json`` with the curves before and after.

    Args:
        fragments: Folders of fragments, or folders with such folders.
        out: The folder.
        catalog: File names, and in ``prepare`` how they are aligned; None there: as by default. Or
            a recipe with such data: itself, its file or name, or a run.
        wish: What is written.

    Returns:
        The folder, the reference, and the range of shifts and scales of each fragment.

    Raises:
        RecipeError: two fragments have one name, the reference is none of them, or a folder in
            ``out`` holds other layers.
        DataError: there is no fragment, or one cannot be read.
        ResourceError: the disk is full.

    Example:
        >>> recipe = load_recipe("ink", ["data.prepare.reference='1'"])
        >>> result = flatten("fragments", "flat", recipe)
        >>> sorted(result.fragments), result.reference
        (['1', '2'], '1')
    """
    fragments, out = as_paths(fragments, "fragments"), as_path(out, "out")
    if isinstance(catalog, Recipe):
        catalog = _data_of(catalog, catalog.name)
    elif not isinstance(catalog, Fragments):
        catalog = fragments_of(catalog)
    keep_memory()
    wish = wish or RequestedFiles()
    stacks = _opened(fragments, catalog)
    how = (catalog.prepare or Flatten()).resolved(list(stacks.values()), out / CURVES)
    make_folder(out)
    write_json(out / HOW, how.model_dump(mode="json"))
    said: dict[str, Any] = {}
    for folder, stack in stacks.items():
        curves, maps = how.fit(stack, out / CURVES)
        said[stack.id] = about(curves, maps)
        _write_maps(out / stack.id / MAPS, maps)
        if not wish.maps_only:
            _write_fragment(folder, stack, maps, out / stack.id, catalog, wish)
    write_json(out / LAYERS, said)
    flattened = {
        id: FlattenedFragment(_range(one["shift"]), _range(one["scale"]))
        for id, one in said.items()
    }
    return FlattenResult(out, how.reference, flattened)


def _range(values: Any) -> tuple[float, float]:
    return float(np.min(values)), float(np.max(values))


def fragments_of(
    recipe: StrPath, changes: Sequence[str] = (), reference: str | None = None
) -> Fragments:
    """Return the catalog of a recipe of fragments.

    Args:
        recipe: A YAML file, a built-in name, or a run folder or bundle folder.
        changes: Such as ``data.prepare.method=direct``.
        reference: Name of the fragment to align to in place of the recipe's; None: the recipe's.

    Raises:
        RecipeError: the recipe is not sound, or not for fragments.
    """
    folder = as_path(recipe, "recipe")
    inside = [folder / name for name in ("recipe.yaml", "bundle/recipe.yaml")]
    found = next((str(path) for path in reversed(inside) if path.is_file()), str(recipe))
    data = _data_of(load_recipe(found, changes), str(recipe))
    if reference is None:
        return data
    how = data.prepare or Flatten()
    return data.model_copy(
        update={"prepare": how.model_copy(update={"reference": reference, "curve": None})}
    )


def _data_of(recipe: Recipe, name: str) -> Fragments:
    if not isinstance(recipe.data, Fragments):
        raise RecipeError(
            f"--recipe {name}: data.kind is '{recipe.data.kind}', and aligned are fragments; name "
            "a recipe such as ink"
        )
    return recipe.data


def requested_files(layers: Sequence[int] | None, form: str, *, maps_only: bool) -> RequestedFiles:
    """Return what was asked for on the command line.

    Raises:
        RecipeError: it is no wish that can be fulfilled.
    """
    if form not in ("tif", "zarr"):
        raise RecipeError(f"--as is '{form}'; it is tif or zarr")
    if layers is not None and not (len(layers) == 2 and 0 <= layers[0] < layers[1]):
        raise RecipeError(
            f"--layers is {','.join(map(str, layers))}; write the first layer and the one after "
            "the last, such as 20,44"
        )
    span = None if layers is None else (layers[0], layers[1])
    return RequestedFiles(span, "tif" if form == "tif" else "zarr", maps_only)


def _opened(fragments: Sequence[Path], catalog: Fragments) -> dict[Path, Stack]:
    """Return the stacks of all fragments by their folders."""
    stacks: dict[Path, Stack] = {}
    names: dict[str, Path] = {}
    for path in fragments:
        if not path.is_dir():
            raise DataError(f"{path}: no such folder; name folders of fragments")
        for folder in catalog.fragments(path):
            place = catalog.stack_of(folder)
            if folder in stacks or place is None:
                continue
            stack = catalog.open_stack(place)
            if stack.id in names:
                raise RecipeError(
                    f"{folder}: is called '{stack.id}' like {names[stack.id]}; rename a folder, or "
                    "write them to two places"
                )
            names[stack.id], stacks[folder] = folder, stack
    if not stacks:
        raise DataError(
            f"{', '.join(map(str, fragments))}: no fragment there; needed are folders with a "
            f"'{catalog.image}'"
        )
    return stacks


def _write_maps(path: Path, maps: Maps) -> None:
    with replacing(path) as stream:
        np.savez(stream, shift=maps.shift, scale=maps.scale, rows=maps.rows, columns=maps.columns)


def _write_fragment(
    folder: Path, stack: Stack, maps: Maps, out: Path, catalog: Fragments, wish: RequestedFiles
) -> None:
    layers = wish.layers or catalog.layers or (0, stack.volume.shape[0])
    place = out / (catalog.image if wish.form == "tif" else f"{catalog.image}.zarr")
    key = _key(stack, maps, layers, wish.form)
    if place.exists() and not _is_written(out / WRITTEN, key):
        raise RecipeError(
            f"{place}: holds other layers, or the same aligned otherwise; choose another --out, or "
            "remove it"
        )
    if not place.exists():  # said before, since layers are there whole or not at all
        write_json(out / WRITTEN, {"digest": key, "layers": list(layers)})
        write_layers(Flattened(stack.volume, [maps]), place, layers, wish.form)
    for name in (catalog.mask, catalog.labels):
        if (folder / name).is_file():
            write_bytes(out / name, (folder / name).read_bytes())


def _key(stack: Stack, maps: Maps, layers: tuple[int, int], form: Form) -> str:
    volume = stack.volume
    stamp = (volume.stamp() if isinstance(volume, Chunked) else None) or volume.name
    text = json.dumps([stamp, maps.digest(), layers, form])
    return hashlib.sha256(text.encode()).hexdigest()


def _is_written(path: Path, key: str) -> bool:
    try:
        return bool(read_json(path)["digest"] == key)
    except (DataError, KeyError, TypeError):
        return False
