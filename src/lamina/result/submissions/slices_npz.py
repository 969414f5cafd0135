"""The npz of the denoising competition: a few slices of each volume, in 8 bits."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import DataError
from lamina.files import replacing
from lamina.result.decisions.as_is import eight_bits
from lamina.result.npz_entry import entry
from lamina.result.submissions.base import Submission

_SLICE = re.compile(r"(?P<volume>.+)/(?P<axis>[a-z])(?P<index>\d{4,})")

Slices = dict[str, dict[int, NDArray[np.uint8]]]
"""Slices of one volume by axis and index."""


class SlicesNpz(Submission):  # NOISE-17
    """An npz archive of slices, ``ID_gt.npy-i_0`` to ``-i_2`` and ``-x_0`` to ``-x_2``.

    A slice is 255 times its values, held within 0 and 255 and truncated, uint8.
    The prediction must be one of slices, each seen by its own axis, as ``lamina predict --slices
    25%,50%,75%`` makes it. They are numbered in the order of their place. Equal values make equal
    bytes.
    """

    kind: Literal["slices_npz"] = "slices_npz"

    values: ClassVar[bool] = True

    letters: dict[str, str] = Field(default_factory=lambda: {"x": "i", "y": "x"}, min_length=1)
    """What the file calls slices across each axis: i for inlines, x for crosslines."""

    transpose: bool = True
    """Write columns as rows: of volumes stored time first, (traces, samples)."""

    each: int = Field(default=3, ge=1)
    """Slices along each axis of each volume."""

    suffix: str = "_gt.npy"
    """What follows the id in the names of arrays."""

    def write(self, results: Iterable[tuple[str, NDArray[Any]]], path: Path) -> int:
        """Write an array for each slice; return their number.

        Raises:
            DataError: a case is no slice, has several channels, stands twice, or is across another
                axis; or a volume has not all slices.
        """
        found: dict[str, Slices] = {}
        for name, values in results:
            volume, axis, index = self._place(name, values)
            slices = found.setdefault(volume, {}).setdefault(axis, {})
            if index in slices:
                raise DataError(f"duplicate case id '{name}'; rename one of the volumes")
            pixels = values[0].T if self.transpose else values[0]
            slices[index] = eight_bits(pixels, truncate=True)
        for volume, by_axis in found.items():
            self._check(volume, by_axis)
        with replacing(path) as stream, zipfile.ZipFile(stream, "w") as archive:
            return sum(self._write(archive, volume, one) for volume, one in sorted(found.items()))

    def _place(self, name: str, values: NDArray[Any]) -> tuple[str, str, int]:
        match = _SLICE.fullmatch(name)
        if match is None or values.ndim != 3:
            raise DataError(
                f"case {name}: is not a slice of a volume, as slices_npz needs; predict with "
                "--slices 25%,50%,75%"
            )
        if len(values) != 1:
            raise DataError(f"case {name}: has {len(values)} channels, and slices_npz holds one")
        if match["axis"] not in self.letters:
            raise DataError(
                f"case {name}: is across the axis {match['axis']}, and submit.letters names "
                f"{', '.join(self.letters)}; predict these, or name it"
            )
        return match["volume"], match["axis"], int(match["index"])

    def _check(self, volume: str, by_axis: Mapping[str, Mapping[int, Any]]) -> None:
        for axis in self.letters:
            count = len(by_axis.get(axis, {}))
            if count != self.each:
                raise DataError(
                    f"volume {volume}: has {count} slices across {axis}, and slices_npz needs "
                    f"{self.each} across each of {', '.join(self.letters)}; predict them as well"
                )

    def _write(self, archive: zipfile.ZipFile, volume: str, by_axis: Slices) -> int:
        count = 0
        for axis, letter in self.letters.items():
            for number, (_, pixels) in enumerate(sorted(by_axis[axis].items())):
                with entry(archive, f"{volume}{self.suffix}-{letter}_{number}.npy") as stream:
                    np.lib.format.write_array(stream, pixels, allow_pickle=False)
                count += 1
        return count
