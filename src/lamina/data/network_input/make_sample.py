"""From a draw to a sample: look, change at random, normalise.

Chance comes first: every transform picks from the generator it is given, in recipe order,
before a pixel is read. The generator belongs to the sample (seed, stage, epoch, index), so the
number of workers changes nothing. OpenCV is used on one thread per worker: whoever starts
workers calls ``cv2.setNumThreads(0)`` in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.network_input.frame import Frame
from lamina.data.network_input.normalise import AnyNormalise, check_finite
from lamina.data.network_input.sample import Draw, Sample
from lamina.data.network_input.value_tables import changed, limits, normalised
from lamina.data.network_input.warps.look import Resampling, look
from lamina.data.transforms import AnyTransform, Patch, Table, Touch, Transform, Warp
from lamina.data.units import values
from lamina.data.views.corrupted import Corrupted
from lamina.data.views.padding import read_padded
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.task import Task
from lamina.volume import Volume, without_view


def make_sample(
    case: Case,
    draw: Draw,
    frame: Frame,
    normalise: AnyNormalise,
    transforms: Sequence[AnyTransform],
    task: Task,
    rng: np.random.Generator,
) -> Sample:
    """Return one training sample.

    Warps are applied first, as one, with what the draw shrinks or enlarges; layers are resized
    along depth; then tables, as one; then blur, noise and holes; within each kind in recipe order;
    then the noise of a corrupted image, drawn anew; the frame's
    quarter turns last. Outside the image the target is 0 and nothing counts.

    Args:
        case: Of as many axes as ``frame.size``, with a target.
        draw: The region to look at; it may leave the image.
        frame: How the image is read.
        normalise: What ``fit`` returned.
        transforms: In recipe order; none for a plain look.
        task: What the target means. Targets to restore are shares of its unit, see ``values``.
        rng: Made for this sample.

    Raises:
        DataError: the case has no target, or its pixels cannot be read or used.
    """
    if case.target is None:
        raise DataError(f"case {case.id}: has no target, and cannot be trained on")
    region = frame.placed(draw.region, case.image.shape)
    done = _picks(transforms, region.shape, rng)
    tables = [(step, what) for step, what in done if isinstance(step, Table)]
    touches = [(step, what) for step, what in done if isinstance(step, Touch)]
    warps = [(step, what) for step, what in done if isinstance(step, Warp)]
    seen = look(region, warps, draw.sides)

    clean, noise = without_view(case.image, Corrupted)
    image = _image(clean, seen, frame, rng)
    target = _target(case.target, seen, task)
    valid = _valid(case, region, seen)
    if touches or noise is not None:
        image = changed(image, tables)
        tables = []
        patch = Patch(image, target, valid, *limits(image))
        for step, what in touches:
            patch = step.touch(patch, what)
        image, target = patch.image, patch.target
    if noise is not None:
        image = _noisy(image, noise, case.image, seen, frame, rng)

    turn = frame.quarter_turns
    seen_by_network = normalised(image, *frame.factors(case.image, normalise), tables)
    return Sample(
        image=np.ascontiguousarray(turn.see(seen_by_network)),
        target=np.ascontiguousarray(turn.see(_encoded(target, task, case.target.dtype))),
        valid=np.ascontiguousarray(turn.see(valid), np.float32),
    )


def _picks(
    transforms: Sequence[Transform], size: tuple[int, ...], rng: np.random.Generator
) -> list[tuple[Transform, Any]]:
    drawn = [step.draw(size, rng) for step in transforms]
    return [pick for pick in drawn if pick is not None]


def _image(
    volume: Volume, seen: Resampling, frame: Frame, rng: np.random.Generator
) -> NDArray[Any]:
    if frame.depth is None:
        return seen.show(_simple(frame.read(volume, seen.window)), smooth=True)
    layers = frame.read_layers(volume, frame.depth.drawn(volume, rng), seen.window)
    return frame.depth.resized(seen.show(_simple(layers), smooth=True))


def _target(target: Volume, seen: Resampling, task: Task) -> NDArray[Any]:
    pixels = _simple(read_padded(target, seen.window, "zero"))
    check_finite(pixels, target.name)
    # Values and probabilities lie between their neighbours; classes do not.
    return seen.show(pixels, smooth=task.kind == "restore" or pixels.dtype.kind == "f")


def _noisy(
    image: NDArray[Any],
    noise: Corrupted,
    volume: Volume,
    seen: Resampling,
    frame: Frame,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return an image with fresh noise; zeros beyond the border have none."""
    noisy = noise.afresh(image, volume.axes, rng)
    if frame.border == "reflect" or seen.window.within(volume.shape):
        return noisy
    inside = seen.show(_inside(seen.window, volume.shape), smooth=False)
    return np.where(inside != 0, noisy, np.float32(0))


def _valid(case: Case, region: Region, seen: Resampling) -> NDArray[np.uint8]:
    window, shape = seen.window, case.image.shape
    if case.valid is None and window.within(shape):
        return np.ones((1, *region.shape), np.uint8)
    if case.valid is not None:
        inside = (read_padded(case.valid, window, "zero") != 0).astype(np.uint8)
    else:
        inside = _inside(window, shape)
    return seen.show(inside, smooth=False)


def _inside(window: Region, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return 1 where a window shows an image of ``shape``, else 0."""
    inside = np.zeros((1, *window.shape), np.uint8)
    at = window.clip(shape).shift(tuple(-a for a in window.start))
    inside[(slice(None), *at.slices)] = 1
    return inside


def _encoded(target: NDArray[Any], task: Task, stored: np.dtype[Any]) -> NDArray[np.float32]:
    if task.kind == "multiclass":
        ids = np.arange(task.outputs, dtype=target.dtype)
        return np.asarray(target == ids.reshape(-1, *[1] * (target.ndim - 1)), np.float32)
    if task.kind == "restore":
        return values(target, task, stored)
    return np.ascontiguousarray(target, np.float32)


def _simple(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return ``pixels`` in a type that can be resampled without loss; most already are."""
    if pixels.dtype == np.bool_:
        return pixels.view(np.uint8)
    if pixels.dtype in (np.uint8, np.uint16, np.float32):
        return pixels
    return pixels.astype(np.float32)
