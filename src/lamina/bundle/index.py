"""The index of a bundle: what is in it, sealed with its own digest.

The seal finds damage, not malice: whoever can change the index can change its seal.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

import lamina
from lamina import files
from lamina.bundle.store import Store
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.network_input.normalise import AnyNormalise
from lamina.errors import BundleError
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Calibration
from lamina.result.decisions import AnyDecision, Expected
from lamina.spec import ADDED_LATER, Spec

FORMAT = 4
"""Version of the layout; a higher one is refused. 1 knew one training only, no sources; 2 one
member of a fold, and one size of images for all stages; 3 read volumes as they are stored,
whatever their files say of their orientation, and did not remember what images it had seen."""

_ORIENTED = 4  # the first that turns volumes, of these catalogs
_CATALOGS = ("volume_pairs", "folder", "corrupt")

INDEX = "bundle.json"
LARGEST_INDEX = 256 * 2**20
"""Bytes; a longer index is refused."""


class MemberFile(Spec):
    """One trained network: where its weights lie and where they come from."""

    name: str
    """What messages call it, such as ``fold0``."""

    file: str
    """Name below the bundle's folder."""

    sha256: str
    """Digest of the file."""

    fold: int
    """The fold that it did not see; -1: it saw every case."""

    stage: str
    """The stage that its weights left; it sees images at that stage's size."""

    score: float | None
    """The monitored score on its own held-out cases."""

    normalise: AnyNormalise
    """Normalisation as resolved on its own training cases."""

    calibration: Annotated[tuple[Calibration, ...], ADDED_LATER] = ()
    """A curve for each output, that its probabilities go through before they are averaged with
    those of other members; none: they stay as they are. Set by ``lamina tune``."""

    source: str | None = None
    """The training it comes from, by its name in ``sources``; null: the bundle's own."""


class KnownCase(Spec):
    """A case that training saw."""

    sha256: tuple[str, ...]
    """Digests of the files behind the image."""

    fold: int
    """The fold that held it out; -1: every member trained on it."""

    labels: Literal["given", "pseudo", "behind"] = "given"
    """``given`` with the data; ``pseudo``: made by members that had no label of it; ``behind``: not
    trained on, but by members that made pseudo labels or that training started from."""


class Source(Spec):
    """One training of an ensemble: what its members are, and what they saw."""

    recipe: Recipe
    """Says how its members are built, what they look at, and in which tiles."""

    bundle: str
    """Digest of the bundle it was."""

    weight: float = Field(gt=0)
    """Share of its members together in an answer, relative to the other sources."""

    cases: dict[str, KnownCase]
    """The cases of its training, by id."""

    sampled_stores: Annotated[bool, ADDED_LATER] = False
    """As of ``Index``."""


class Index(Spec):
    """The content of ``bundle.json``, without its seal."""

    format: int
    """Version of the layout."""

    lamina: str
    """Version that wrote it."""

    recipe: Recipe
    """The resolved recipe, with the names of the task's outputs."""

    recipe_digest: str
    """Digest of the recipe."""

    members: tuple[MemberFile, ...]
    """The trained networks, in order."""

    decision: AnyDecision
    """The decision as last tuned."""

    outlook: Annotated[Expected | None, ADDED_LATER] = None
    """What says how probable a class is in an image and what its mask is expected to score,
    whatever the decision; null: not tuned, or the metric merges classes."""

    scores: dict[str, Any]
    """What training and tuning measured."""

    cases: dict[str, KnownCase]
    """The cases of the bundle's own training, by id; an ensemble has none."""

    versions: dict[str, str]
    """Versions of the libraries that trained it."""

    images: Annotated[ImageKind | None, ADDED_LATER] = None
    """Type and range of the images learnt from; null: not known, and images are taken as they
    are."""

    sampled_stores: Annotated[bool, ADDED_LATER] = False
    """Whether digests of Zarr stores are also those of a sample, which begin with ``sampled:``;
    false, of earlier versions: only of the whole."""

    sources: dict[str, Source] = Field(default_factory=dict)
    """The trainings that an ensemble was made of, by name."""


def sealed(index: Index) -> dict[str, Any]:
    """Return the index as JSON with its own digest under ``seal``."""
    return files.sealed(index.model_dump(mode="json"))


def read_as_stored(values: dict[str, Any]) -> None:
    """Let the recipes of an earlier bundle read volumes as its members learnt from them."""
    for owner in (values, *values.get("sources", {}).values()):
        recipe = owner.get("recipe", {})
        data = recipe.get("data", {})
        if data.get("kind") in _CATALOGS and recipe.get("frame", {}).get("slices"):
            data.setdefault("orientation", "as_stored")


def read_index(store: Store) -> Index:
    """Return the checked index of a store.

    Raises:
        BundleError: it is missing, too long, damaged, or not readable by this version of lamina.
    """
    place = f"{store.where}: {INDEX}"
    data = store.read(INDEX)
    if len(data) > LARGEST_INDEX:
        raise BundleError(f"{place}: {len(data)} bytes; at most {LARGEST_INDEX} are read")
    try:
        values = json.loads(data)
        seal = values.pop("seal")
        made, by, right = int(values["format"]), str(values["lamina"]), files.seal_of(values)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{place}: not the index of a bundle ({error}); copy it again") from error
    if made > FORMAT:
        raise BundleError(
            f"{place}: written by lamina {by}; this is {lamina.__version__}, update it"
        )
    if seal != right:
        raise BundleError(f"{place}: does not match its own digest; copy the bundle again")
    if made < _ORIENTED:
        read_as_stored(values)
    try:
        index = Index.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(
            f"{place}: written by lamina {by}, not readable by {lamina.__version__} "
            f"({where}: {first['msg']})"
        ) from error
    if index.recipe.task.names is None or not index.members:
        raise BundleError(f"{place}: names no outputs or no members; train it again")
    if any(member.source not in (None, *index.sources) for member in index.members):
        raise BundleError(f"{place}: a member names a source that is not there; make it again")
    return index
