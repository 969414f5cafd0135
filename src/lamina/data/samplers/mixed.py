"""Batches mixed from classes of cases in shares of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.crop_placement import classes_of, crop
from lamina.errors import RecipeError


class Mixed(Sampler):  # STEEL-19
    """Every batch holds each class of cases in a share between its own and an even one.

    With n_c of n cases in class c of K, its share is alpha / K + (1 - alpha) n_c / n:
    at alpha 0 as the data are, at 1 the same for all, below 0 less than its own for a rare class.
    An epoch has n // batch full batches, at least one.
    """

    kind: Literal["mixed"] = "mixed"

    by: Literal["source", "rarest"] = "source"  # STEEL-21, STEEL-20
    """The class of a case: where it comes from (its fact ``source``, else ``train``),
    or the rarest class of its target among all cases, those without any a class too."""

    alpha: float = 0.0
    """Move from the shares of the data (0) to equal ones (1), or beyond either."""

    share: dict[str, float] | None = None
    """Shares of classes by name, such as {pseudo: 0.12}, in place of ``alpha``; what is left goes
    to the other classes by their numbers. Names that no case has do not count. null: by alpha."""

    how: Literal["fixed", "random"] = "fixed"
    """fixed: every batch holds the same number of each class, its cases taken in turn from a
    shuffled list that goes round; random: each case is drawn with replacement."""

    focus: float = Field(default=0.0, ge=0, le=1)  # STEEL-7
    """Probability that a crop is laid around a target pixel, where the case has any."""

    @field_validator("share")
    @classmethod
    def _shares_are_parts_of_one(cls, share: dict[str, float] | None) -> dict[str, float] | None:
        values = share.values() if share is not None else ()
        if min(values, default=0) < 0 or sum(values) > 1 or (share is not None and not sum(values)):
            raise ValueError(
                f"shares must be at least 0, and together above 0 and at most 1, not {share}"
            )
        return share

    @property
    def reads_targets(self) -> bool:
        """Whether crops are laid around target pixels, or classes are told apart."""
        return self.focus > 0 or self.by == "rarest"

    def by_source(self) -> Mixed | None:
        """Return itself, unless classes are not those of sources."""
        return self if self.by == "source" else None

    def draws(
        self,
        cases: Sequence[Case],
        *,
        size: tuple[int, ...],
        batch: int,
        epoch: int,
        rng: np.random.Generator,
    ) -> list[Draw]:
        """Return the crops of one epoch, batch after batch.

        Raises:
            RecipeError: ``alpha`` gives a class less than nothing of a batch.
        """
        labels = self._labels(cases)
        batches = max(len(cases) // batch, 1)
        if self.how == "random":
            chances = self.parts(labels)
            self._check(labels, chances)
            each = np.array([chances[name] / labels.count(name) for name in labels])
            numbers = rng.choice(len(cases), batches * batch, p=each / each.sum())
        else:
            counts = rounded(self.parts(labels), batch)
            self._check(labels, counts)
            numbers = _rounds(labels, counts, batches, rng)
        return [crop(cases, int(number), size, self.focus, rng) for number in numbers]

    def groups(self, count: int, batch: int) -> list[list[int]]:
        """Cut the draws into the full batches they were composed for."""
        return [list(range(start, start + batch)) for start in range(0, count, batch)]

    def parts(self, labels: Sequence[str]) -> dict[str, float]:
        """Return the share of each class present in a batch, before rounding."""
        if self.share is None:
            return shares(labels, self.alpha)
        found = Counter(labels)
        named = {name: part for name, part in self.share.items() if name in found}
        others = sum(number for name, number in found.items() if name not in named)
        if not others:
            return {name: part / sum(named.values()) for name, part in sorted(named.items())}
        left = 1 - sum(named.values())
        return {name: named.get(name, left * found[name] / others) for name in sorted(found)}

    def _labels(self, cases: Sequence[Case]) -> list[str]:
        if self.by == "source":
            return [str(case.facts.get("source", "train")) for case in cases]
        present = [classes_of(case) for case in cases]
        images = Counter(k for classes in present for k in classes)
        rarest = [min(classes, key=lambda k: (images[k], k), default=-1) for classes in present]
        return [str(k) for k in rarest]

    def _check(self, labels: Sequence[str], parts: dict[str, float] | dict[str, int]) -> None:
        for name, part in parts.items():
            if part < 0:
                raise RecipeError(
                    f"sampler.alpha is {self.alpha}, which gives {labels.count(name)} of "
                    f"{len(labels)} training cases ('{name}') a share of {part:g} in a batch; "
                    "bring alpha nearer to 0"
                )


def shares(labels: Sequence[str], alpha: float) -> dict[str, float]:
    """Return the share of each class present: alpha / K + (1 - alpha) n_c / n (STEEL-19).

    The classes are in the order of their names. Shares sum to 1; outside 0..1 of alpha some may
    be negative.
    """
    found = Counter(labels)
    return {
        name: alpha / len(found) + (1 - alpha) * found[name] / len(labels) for name in sorted(found)
    }


def rounded(parts: dict[str, float], batch: int) -> dict[str, int]:
    """Return the samples of each class in a batch whose shares are ``parts`` (STEEL-19).

    Shares of a batch are rounded, halves to even; what is missing or too many is given to or
    taken from the class with most samples in the batch.
    """
    counts = {name: round(share * batch) for name, share in parts.items()}
    largest = max(counts, key=lambda name: counts[name])
    counts[largest] += batch - sum(counts.values())
    return counts


def _rounds(
    labels: Sequence[str], counts: dict[str, int], batches: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the numbers of cases, batch after batch, each batch shuffled."""
    names = np.asarray(labels)
    rounds = {name: cycle(rng.permutation(np.flatnonzero(names == name))) for name in counts}
    found = []
    for _ in range(batches):
        one = [next(rounds[name]) for name, count in counts.items() for _ in range(count)]
        found.append(rng.permutation(np.asarray(one, np.int64)))
    return np.concatenate(found)
