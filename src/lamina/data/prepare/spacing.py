"""Whether blocks of several volumes are comparable, and which volumes are resampled for it.

A network of blocks sees voxels, not millimetres. Where voxels of some volumes are more than a tenth
further apart than those of others, all are seen at one spacing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.views.resampling.spacing import Distances, differ, shape_at, spacing_of
from lamina.errors import DataError
from lamina.volume import Volume

_MOST = 20  # times that spacings may differ; units differ by more


def check_spacing(volume: Volume, frame: Frame) -> None:
    """Refuse a volume that cannot be brought to ``frame.spacing``.

    Raises:
        DataError: the file does not say how far its voxels are apart, or so far that it is most
            likely in another unit.
    """
    if frame.spacing is None:
        return
    own = spacing_of(volume)
    if own is not None:
        ratios = [a / b for a, b in zip(own, frame.spacing, strict=True)]
        if max(*ratios, *(1 / ratio for ratio in ratios)) <= _MOST:
            return
        raise DataError(
            f"{volume.name}: its voxels are {in_words(own)} apart, and the network sees voxels "
            f"{in_words(frame.spacing)} apart (z, y, x), which is not resampled beyond {_MOST} "
            "times: is the file in another unit? Say its spacing in the unit of the others with "
            "data.spacing"
        )
    raise DataError(
        f"{volume.name}: does not say how far its voxels are apart, and the network sees voxels "
        f"{in_words(frame.spacing)} apart (z, y, x); say it with data.spacing, or of an array with "
        "spacing=, or train with frame.spacing left out"
    )


def common_spacing(cases: Sequence[Case]) -> Distances | None:
    """Return the spacing that volumes are seen at: the median along each axis.

    None: those that say their spacing are alike, or some do not say it.
    """
    known = [spacing_of(case.image) for case in cases]
    if not known or None in known:
        return None
    axes = list(zip(*(own for own in known if own is not None), strict=True))
    if not differ(tuple(map(min, axes)), tuple(map(max, axes))):
        return None
    return tuple(float(f"{median(axis):.6g}") for axis in axes)


def check_turns(cases: Sequence[Case], option: str, frame: Frame) -> None:
    """Refuse to exchange rows and columns of volumes with other distances along both.

    Args:
        cases: As they are stored.
        option: What exchanges them, for the message.
        frame: It says at which spacing they are seen.

    Raises:
        DataError: a volume has other distances along y than along x.
    """
    for case in cases:
        own = spacing_of(case.image)
        if own is not None and frame.spacing is not None and differ(own, frame.spacing):
            own = frame.spacing
        if own is not None and differ(own[1:2], own[2:]):
            raise DataError(
                f"case {case.id}: its voxels are {own[1]:g} apart along y and {own[2]:g} along x, "
                f"and {option} exchanges y and x; use flips"
            )


def check_values(cases: Sequence[Case], frame: Frame, *, restore: bool) -> None:
    """Refuse to resample targets that are values to restore.

    Raises:
        DataError: a volume would be resampled, and the task is to restore.
    """
    resampled = resampled_shapes(cases, frame) if restore else {}
    if resampled:
        raise DataError(
            f"case {next(iter(resampled))}: its voxels are not as far apart as frame.spacing, and "
            "values to restore are not resampled; leave frame.spacing out, or resample the files"
        )


def resampled_shapes(cases: Sequence[Case], frame: Frame) -> dict[str, tuple[int, ...]]:
    """Return the shape, as axes are stored, of each volume that is resampled, by id."""
    shapes = {case.id: shape_at(case.image, frame.spacing) for case in cases}
    return {case.id: shapes[case.id] for case in cases if shapes[case.id] != case.image.shape}


def about_resampling(cases: Sequence[Case], frame: Frame) -> Iterator[str]:
    """Yield a line for each volume that is resampled."""
    for id, shape in resampled_shapes(cases, frame).items():
        image = next(case.image for case in cases if case.id == id)
        own, wanted = spacing_of(image) or (), frame.spacing or ()
        yield (
            f"{id}: {in_words(own)} to {in_words(wanted)} apart (z, y, x), "
            f"{' x '.join(map(str, image.shape))} to {' x '.join(map(str, shape))} voxels "
            f"({image.axes})"
        )


def about_spacing(cases: Sequence[Case]) -> Iterator[str]:
    """Yield a warning where voxels of some volumes are further apart, and nothing is resampled."""
    known = {case.id: own for case in cases if (own := spacing_of(case.image)) is not None}
    if not known:
        return
    low, high = (tuple(map(end, *known.values(), known[next(iter(known))])) for end in (min, max))
    if differ(low, high):
        yield (
            f"voxels of volumes are between {in_words(low)} and {in_words(high)} apart (z, y, x): "
            "the network sees them as alike; state the spacing of all files to have them resampled"
        )


def in_words(spacing: Sequence[float]) -> str:
    """Return distances as ``2.5 x 0.7 x 0.7``."""
    return " x ".join(f"{one:.4g}" for one in spacing)
