"""Images that are almost the same, in different folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.doctor.case_statistics import CaseStatistics
from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding, counted, first_names

_SIDE = 32
_BLOCK = 2048

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class NearTwins:
    """Copies saved anew, brightened, resized or mirrored, and neighbours of one series.

    Thumbnails of 32 x 32 without what varies slowly are correlated, all with all. Of 44 X-rays the
    most alike come to 0.72, of 280 photographs to 0.43; repeated exposures of one steel tile to
    more than 0.95, and so do copies in JPEG, in another size or with another contrast. A copy that
    was cropped by a tenth or turned by some degrees is not found.
    """

    least: float = 0.95
    """Correlation from which two images count as one."""
    images: int = 10_000
    """Images that are compared at most; each takes as long as there are others."""
    mirrored: int = 2_000
    """Up to so many images mirrored ones are looked for, too."""
    most: int = 10
    """Groups that are named."""
    name: str = "near_twins"
    area: Area = "data"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Name groups of almost equal images that stand in different folds."""
        folds = examined.folds
        if folds is None or len(set(folds)) < 2:
            return
        every = [k for k, look in enumerate(examined.looks) if _can_tell(look)]
        chosen = every[: self.images]
        if len(chosen) < 2:
            return
        looks = [examined.looks[k] for k in chosen]
        sides = [folds[k] for k in chosen]
        groups = self._groups(looks, sides)
        for group in groups[: self.most]:
            names = [f"{looks[k].case.id} (fold {sides[k]})" for k in group]
            yield Finding(
                "warning",
                first_names(names),
                f"{len(group)} images are almost the same and stand in different folds",
                "give them one group (split.groups), or keep one",
            )
        if len(groups) > self.most:
            what = f"{len(groups) - self.most} more groups of almost equal images in several folds"
            yield Finding("warning", "images", what, "give each group a name (split.groups)")
        left = len(every) - len(chosen)
        if left:
            yield Finding(
                "note",
                "images",
                f"{left} were not compared for twins, only the first {len(chosen)}",
            )
        if not groups:
            yield Finding("fine", "images", f"{counted(len(looks), 'image')} differ between folds")

    def _groups(
        self, looks: Sequence[CaseStatistics], folds: Sequence[int], *, copies: bool = False
    ) -> list[list[int]]:
        """Return numbers of looks that hang together by pairs of different folds."""
        plain = np.stack([_vector(look) for look in looks])
        others = [plain]
        if len(looks) <= self.mirrored:
            square = plain.reshape(-1, _SIDE, _SIDE)
            turned = (square[:, ::-1], square[:, :, ::-1], square[:, ::-1, ::-1])
            others += [np.ascontiguousarray(one).reshape(len(plain), -1) for one in turned]
        at = np.array(folds)
        same = np.unique([look.image_digest for look in looks], return_inverse=True)[1].ravel()
        parent = list(range(len(looks)))
        for first in range(0, len(looks), _BLOCK):
            rows = slice(first, first + _BLOCK)
            alike = np.zeros((len(plain[rows]), len(plain)), np.bool_)
            for other in others:
                alike |= plain[rows] @ other.T >= self.least
            alike &= at[rows, None] != at[None]
            if not copies:  # said by duplicates
                alike &= same[rows, None] != same[None]
            for one, two in np.argwhere(alike):
                parent[_root(parent, int(two))] = _root(parent, first + int(one))
        found: dict[int, list[int]] = {}
        for k in range(len(looks)):
            found.setdefault(_root(parent, k), []).append(k)
        return [group for group in found.values() if len(group) > 1]


def twins_of(looks: Sequence[CaseStatistics]) -> list[list[int]]:
    """Return sets of numbers of images that are the same or almost the same, in order."""
    check = NearTwins()
    every = [k for k, look in enumerate(looks) if _can_tell(look)][: check.images]
    if len(every) < 2:
        return []
    chosen = [looks[k] for k in every]
    groups = check._groups(chosen, range(len(chosen)), copies=True)
    return [[every[k] for k in group] for group in groups]


def _can_tell(look: CaseStatistics) -> bool:
    thumbnail = look.thumbnail
    return (
        look.problem is None
        and thumbnail is not None
        and min(thumbnail.shape) >= _SIDE
        and bool(np.abs(_vector(look)).any())
    )


def _vector(look: CaseStatistics) -> Vectors:
    """Return the thumbnail without what varies slowly, of mean 0 and length 1; 0 where flat."""
    assert look.thumbnail is not None
    centred = look.thumbnail - look.thumbnail.mean()
    fine = centred - cv2.blur(centred, (9, 9), borderType=cv2.BORDER_REFLECT)
    fine = (fine - fine.mean()).ravel()
    length = float(np.linalg.norm(fine))
    flat = length <= 1e-4 * (1 + float(np.abs(look.thumbnail).max()))
    return np.zeros_like(fine) if flat else np.asarray(fine / length, np.float32)


def _root(parent: list[int], k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k
