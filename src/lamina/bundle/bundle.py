"""What training leaves: recipe, members, decision, scores and the digests of all of them.

On disk a bundle is a folder, or the same folder as one zip:

    bundle.json               the index, written last: without it the bundle does not exist
    members/NAME.safetensors  the weights of one member
    recipe.yaml               the recipe for people to read; lamina reads the one in the index

Everything in it is data. Names of files are joined safely, weights are safetensors, digests are
checked on load, and nothing in a bundle can import, call or connect.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import lamina
from lamina.bundle.index import FORMAT, INDEX, Index, KnownCase, MemberFile, read_index, sealed
from lamina.bundle.store import MemoryStore, Store, open_store
from lamina.bundle.tensors import check_header, fill, read_tensors, write_tensors
from lamina.data.image_types.image_kind import ImageKind
from lamina.data.network_input.normalise import AnyNormalise, PerCase
from lamina.errors import BundleError, LaminaError
from lamina.files import digest, replacing, safe_join, write_bytes, write_json, write_text
from lamina.public import StrPath, as_path
from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Calibration
from lamina.result.decisions import AnyDecision, Expected
from lamina.task import Task

if TYPE_CHECKING:
    from torch import Tensor, nn

RECIPE = "recipe.yaml"

_LIBRARIES = ("torch", "segmentation-models-pytorch", "timm", "numpy")


@dataclass(frozen=True)
class MemberWeights:
    """A member as it leaves training; ``weights`` is the state dict of its network."""

    name: str
    weights: Mapping[str, Tensor]
    fold: int
    stage: str
    score: float | None
    normalise: AnyNormalise


@dataclass(frozen=True)
class Training:
    """One training behind a bundle: its members by number, and the cases it saw.

    A bundle of ``lamina train`` has one; an ensemble has one for each run it was made of.
    """

    name: str
    weight: float
    members: tuple[int, ...]
    recipe: Recipe
    cases: Mapping[str, KnownCase]


@dataclass(frozen=True)
class Bundle:
    """A trained recipe, or several that answer together."""

    index: Index
    store: Store = field(repr=False)

    @classmethod
    def make(
        cls,
        recipe: Recipe,
        members: Sequence[MemberWeights],
        *,
        cases: Mapping[str, KnownCase],
        scores: Mapping[str, Any] | None = None,
        images: ImageKind | None = None,
        sampled_stores: bool = False,
    ) -> Bundle:
        """Return a bundle in memory.

        Args:
            recipe: As resolved; ``recipe.task.names`` is set.
            members: At least one; names differ.
            cases: What training saw, by id.
            scores: Any JSON values.
            images: What the images of the training are like; None: it is not known.
            sampled_stores: Whether digests of Zarr stores are of a sample, too.

        Raises:
            ValueError: names are missing or double.
        """
        if recipe.task.names is None or not members:
            raise ValueError("a bundle needs the names of the task's outputs and a member")
        if len({member.name for member in members}) != len(members):
            raise ValueError(f"members need different names: {[member.name for member in members]}")
        listed, files = [], {}
        for member in members:
            name = f"members/{member.name}.safetensors"
            files[name] = write_tensors(member.weights)
            listed.append(
                MemberFile(
                    name=member.name,
                    file=name,
                    sha256=hashlib.sha256(files[name]).hexdigest(),
                    fold=member.fold,
                    stage=member.stage,
                    score=member.score,
                    normalise=member.normalise,
                )
            )
        index = Index(
            format=FORMAT,
            lamina=lamina.__version__,
            recipe=recipe,
            recipe_digest=recipe.digest(),
            members=tuple(listed),
            decision=recipe.decide,
            scores=dict(scores or {}),
            cases=dict(cases),
            versions=versions(),
            images=images,
            sampled_stores=sampled_stores,
        )
        return cls(index, MemoryStore(files))

    @classmethod
    def load(cls, path: StrPath, *, verify: bool = True) -> Bundle:
        """Open a folder or a zip.

        Args:
            path: The folder that holds ``bundle.json``, or a zip of it.
            verify: Compare every member with its digest now; it is compared again when used.

        Raises:
            BundleError: it is missing, damaged, hostile or from a newer lamina.

        Example:
            >>> bundle = Bundle.load("run/bundle")
            >>> [member.name for member in bundle.members], bundle.task.names
            (['fold0', 'fold1'], ('foreground',))
        """
        store = open_store(as_path(path), INDEX)
        bundle = cls(read_index(store), store)
        if verify:
            for number in range(len(bundle.members)):
                check_header(bundle._content(number), bundle._place(number))
        return bundle

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return self.index.recipe

    @property
    def task(self) -> Task:
        """The task with the names of its outputs."""
        return self.recipe.task

    @property
    def members(self) -> tuple[MemberFile, ...]:
        """The members, in order."""
        return self.index.members

    @property
    def decision(self) -> AnyDecision:
        """The decision as last tuned."""
        return self.index.decision

    @property
    def scores(self) -> dict[str, Any]:
        """What training and tuning measured."""
        return self.index.scores

    @property
    def cases(self) -> dict[str, KnownCase]:
        """The cases that its own training saw, by id; see ``trainings`` for an ensemble."""
        return self.index.cases

    @property
    def trainings(self) -> tuple[Training, ...]:
        """The trainings behind its members, in order."""
        if not self.index.sources:
            every = tuple(range(len(self.members)))
            return (Training("", 1.0, every, self.recipe, self.cases),)
        return tuple(
            Training(
                name,
                source.weight,
                tuple(n for n, file in enumerate(self.members) if file.source == name),
                source.recipe,
                source.cases,
            )
            for name, source in self.index.sources.items()
        )

    @property
    def images(self) -> ImageKind | None:
        """Type and range of the images learnt from; None: not known, or of no account.

        They are of none where each image is normalised by its own numbers.
        """
        recipes = [training.recipe for training in self.trainings]
        own = all(isinstance(recipe.frame.normalise, PerCase) for recipe in recipes)
        return None if own else self.index.images

    def recipe_of(self, number: int) -> Recipe:
        """Return the recipe that a member was trained by: its network, and frame and tile as they
        were in the stage that its weights left.
        """
        member = self.members[number]
        recipe = self.recipe if member.source is None else self.index.sources[member.source].recipe
        return recipe.at(member.stage)

    def digest(self) -> str:
        """Return the SHA-256 of all that decides a probability.

        Tuning changes it only where it calibrates the members.
        """
        # What format 1 did not know is left out where it is not used: old digests stay.
        parts = [self.index.recipe_digest]
        parts += [member.model_dump_json(exclude=_unused(member)) for member in self.members]
        parts += [
            f"{id}:{case.model_dump_json(exclude=_unused(case))}"
            for id, case in sorted(self.cases.items())
        ]
        for name, source in self.index.sources.items():
            parts.append(f"{name}:{source.bundle}:{source.weight!r}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @property
    def calibration(self) -> tuple[Calibration, ...]:
        """The curves of its own members; none: not calibrated, or an ensemble, whose members have
        those of their own trainings.
        """
        own = [member for member in self.members if member.source is None]
        return own[0].calibration if own else ()

    def with_calibration(self, curves: Sequence[Calibration]) -> Bundle:
        """Return the bundle with these curves for all members of its own training, or without."""
        members = tuple(
            member.model_copy(update={"calibration": tuple(curves)})
            if member.source is None
            else member
            for member in self.members
        )
        return replace(self, index=self.index.model_copy(update={"members": members}))

    def weights_digest(self) -> str:
        """Return the digest that it would have without calibration: no tuning changes it."""
        return self.with_calibration(()).digest()

    def with_decision(
        self, decision: AnyDecision, scores: Mapping[str, Any], outlook: Expected | None = None
    ) -> Bundle:
        """Return the bundle with another decision; ``scores`` are laid over those it has.

        ``outlook`` says what to expect of images, whatever the decision.
        """
        changes = {
            "decision": decision,
            "scores": {**self.scores, **scores},
            "outlook": outlook,
        }
        return replace(self, index=self.index.model_copy(update=changes))

    def weights(self, number: int) -> dict[str, Tensor]:
        """Return the tensors of a member, checked against its digest.

        Raises:
            BundleError: the file is missing, changed, not safetensors, or holds NaN.
        """
        return read_tensors(self._content(number), self._place(number))

    def network(self, number: int) -> nn.Module:
        """Return a member's network with its weights, in evaluation mode.

        Raises:
            BundleError: weights and recipe do not belong together, every difference is listed; or
                the recipe names a network that cannot be built.
        """
        from lamina.model.memory_layout import WithoutRandomStart, lay_out

        recipe = self.recipe_of(number)
        try:
            with WithoutRandomStart():
                network = recipe.network.untrained().build(recipe.frame.inputs, self.task.outputs)
        except LaminaError as error:
            raise BundleError(
                f"{self._place(number)}: its network cannot be built: {error}"
            ) from error
        fill(network, self.weights(number), self._place(number))
        return lay_out(network.eval())

    def save(self, path: StrPath) -> None:
        """Write the folder; members that are there with the right content stay untouched."""
        path = as_path(path)
        for member in self.members:
            target = safe_join(path, member.file)
            if not (target.is_file() and digest(target) == member.sha256):
                write_bytes(target, self.store.read(member.file))
        write_text(path / RECIPE, _text(self.recipe))
        write_json(path / INDEX, sealed(self.index))

    def write_zip(self, path: StrPath) -> None:
        """Write the bundle as one zip, whole or not at all; equal bundles give equal bytes."""
        path = as_path(path)
        entries = [(member.file, self.store.read(member.file)) for member in self.members]
        entries.append((RECIPE, _text(self.recipe).encode()))
        entries.append((INDEX, json.dumps(sealed(self.index), indent=1).encode()))
        with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, data in entries:
                # A fixed date keeps equal bundles equal; weights do not compress.
                info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                archive.writestr(info, data)

    def _content(self, number: int) -> bytes:
        """Return the file of a member, checked against its digest."""
        member = self.members[number]
        data = self.store.read(member.file)
        if hashlib.sha256(data).hexdigest() != member.sha256:
            raise BundleError(
                f"{self._place(number)}: does not match its digest; copy the bundle again"
            )
        return data

    def _place(self, number: int) -> str:
        return f"{self.store.where}: {self.members[number].file}"


def _unused(entry: MemberFile | KnownCase) -> set[str]:
    """Return the options that are as before they existed."""
    before = {"source": None, "labels": "given"}
    return {name for name, value in before.items() if getattr(entry, name, ...) == value}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that decide a result."""
    return {name: version(name) for name in _LIBRARIES}


def _text(recipe: Recipe) -> str:
    """Return the recipe as people read it; reading a bundle needs no library of YAML."""
    from lamina.recipe.load import resolved_text

    return resolved_text(recipe)
