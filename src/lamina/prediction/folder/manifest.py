"""How predictions came about: enough to make them again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ValidationError

from lamina import files
from lamina.data.orientation import is_turned
from lamina.data.readers import SUFFIXES
from lamina.errors import DataError, RecipeError
from lamina.folders import OUT_OF_FOLD, PREDICTION, check_predictions
from lamina.prediction.folder.file_names import file_name, file_names
from lamina.recipe.recipe import Predict, Recipe
from lamina.refusals import reading
from lamina.result.decisions import AnyDecision
from lamina.spec import ADDED_LATER, Spec
from lamina.volume import Volume, placement_of

HEADER = PREDICTION

_FREE = {"arithmetic", "cases", "changes", "decision", "device", "unfinished"}
"""What may change while finished probabilities stay: digests of members say the rest."""


Holds = Literal["labels", "probability", "percent", "probability_and_labels", "values"]
"""What a file in the input's own format holds. labels: class ids, or 1 on the mask; probability:
from 0 to 1; percent: from 0 to 100; values: of restore, in the units of the input."""


class Arithmetic(Spec):
    """What decides the last digits of probabilities: equal where no byte may differ."""

    batch: int
    """Tiles per forward pass."""

    device: str
    """Kind of device, with what it can do, such as ``cpu AVX512`` or the name of a GPU."""

    tf32: bool
    """Whether a GPU may round float32 to TF32 within convolutions and products."""

    gathered: Annotated[bool, ADDED_LATER] = False
    """Whether tiles of several images fill forward passes together, the last filled up with zeros;
    else the tiles of each image have passes of their own."""

    def __str__(self) -> str:
        """Return it in words."""
        tf32 = " with TF32" if self.tf32 else ""
        gathered = " of several images" if self.gathered else ""
        return f"{self.batch} tiles per forward pass{gathered} on {self.device}{tf32}"


class ClassOutlook(Spec):
    """What to expect of one class in one image."""

    name: str
    """The class."""

    presence: float | None
    """Probability that the image shows the class; null: the bundle was not tuned."""

    expected: float | None
    """Expected score of the class' best mask; null: the bundle was not tuned."""

    agreement: float | None
    """Mean pairwise Dice between the masks of members, or of views of a single one; null: one
    member answered in one view, or the decision changed since."""


class PredictedCase(Spec):
    """A case, and who answers for it."""

    id: str
    """As the catalog calls it."""

    name: Annotated[str | None, ADDED_LATER] = None
    """Name of its files but probabilities, without suffix; null: an earlier version named them
    after the id and wrote all classes to one mask file."""

    source: str
    """The image's path, as given."""

    sha256: str
    """Digest of the image's file, or of several in order."""

    axes: str
    """Names of the spatial axes."""

    shape: tuple[int, ...]
    """Length of each spatial axis, in pixels."""

    orientation: Annotated[str | None, ADDED_LATER] = None
    """Where the axes of the stored arrays lead in a body, such as RAS: to the right, to the front
    (anterior), to the head (superior); null: the file does not say it."""

    spacing: Annotated[tuple[float | None, ...] | None, ADDED_LATER] = None
    """From one voxel of the stored arrays to the next along each axis, in ``unit``; null: the file
    does not say it."""

    unit: Annotated[str | None, ADDED_LATER] = None
    """Unit of the spacing, such as mm or um."""

    affine: Annotated[tuple[tuple[float, ...], ...] | None, ADDED_LATER] = None
    """Three rows of the matrix that leads from the indices of a stored array, and 1, to mm to the
    right, to the front and to the head, as NIfTI means it; null: the file does not say it."""

    members: tuple[str, ...]
    """Members whose answers are averaged."""

    banded: bool = False
    """Images only: whether the answer is stored in chunks, as a volume's is, band by band."""

    offset: float = 0.0
    """Restore only: what the value 0 stands for in stored units."""

    span: float = 1.0
    """Restore only: from what 0 to what 1 stands for, in stored units."""

    converted: Annotated[str | None, ADDED_LATER] = None
    """What was done to the image so that it is of the type and range of the training images;
    null: nothing, or these are not known."""

    known: Literal["new", "held_out", "pseudo", "seen", "partly_seen"]
    """Whether these members trained on it; ``pseudo``: with labels that members had made of it;
    ``partly_seen``: on sections of the same file."""

    native: Annotated[dict[str, Holds] | None, ADDED_LATER] = None
    """What each of its files in the input's own format holds, by its path in the folder of
    predictions; null: there is none."""

    outlook: Annotated[tuple[ClassOutlook, ...], ADDED_LATER] = ()
    """What to expect of each class; none: predicted without ``--uncertainty``."""

    @property
    def file_name(self) -> str:
        """Name of its files but probabilities, without folder and suffix."""
        return self.name or file_name(self.id)

    @property
    def chunked(self) -> bool:
        """Whether the answer is a Zarr store, in place of one array in a file."""
        return self.banded or len(self.shape) != 2


def place_of(volume: Volume) -> dict[str, Any]:
    """Return what a case says of where the voxels of its arrays lie, by name."""
    placed = placement_of(volume)
    grid, units = placed.grid, set(placed.units or ())
    whole = grid is not None and grid.shape == (3, 4)
    return {
        "orientation": placed.letters,
        "spacing": placed.spacing if len(units) == 1 else None,
        "unit": units.pop() if len(units) == 1 else None,
        "affine": tuple(map(tuple, grid.tolist())) if grid is not None and whole else None,
    }


def check_place(case: PredictedCase, image: Volume) -> None:
    """Refuse a prediction whose arrays lie otherwise than its image is read now.

    Versions before ``orientation`` was written down left volumes as they were stored.

    Raises:
        DataError: the image is turned now, and was not when it was predicted.
    """
    now = placement_of(image).letters
    if case.orientation == now or (case.orientation is None and not is_turned(image)):
        return
    raise DataError(
        f"case {case.id}: was predicted {_in_words(case.orientation)}, and {image.name} is read "
        f"{_in_words(now)}; predict it again, or set data.orientation to as_stored in its recipe"
    )


def _in_words(letters: str | None) -> str:
    return "as it is stored" if letters is None else f"in the orientation {letters}"


class Info(Spec):
    """All that decides a prediction: enough to make it again."""

    lamina: str
    """Version that predicts."""

    recipe: Recipe
    """The recipe of the first bundle, resolved."""

    recipe_digest: str
    """Digest of that recipe."""

    bundles: tuple[str, ...]
    """Digests of the bundles, in order."""

    members: Literal["auto", "all", "out_of_fold"]
    """Who answers: those that did not train on a case, all, or each fold for what it held out."""

    predict: Predict
    """Views, overlap, window and means as used."""

    tile: tuple[int, ...]
    """Sides of a tile, in pixels: rows and columns, or z, y and x."""

    precision: str
    """Number type of the forward pass."""

    device: str
    """Kind of device, such as cpu."""

    arithmetic: Annotated[Arithmetic | None, ADDED_LATER] = None
    """Batch and device, with which every probability here was computed; null: an earlier version
    did not note them."""

    versions: dict[str, str]
    """Versions of the libraries used."""

    decision: AnyDecision
    """From probabilities to masks."""

    corrupted: bool = False
    """Whether the recipe's noise was put on the images first."""

    unfinished: Annotated[tuple[str, ...], ADDED_LATER] = ()
    """What each fold had trained where a run was stopped early and its best checkpoints so far
    predict; none: training had finished."""

    uncertainty: Annotated[bool, ADDED_LATER] = False
    """Whether members or views answered one by one, and maps of uncertainty were written."""

    store: Annotated[str | None, ADDED_LATER] = None
    """Address in object storage of the probabilities of volumes and large images; null: they lie
    in the folder."""

    changes: Annotated[tuple[str, ...], ADDED_LATER] = ()
    """What was changed of the trained recipe for this prediction, as on the command line."""

    cases: tuple[PredictedCase, ...] = ()
    """The cases, in order."""

    def plan(self) -> str:
        """Return the SHA-256 of what must be equal for probabilities to stand side by side."""
        values = self.model_dump(mode="json", exclude=_FREE)
        text = json.dumps(values, sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def bytes_plan(self) -> str:
        """Return the SHA-256 of what must be equal for no byte to differ, cases and all."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def named(info: Info, before: Info | None) -> Info:
    """Return the header with a name for the files of each case; those that have names keep them."""
    earlier = {} if before is None else {case.id: case for case in before.cases}
    taken = {id: case.file_name for id, case in earlier.items()}
    names = file_names([case.id for case in info.cases], SUFFIXES, taken)
    cases = []
    for case in info.cases:
        name = earlier[case.id].name if case.id in earlier else names[case.id]
        cases.append(case.model_copy(update={"name": name}))
    return info.model_copy(update={"cases": tuple(cases)})


def write_info(folder: Path, info: Info) -> None:
    """Write the header of a folder of predictions, sealed with its own digest."""
    files.write_json(folder / HEADER, files.sealed(info.model_dump(mode="json")))


def read_info(folder: Path) -> Info:
    """Return the checked header of a folder of predictions.

    A header without a seal is of lamina 0.1.0 or earlier.

    Raises:
        DataError: it is missing, damaged, or does not match its seal.
    """
    check_predictions(folder)
    path = folder / HEADER
    with reading(path, remedy=_remedy(folder)):
        values = files.read_object(path)
    seal = values.pop(files.SEAL, None)
    if seal is not None and seal != files.seal_of(values):
        raise DataError(
            f"{path}: does not match its own digest, it was damaged or edited; {_remedy(folder)}"
        )
    try:
        return Info.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path}: not readable by this version of lamina ({where}: {first['msg']}); "
            f"{_remedy(folder)}"
        ) from error


def _remedy(folder: Path) -> str:
    """Return how a folder with a damaged header is made again."""
    if folder.name == OUT_OF_FOLD:
        return f"delete {folder}, then run the same `lamina train` or `ensemble` again"
    return "run the same command again with --overwrite"


def must_continue(folder: Path, before: Info, after: Info) -> None:
    """Refuse to go on where probabilities could not stand side by side (B05).

    Raises:
        RecipeError: the plans differ, or cases of the earlier one are no longer asked for.
    """
    if before.plan() != after.plan():
        raise RecipeError(
            f"{folder}: holds predictions of other bundles or options "
            f"({_difference(before, after)}); "
            "choose another --out or pass --overwrite"
        )
    gone = {case.id for case in before.cases} - {case.id for case in after.cases}
    if gone:
        raise RecipeError(
            f"{folder}: holds predictions of {len(gone)} other cases, such as '{min(gone)}'; "
            "choose another --out or pass --overwrite"
        )


def check_arithmetic(folder: Path, noted: Arithmetic | None, now: Arithmetic) -> None:
    """Refuse to predict more cases where their last digits would be of another kind.

    Raises:
        RecipeError: batch, device or TF32 differ.
    """
    if noted is None or noted == now:
        return
    remedy = f"pass --batch {noted.batch}" if noted.batch != now.batch else "go on where it began"
    if noted.gathered != now.gathered:
        remedy = "pass --gather" if noted.gathered else "pass --no-gather"
    raise RecipeError(
        f"{folder}: was begun with {noted}, and now it would be {now}; probabilities would differ "
        f"in their last digits: {remedy}, choose another --out or pass --overwrite"
    )


def _difference(before: Info, after: Info) -> str:
    apart = _FREE | {"recipe"}
    old = before.model_dump(mode="json", exclude=apart)
    new = after.model_dump(mode="json", exclude=apart)
    keys = {**old, **new}  # an option at a later default is not written
    return ", ".join(key for key in keys if old.get(key) != new.get(key)) or "recipe"
