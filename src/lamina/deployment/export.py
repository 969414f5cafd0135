"""From a run to a folder that predicts without lamina: networks, numbers, and a runner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

import lamina
from lamina import folders
from lamina.bundle import Bundle, kind_learnt, load_bundles
from lamina.deployment.graph import (
    OPSET,
    SUFFIXES,
    Format,
    check_installed,
    difference,
    write_network,
)
from lamina.deployment.parity import TOLERANCE, Compared, compare
from lamina.deployment.pipeline import (
    FORMAT,
    check_exportable,
    decision_entry,
    graph_shape,
    input_entry,
    known_entry,
    means_entry,
    member_entry,
    member_views,
)
from lamina.deployment.readme import readme
from lamina.deployment.sample import made_image
from lamina.errors import BundleError, RecipeError
from lamina.files import digest, make_folder, replacing_folder, write_bytes, write_json, write_text
from lamina.geometry.tiling.window import window
from lamina.options.near_words import did_you_mean
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.members.out_of_fold import ChosenMembers
from lamina.prediction.tiling.tiled_inference import MemberTiles, TiledInference
from lamina.progress import Bar
from lamina.public import StrPath, VerbResult, as_path
from lamina.recipe.recipe import Recipe
from lamina.refusals import verb
from lamina.result.decisions import AnyDecision, Threshold
from lamina.seeding import rng
from lamina.volume import ArrayVolume

RUNNER = "run.py"
"""Name of the program that reads it."""

_RANDOM_TILES = 3
_SAMPLE_TILES = 4


@dataclass(frozen=True)
class ExportResult(VerbResult):
    """What ``export`` wrote."""

    out: Path
    """The folder."""
    format: Format
    """Of the networks."""
    members: tuple[str, ...]
    """Names of the members that answer, in the order of their files."""
    tile_difference: float
    """Largest difference of a probability on a tile, over all members."""
    image_difference: float
    """Largest difference of a probability on the sample image, of all members together."""
    mask_pixels: int
    """Pixels of the sample image whose masks differ."""
    bytes: int
    """Size of the folder."""


@verb
def export(
    source: StrPath,
    out: StrPath,
    *,
    format: Format = "onnx",
    members: Literal["all"] | Sequence[str] = "all",
    tile: tuple[int, int] | None = None,
    threshold: float | None = None,
    with_known: bool = False,
) -> ExportResult:
    """Write a trained model as a folder that predicts with numpy and onnxruntime alone.

    The folder is run once and compared with lamina, both in float32 on the CPU; where they are
    more than 1e-4 apart, nothing is written. Exported are images of two axes; volumes, fragments,
    valid areas, resized images and stretched values are refused.

    Args:
        source: A run or a bundle (folder or zip).
        out: The folder to write, which is not there yet; it appears whole or not at all.
        format: ``onnx``; or ``torch``: programs of ``torch.export``, which need torch to run.
        members: ``all``, or names of some.
        tile: Rows and columns of a tile; None: those of the recipe.
        threshold: For all classes, in place of the bundle's decision; None: that decision.
        with_known: Also write the SHA-256 of the training images, so that each is predicted by
            members that did not train on it.

    Returns:
        The folder, and how far its answers are from those of lamina.

    Raises:
        BundleError: the bundle is damaged or missing, a network cannot be exported, or the export
            answers differently.
        RecipeError: an option is not valid, ``out`` is there, something is not exported (the
            message says what), or a package is missing.

    Example:
        >>> result = export("run", "edge", members=["fold0"])
        >>> result.members, result.image_difference < 1e-4
        (('fold0',), True)
    """
    path, folder = as_path(source, "source"), as_path(out, "out")
    _check_options(path, format, tile, threshold)
    bundles = load_bundles([path], unfinished=True)
    plan = _Plan.of(bundles[0], members, tile, threshold, format, with_known)
    check_installed(format)
    with replacing_folder(folder) as made:
        return replace(plan.write(made), out=folder)


def _check_options(
    path: Path, format: str, tile: tuple[int, int] | None, threshold: float | None
) -> None:
    if format not in get_args(Format):
        raise RecipeError(f"format is '{format}'; it must be {' or '.join(get_args(Format))}")
    if tile is not None and (len(tile) != 2 or min(tile) < 1):
        raise RecipeError(f"tile is {tile}; it must be rows and columns, at least 1")
    if threshold is not None and not 0 <= threshold <= 1:
        raise RecipeError(f"the threshold is {threshold}; it must be within 0 and 1")
    if (path / folders.PREDICTION).is_file():
        raise RecipeError(
            f"{path}: is a prediction folder, and export writes a trained model; the objects of a "
            f"prediction are written by `lamina objects {path} --out DIR`"
        )


@dataclass(frozen=True)
class _Plan:
    """What is exported of a bundle."""

    bundle: Bundle
    recipe: Recipe
    decision: AnyDecision
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    job: TiledInference
    format: Format
    with_known: bool

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        members: Literal["all"] | Sequence[str],
        tile: tuple[int, int] | None,
        threshold: float | None,
        format: Format,
        with_known: bool,
    ) -> _Plan:
        """Choose members, and refuse what is not exported before any network is built."""
        recipe, device = bundle.recipe, torch.device("cpu")
        decision = bundle.decision if threshold is None else Threshold(threshold=threshold)
        loaded = LoadedMembers([bundle], device, None)
        names = loaded.names if members == "all" else list(members)
        _check_names(names, loaded.names)
        numbers = tuple(number for number, name in enumerate(loaded.names) if name in names)
        recipes = [bundle.recipe_of(number) for number in numbers]
        check_exportable(recipe, [one.frame for one in recipes], decision)
        for one in recipes:
            problem = None if tile is None else one.network.unfit(tile)
            if tile is not None and problem is not None:
                raise RecipeError(
                    f"tile is {' x '.join(map(str, tile))}; {one.network.kind} {problem}"
                )
        chosen = loaded.members(ChosenMembers(tuple((0, number) for number in numbers), "new"))
        for member in chosen:
            member.network.to(device).eval()
        answering = tuple(replace(one, tile=tile or one.tile) for one in chosen)
        options, kind = recipe.predict, recipe.task.kind
        job = TiledInference(answering, recipe.frame, kind, options, recipe.tile, device, None, 4)
        chosen_names = tuple(loaded.names[n] for n in numbers)
        return cls(bundle, recipe, decision, chosen_names, numbers, job, format, with_known)

    def write(self, folder: Path) -> ExportResult:
        """Fill an empty folder, and compare it with lamina.

        Raises:
            BundleError: a network cannot be exported, or answers differently.
            RecipeError: tiles are not square where they are turned.
        """
        learnt = kind_learnt([self.bundle])
        image = made_image(self._sample_shape(), learnt, rng(0, "export"))
        entries, apart = [], {}
        with Bar("exporting", len(self.names)) as bar:
            tilings = self.job.over(ArrayVolume(image, "yx", "sample"))
            for number, (name, tiles) in enumerate(zip(self.names, tilings, strict=True)):
                file = f"member-{number}{SUFFIXES[self.format]}"
                apart[name] = self._network(tiles, folder / file, name)
                window_file = self._window(tiles.grid.tile, folder)
                opset = OPSET if self.format == "onnx" else None
                entry = member_entry(tiles, self.recipe.predict, name, file, window_file, opset)
                entries.append(entry)
                bar.advance()
        write_text(folder / RUNNER, files("lamina.deployment").joinpath(RUNNER).read_text("utf-8"))
        about = self._about(entries, folder)
        write_json(folder / folders.PIPELINE, about)
        members, recipe, decision = self.job.members, self.recipe, self.decision
        found = compare(folder, image, members, recipe, decision, learnt)
        about["parity"] = self._parity(apart, found)
        write_json(folder / folders.PIPELINE, about)
        self._write_sample(folder, found)
        write_text(folder / "README.md", readme(about))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        worst = max(apart.values())
        return ExportResult(
            folder, self.format, self.names, worst, found.apart, found.mask_pixels, size
        )

    def _network(self, tiles: MemberTiles, path: Path, name: str) -> float:
        """Write a member's network; return how far its answers are from those of lamina."""
        shape, network = graph_shape(tiles, self.recipe.predict, name), tiles.member.network
        write_network(network, shape, path, name, self.format)
        apart = difference(network, path, self._seen(tiles, shape), self.job.kind)
        if not apart <= TOLERANCE:
            raise BundleError(
                f"member {name}: its file answers differently: {apart:.2g} in probability, "
                f"and at most {TOLERANCE:g} is allowed; nothing was written"
            )
        return apart

    def _seen(self, tiles: MemberTiles, shape: tuple[int, int, int]) -> torch.Tensor:
        """Return random tiles and those of the sample image, as the network sees them."""
        drawn = rng(1, "export")
        random = drawn.standard_normal((_RANDOM_TILES, *shape)).astype(np.float32)
        view, _ = member_views(tiles.frame, self.recipe.predict)[0]
        regions = list(tiles.grid)[:_SAMPLE_TILES]
        looked = [tiles.frame.look(tiles.image, region, tiles.factors) for region in regions]
        seen = np.ascontiguousarray(view.see(np.stack(looked)))
        return torch.from_numpy(np.concatenate([random, seen]))

    def _sample_shape(self) -> tuple[int, int, int]:
        """Return channels, rows and columns of an image of two by two tiles of each member."""
        sizes = [member.tile or self.job.tile for member in self.job.members]
        rows, columns = (max(size[axis] for size in sizes) for axis in (0, 1))
        return self.recipe.frame.channels, rows + max(rows // 3, 1), columns + max(columns // 4, 1)

    def _window(self, tile: tuple[int, ...], folder: Path) -> str:
        """Write the weights of a tile, unless tiles of that size have theirs; return the name."""
        plain = (self.job.members[0].tile or self.job.tile) == tuple(tile)
        name = "window.npy" if plain else f"window-{tile[0]}x{tile[1]}.npy"
        rows, columns = (window(self.recipe.predict.window, side) for side in tile)
        write_bytes(folder / name, _npy(np.outer(rows, columns).astype(np.float32)))
        return name

    def _about(self, entries: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
        task = self.recipe.task
        names = sorted({entry[key] for entry in entries for key in ("file", "window")})
        restore = None
        if task.kind == "restore":
            blank = ArrayVolume(np.zeros((self.recipe.frame.channels, 2, 2), np.uint8))
            offset, span = self.recipe.data.stored(blank, task)
            restore = {"offset": offset, "span": span}
        about = {
            "format": FORMAT,
            "created_by": f"lamina {lamina.__version__}",
            "bundle": self.bundle.digest(),
            "recipe_digest": self.recipe.digest(),
            "task": {"kind": task.kind, "names": list(task.names or ())},
            "input": input_entry(self.recipe, kind_learnt([self.bundle])),
            "members": entries,
            "means": means_entry(self.recipe.predict),
            "rounding": self.recipe.predict.rounding,
            "restore": restore,
            "decision": decision_entry(self.decision, task.outputs),
            "files": {name: digest(folder / name) for name in names},
            "parity": None,
        }
        if self.with_known:
            about["known"] = known_entry(self.bundle, self.numbers)
        return about

    def _parity(self, apart: dict[str, float], found: Compared) -> dict[str, Any]:
        return {
            "onnxruntime": version("onnxruntime") if self.format == "onnx" else None,
            "torch": version("torch"),
            "tolerance": TOLERANCE,
            "tile_difference": apart,
            "image": list(found.image.shape),
            "image_difference": found.apart,
            "mask_pixels": found.mask_pixels,
        }

    def _write_sample(self, folder: Path, found: Compared) -> None:
        make_folder(folder / "sample")
        arrays = {"input": found.image, "probabilities": found.answer}
        if self.recipe.task.kind != "restore":
            arrays["mask"] = found.masks
        for name, array in arrays.items():
            write_bytes(folder / "sample" / f"{name}.npy", _npy(array))


def _check_names(names: Sequence[str], known: Sequence[str]) -> None:
    if not names:
        raise RecipeError("members is empty; name at least one, or pass 'all'")
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
            raise RecipeError(f"members: no member is called '{name}'{hint}")


def _npy(array: NDArray[Any]) -> bytes:
    stream = BytesIO()
    np.save(stream, array)
    return stream.getvalue()
