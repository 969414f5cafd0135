"""Several bundles: opened to answer side by side, or joined into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lamina
from lamina.bundle.bundle import Bundle, versions
from lamina.bundle.index import FORMAT, INDEX, Index, MemberFile, Source
from lamina.bundle.store import Store
from lamina.bundle.unfinished import bundle_so_far
from lamina.data.image_types.image_kind import ImageKind
from lamina.errors import BundleError
from lamina.folders import RUN_RECIPE
from lamina.public import StrPaths, as_paths
from lamina.recipe.recipe import MeanOf, Recipe


@dataclass(frozen=True)
class Part:
    """A bundle that becomes one source of an ensemble."""

    name: str
    bundle: Bundle
    weight: float


def join(parts: Sequence[Part], mean_of: MeanOf) -> Bundle:
    """Return one bundle of the members of all parts.

    What is decided (task, predict, decide, metric) is as in the first part's recipe; each member
    keeps the network, frame and tile of its own. The weight of a part is shared evenly by those
    of its members that answer: by all of them for a new image, by the one that held it out for
    an image of the training, so that the parts count alike in both.

    Args:
        parts: At least one; names differ and are names of folders.
        mean_of: How views, tiles and members are averaged.

    Raises:
        BundleError: the parts do not see or answer alike, or one is an ensemble itself.
    """
    for part in parts:
        if part.bundle.index.sources:
            raise BundleError(
                f"{part.bundle.store.where}: is an ensemble already; name the runs it combines"
            )
        must_agree(parts[0].bundle, part.bundle)
    members: list[MemberFile] = []
    stores: dict[str, tuple[Store, str]] = {}
    for part in parts:
        for member in part.bundle.members:
            name = f"{part.name}-{member.name}"
            file = f"members/{name}.safetensors"
            stores[file] = (part.bundle.store, member.file)
            update = {"name": name, "file": file, "source": part.name}
            members.append(member.model_copy(update=update))
    recipe = _recipe(parts[0].bundle.recipe, mean_of)
    index = Index(
        format=FORMAT,
        lamina=lamina.__version__,
        recipe=recipe,
        recipe_digest=recipe.digest(),
        members=tuple(members),
        decision=recipe.decide,
        scores={"monitor": {member.name: member.score for member in members}},
        cases={},
        versions=versions(),
        images=parts[0].bundle.index.images,
        sources={
            part.name: Source(
                recipe=part.bundle.recipe,
                bundle=part.bundle.digest(),
                weight=part.weight,
                cases=part.bundle.cases,
                sampled_stores=part.bundle.index.sampled_stores,
            )
            for part in parts
        },
    )
    return Bundle(index, JoinedStore(stores))


def _recipe(recipe: Recipe, mean_of: MeanOf) -> Recipe:
    predict = recipe.predict.model_copy(update={"mean_of": mean_of})
    values = recipe.model_copy(update={"predict": predict}).model_dump(mode="json")
    return Recipe.model_validate(values)  # a mean may not suit the task


@dataclass(frozen=True)
class JoinedStore:
    """Files of several stores under new names: name to (store, name there)."""

    files: dict[str, tuple[Store, str]]
    where: str = "joined bundles"

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        if name not in self.files:
            raise BundleError(f"{self.where}: '{name}' is missing")
        store, there = self.files[name]
        return store.read(there)


def load_bundles(paths: StrPaths, *, unfinished: bool = False, verify: bool = True) -> list[Bundle]:
    """Open several bundles that are to answer together.

    Args:
        paths: Bundles (folders or zips), or run folders with a ``bundle`` in them.
        unfinished: Of a run without a bundle take the best checkpoint of each fold so far.
        verify: Compare every member with its digest now; it is compared again when used.

    Raises:
        BundleError: one cannot be opened, or they do not see or answer alike.
    """
    bundles = []
    for path in as_paths(paths):
        inside = path / "bundle"
        if path.is_dir() and not (path / INDEX).is_file():
            if not (inside / INDEX).is_file():
                bundles.append(_so_far(path, allowed=unfinished))
                continue
            path = inside
        bundles.append(Bundle.load(path, verify=verify))
    for other in bundles[1:]:
        must_agree(bundles[0], other)
    return bundles


def _so_far(run: Path, *, allowed: bool) -> Bundle:
    """Return the bundle of a run that has none yet, where that is allowed."""
    if not (run / RUN_RECIPE).is_file():
        raise BundleError(f"{run}: neither a bundle nor a run folder with a finished bundle")
    if not allowed:
        raise BundleError(
            f"{run}: its training has not finished; run the same `lamina train` again to resume"
        )
    return bundle_so_far(run)


def kind_learnt(bundles: Sequence[Bundle]) -> ImageKind | None:
    """Return type and range of the images that bundles learnt from; None: not known."""
    return next((bundle.images for bundle in bundles if bundle.images is not None), None)


def must_agree(bundle: Bundle, other: Bundle) -> None:
    """Refuse bundles that see other channels or slices, or answer other classes.

    Raises:
        BundleError: the first such difference.
    """
    pairs: dict[str, tuple[object, object]] = {
        "task": (bundle.task, other.task),
        "frame.channels": (bundle.recipe.frame.channels, other.recipe.frame.channels),
        "frame.slices": (bundle.recipe.frame.slices, other.recipe.frame.slices),
        "data.orientation": (_orientation(bundle), _orientation(other)),
    }
    mine, others = bundle.images, other.images
    if mine is not None and others is not None and not set(mine.types) & set(others.types):
        pairs["the type of images learnt from"] = (mine.words, others.words)
    for name, (first, second) in pairs.items():
        if first != second:
            raise BundleError(
                f"{bundle.store.where} and {other.store.where} cannot be combined: {name} is "
                f"{first!r} and {second!r}; run predict separately"
            )


def _orientation(bundle: Bundle) -> str | None:
    """Return how volumes are turned; None where the network sees none."""
    if bundle.recipe.frame.slices is None:
        return None
    return getattr(bundle.recipe.data, "orientation", None)
