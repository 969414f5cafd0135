"""The fingerprint of a data folder: everything that rules decide by, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lamina.public import VerbResult


@dataclass(frozen=True)
class Machine(VerbResult):
    """Where the recipe is to be trained."""

    device: str
    """``cpu``, ``cuda`` or ``mps``."""

    memory: int
    """Bytes that training may use."""

    cores: int
    """Cores that this process may use."""

    fast_bfloat16: bool
    """Whether forward passes run in bfloat16 here."""


@dataclass(frozen=True)
class Intensity(VerbResult):
    """Stored values of the images that were read."""

    low: float
    """Least value."""

    high: float
    """Greatest value."""

    between: float
    """Standard deviation of the means of images, in units of ``within``."""

    within: float
    """Mean over images of the standard deviation of their values."""


@dataclass(frozen=True)
class Classes(VerbResult):
    """What labels show; each tuple has an entry for each output, without the background."""

    shares: tuple[float, ...]
    """Share of the pixels that were read."""

    cases: tuple[int, ...]
    """Cases that show the class."""

    extents: tuple[float, ...]
    """Median over these of the longer side of its largest part, as a share of the image's side."""

    left: tuple[float, ...]
    """Share of the pixels of the class that lie in the left half of the image."""

    empty: int
    """Cases without any class."""

    known: int
    """Cases whose labels were read."""

    width: float
    """Median over cases of twice the area over the length of the outline, in pixels: small for
    lines, the radius for discs; 0: there is nothing."""


@dataclass(frozen=True)
class Facts(VerbResult):
    """What is known of a data folder; equal folders have equal facts, in whatever order."""

    name: str
    """Of the data folder."""

    layout: str
    """What ``--layout`` calls it."""

    evidence: str
    """Why it is read so."""

    data: Mapping[str, Any]
    """Options of the catalog."""

    task: Mapping[str, Any]
    """Kind of the task and names of its outputs."""

    meaning: str
    """What stored labels stand for, in words."""

    split: Mapping[str, Any]
    """Options of a split that the data bring along; empty: none."""

    cases: int
    groups: int
    """Groups that must not be divided, near twins joined."""

    grouped_by: Mapping[str, Any]
    """Options of the split that say the groups; empty: each case is one."""

    group_evidence: str

    twins: tuple[tuple[str, ...], ...]
    """Cases that are the same or almost the same image."""

    axes: str
    """Names of the axes of an image."""

    shape: tuple[int, ...]
    """Median length of each axis."""

    least: tuple[int, ...]
    greatest: tuple[int, ...]
    channels: int
    dtype: str

    spacing: tuple[float, ...] | None
    """Median step along each axis; None: not every file says it, or in units of several kinds."""

    spacing_spread: float
    """Greatest over least spacing of one axis between cases, less 1."""

    roughness: tuple[float, ...]
    """Mean difference of neighbours along each axis, the least being 1."""

    cut: str
    """Name of the axis that slices are taken across; empty for images."""

    alike: float
    """Mean correlation of the thumbnail of a case with that of all others; 0: unknown."""

    mirrored: tuple[float, float]
    """Correlation of the mean thumbnail with itself turned upside down, and left to right."""

    intensity: Intensity
    classes: Classes | None
    """None: nothing is segmented."""

    read_cases: int
    """Cases whose pixels were read."""

    read_share: float
    """Share of all pixels that were read."""

    bytes: int
    """Size of the files of images and labels."""

    parts: Mapping[str, int] = field(default_factory=dict)
    """Folders such as train and val in which cases lie, with their number."""

    uneven: tuple[str, ...] = ()
    """Pairs of axes, such as ``yx``, along which pixels of some image lie differently far apart, as
    far as files say."""

    time: str = ""
    """Name of the axis that time runs along, as SEG-Y files say; empty: none is known."""

    options_set: tuple[str, ...] = ()
    """Options of the catalog that the command line set."""

    notes: tuple[str, ...] = ()
    """What was found wrong and does not stand in the way."""

    @property
    def deep(self) -> bool:
        """Whether images have three axes."""
        return len(self.axes) == 3

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns of the median image or slice."""
        rows, columns = (
            n for name, n in zip(self.axes, self.shape, strict=True) if name != self.cut
        )
        return rows, columns

    @property
    def slices(self) -> int:
        """Slices of the median volume; 1 for images."""
        return self.shape[self.axes.index(self.cut)] if self.cut else 1

    @property
    def neighbours(self) -> float:
        """Mean difference of neighbouring slices over that within slices; 1 for images."""
        if not self.cut:
            return 1.0
        at = self.axes.index(self.cut)
        others = [step for k, step in enumerate(self.roughness) if k != at]
        return self.roughness[at] / (sum(others) / len(others))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(self.task.get("names") or ())

    @property
    def anisotropy(self) -> float:
        """Greatest over least spacing; where it is unknown, as roughness suggests; 1 for images."""
        if not self.deep:
            return 1.0
        if self.spacing is not None:
            return max(self.spacing) / min(self.spacing)
        return max(self.roughness) / min(self.roughness)
