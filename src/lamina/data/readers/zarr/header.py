"""What a Zarr store says of itself: which array it means, and the names of its axes.

Of OME-Zarr (NGFF 0.4 in Zarr v2, 0.5 in Zarr v3) the first dataset of the image, which has the
full resolution, and the names of the axes are used; units and scales say where voxels lie.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lamina.data.readers.zarr.remote import RemoteFolder
from lamina.data.readers.zarr.scales import Scales, scales_of
from lamina.errors import DataError
from lamina.files import read_json, safe_join
from lamina.folders import remote_url

_OME = ("0.4", "0.5")
_LETTERS = {"channel": "c", "time": "t"}


@dataclass(frozen=True)
class Node:
    """An array or a group on disk, by its metadata."""

    path: Path | RemoteFolder
    version: Literal[2, 3]
    array: bool
    attributes: Mapping[str, Any]
    dimensions: tuple[str | None, ...] = ()
    """Names of the axes of a v3 array, where it has any."""


def place_of(path: Path) -> Path | RemoteFolder:
    """Return the folder of a store: on this machine, or in object storage."""
    url = remote_url(path)
    return path if url is None else RemoteFolder(url)


def is_store(path: Path | RemoteFolder) -> bool:
    """Whether a folder is a Zarr array or group, by the metadata in it."""
    return any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))


def find_array(path: Path, dataset: str | None) -> tuple[Node, str | None, Scales | None]:
    """Return the array that a store means, and what the store says of its axes.

    That is one letter per axis, and their scales; None where it says nothing.

    Args:
        path: The folder of the store.
        dataset: Path of an array or image within it; None: the only one there is.

    Raises:
        DataError: there is no such array, or several and none is named; the metadata are
            damaged, or of a version that is not known.
    """
    store = place_of(path)
    node = _node(store)
    for part in (dataset or "").strip("/").split("/"):
        if part:
            parent, node = node, _inside(store, node, part)
            if node.array:
                image = _image_of(parent, part)
                names = None if image is None else _axes(store, image)
                scales = None if image is None else scales_of(image, part)
                return node, names or _letters(node.dimensions), scales
    if node.array:
        return node, _letters(node.dimensions), None
    images = _images(node)
    if len(images) > 1:
        raise DataError(
            f"{store}: its metadata list {len(images)} images; name the array to read with "
            f"data.dataset: {', '.join(repr(name) for name in _listed(node))}"
        )
    if images:
        first = images[0]["datasets"][0]["path"]
        scales = scales_of(images[0], first.strip("/"))
        return _inside(store, node, first), _axes(store, images[0]), scales
    return (*_only(store, node), None)


def _only(store: Path | RemoteFolder, group: Node) -> tuple[Node, str | None]:
    """Return the only array in a group that is no OME image."""
    names = list(_listed(group))
    if len(names) == 1:
        node = _inside(store, group, names[0])
        return node, _letters(node.dimensions)
    if not names:
        raise DataError(f"{store}: is a Zarr group without an array of its own; leave it out")
    raise DataError(
        f"{store}: holds {len(names)} arrays; name the one to read with data.dataset: "
        f"{', '.join(names[:20])}"
    )


def _node(path: Path | RemoteFolder) -> Node:
    try:
        if (path / "zarr.json").is_file():
            meta = _json(path, "zarr.json")
            array = {"array": True, "group": False}[meta["node_type"]]
            names = tuple(meta.get("dimension_names") or ())
            return Node(path, 3, array, meta.get("attributes") or {}, names)
        array = (path / ".zarray").is_file()
        if not array and not (path / ".zgroup").is_file():
            raise DataError(f"{path}: is not a Zarr array or group; correct data.dataset")
        about = _json(path, ".zattrs") if (path / ".zattrs").is_file() else {}
        names = tuple(about.get("_ARRAY_DIMENSIONS") or ()) if array else ()  # of xarray
        return Node(path, 2, array, about, tuple(map(str, names)))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: its Zarr metadata are damaged ({error!r}); copy it again") from (
            error
        )


def _inside(store: Path | RemoteFolder, group: Node, name: str) -> Node:
    if group.array:
        raise DataError(f"{group.path}: is an array; there is no '{name}' in it")
    place = _joined(group.path, name)
    if not (place.is_dir() if isinstance(place, Path) else is_store(place)):
        arrays = ", ".join(list(_listed(group))[:20]) or "nothing"
        raise DataError(f"{store}: has no '{name}'; it holds {arrays}; set data.dataset")
    return _node(place)


def _joined(folder: Path | RemoteFolder, name: str) -> Path | RemoteFolder:
    if isinstance(folder, Path):
        return safe_join(folder, name)
    if ".." in name.split("/"):
        raise DataError(f"{name!r}: this name leaves the store {folder}; correct it")
    return folder / name.strip("/")


def _json(folder: Path | RemoteFolder, name: str) -> Any:
    if isinstance(folder, Path):
        return read_json(folder / name)
    found = folder.read(name)
    if found is None:
        raise DataError(f"{folder}/{name}: is gone; run again")
    try:
        return json.loads(found[0])
    except ValueError as error:
        raise DataError(
            f"{folder}/{name}: not readable as JSON ({error}); copy it again"
        ) from error


def _folders(folder: Path | RemoteFolder) -> Iterator[Path | RemoteFolder]:
    if isinstance(folder, Path):
        yield from (place for place in sorted(folder.iterdir()) if place.is_dir())
    else:
        yield from folder.folders()


def _listed(group: Node, before: str = "") -> Iterator[str]:
    """Yield the paths of all arrays below a group, in order."""
    for place in _folders(group.path):
        if is_store(place):
            node = _node(place)
            if node.array:
                yield before + place.name
            else:
                yield from _listed(node, f"{before}{place.name}/")


def _version(group: Node) -> str | None:
    """Return the version of OME-Zarr that a group says it has; None: it is no OME image."""
    ome = group.attributes.get("ome")
    described = ome if isinstance(ome, dict) else group.attributes
    images = described.get("multiscales")
    if not isinstance(images, list) or not images or not isinstance(images[0], dict):
        return None
    return str(described.get("version") or images[0].get("version") or "0.4")


def _images(group: Node) -> list[dict[str, Any]]:
    """Return the OME images that a group describes, each with datasets; none for other groups."""
    ome = group.attributes.get("ome")
    described = ome if isinstance(ome, dict) else group.attributes
    images = described.get("multiscales")
    if not isinstance(images, list) or not images:
        return []
    for image in images:
        if not isinstance(image, dict):
            raise DataError(f"{group.path}: its OME metadata are damaged; write it again")
        version = str(described.get("version") or image.get("version") or "0.4")
        if version not in _OME:
            raise DataError(
                f"{group.path}: is OME-Zarr {version}; read are {' and '.join(_OME)}: name its "
                f"array with data.dataset ({', '.join(list(_listed(group))[:5])}) and its axes "
                "with data.axes"
            )
        paths = [one.get("path") for one in image.get("datasets") or [{}]]
        if not all(isinstance(path, str) for path in paths):
            raise DataError(f"{group.path}: describes an image without a dataset; write it again")
    return images


def _image_of(group: Node, name: str) -> Mapping[str, Any] | None:
    """Return the OME image that lists the array ``name``; None: there is none that is known."""
    if _version(group) not in (*_OME, None):
        return None  # data.axes names them
    for image in _images(group):
        if any(one.get("path", "").strip("/") == name for one in image["datasets"]):
            return image
    return None


def _axes(store: Path | RemoteFolder, image: Mapping[str, Any]) -> str:
    axes = image.get("axes") or []
    names = [
        _LETTERS.get(str(axis.get("type")), str(axis.get("name"))) if isinstance(axis, dict) else ""
        for axis in axes
    ]
    found = _letters(names)
    if found is None:
        raise DataError(
            f"{store}: its axes are {axes}, not one letter each; name them in data.axes"
        )
    return found


def _letters(names: tuple[str | None, ...] | list[str]) -> str | None:
    """Return one letter per axis, or None where some axis has no such name."""
    found = [_LETTERS.get((name or "").lower(), (name or "").lower()) for name in names]
    good = all(len(name) == 1 and name.isascii() and name.isalpha() for name in found)
    return "".join(found) if found and good and len(set(found)) == len(found) else None
