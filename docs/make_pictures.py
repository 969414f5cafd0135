"""Draw the picture strip of the README: one unseen case of each job, from the quick demos.

Run        python docs/make_pictures.py [FOLDER]    about ten minutes on one core
Writes     docs/images/strip.png: a column for each job, with image, truth and prediction (or the
           restored image), and error

The case is the first that shows anything, good or bad. FOLDER keeps the demos, one folder for each
job; what is there already is not made again.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.demo.run import demo
from lamina.files import write_bytes
from lamina.pictures.palette import FALSE, MISSED
from lamina.prediction.folder.predictions import Predictions
from lamina.reporting.cards.panels import Panel, mask_panels, value_panels
from lamina.volume import read_all

TARGET = Path(__file__).parent / "images" / "strip.png"
LARGEST = 300_000  # bytes
TITLES = {
    "steel": "defects in steel",
    "xray": "air in chest X-rays",
    "faults": "faults in seismic volumes",
    "denoise": "noise in seismic volumes",
    "ink": "ink in scrolls",
}
"""The jobs in order, and what stands above their column."""

SIDE = 216  # pixels of one panel
GAP = 6
HEAD = 24  # pixels above a column, for its words
FOOT = 26
BACK, INK = "#ffffff", "#333333"
GREYS = 10  # levels that become one, so that the picture packs well; 255 stays 255


def main() -> None:
    """Run the demos, draw; refuse a picture too large for a first screen."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
        columns = [column(job, folder / job) for job in TITLES]
    stream = io.BytesIO()
    sheet(columns).save(stream, "PNG", optimize=True)
    if len(stream.getvalue()) > LARGEST:
        raise SystemExit(f"{len(stream.getvalue())} bytes; at most {LARGEST} are wanted")
    write_bytes(TARGET, stream.getvalue())


def column(job: str, folder: Path) -> list[NDArray[np.uint8]]:
    """Return the three pictures of the first unseen case of a job that shows anything."""
    if not (folder / "pred").is_dir():
        demo(job, folder, quick=True)
    predictions = Predictions.open(folder / "pred")
    recipe = predictions.info.recipe
    listed = recipe.data.open(folder / "unseen", predictions.task).cases
    for case in recipe.frame.chosen(listed, predictions.info.predict.slices):
        if case.id in predictions.ids and (panels := panels_of(predictions, case)):
            return [pixels(panel) for panel in panels]
    raise SystemExit(f"{job}: no unseen case shows anything")


def panels_of(predictions: Predictions, case: Case) -> list[Panel] | None:
    """Return image, answer and error of the middle part of a case; None: it shows nothing."""
    image, (target, _) = read_all(case.image), truth(case, predictions.task)
    restores = predictions.task.kind == "restore"
    answer = predictions.prob(case.id) if restores else predictions.mask(case.id)
    if image.ndim == 4:  # a section of a volume, samples downwards
        middle = image.shape[1] // 2
        image, target, answer = (part[:, middle].swapaxes(1, 2) for part in (image, target, answer))
    if restores:
        first, _, restored, error = value_panels(image, target, answer, side=SIDE)
        return [first, restored, error]
    if not target.any():
        return None
    box = square(np.asarray(target.any(axis=0)))
    parts = [part[(slice(None), *box)] for part in (image, target, answer)]
    return mask_panels(*parts, side=SIDE, background=predictions.task.exclusive)


def square(shown: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the largest square of (H, W) about the middle of what is shown."""
    side = min(shown.shape)
    middle = np.argwhere(shown).mean(axis=0)
    starts = [
        min(max(round(float(at)) - side // 2, 0), length - side)
        for at, length in zip(middle, shown.shape, strict=True)
    ]
    return slice(starts[0], starts[0] + side), slice(starts[1], starts[1] + side)


def pixels(panel: Panel) -> NDArray[np.uint8]:
    """Return the (SIDE, SIDE, 3) RGB picture in a panel; greys are rounded, so that it packs."""
    data = np.frombuffer(base64.b64decode(panel.uri.partition(",")[2]), np.uint8)
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if read is None:
        raise ValueError("a panel holds no picture")
    sized = cv2.resize(read[:, :, ::-1], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (sized // GREYS * GREYS + GREYS // 2).astype(np.uint8)


def sheet(columns: Sequence[Sequence[NDArray[np.uint8]]]) -> Image.Image:
    """Return the columns under their titles, with the colours of the error below."""
    size = (GAP + (SIDE + GAP) * len(columns), HEAD + (SIDE + GAP) * len(columns[0]) + FOOT)
    picture = Image.new("RGB", size, BACK)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for number, (tiles, title) in enumerate(zip(columns, TITLES.values(), strict=True)):
        left = GAP + number * (SIDE + GAP)
        draw.text((left, 4), title, INK, font)
        for row, tile in enumerate(tiles):
            picture.paste(Image.fromarray(tile), (left, HEAD + row * (SIDE + GAP)))
    x, y = GAP, size[1] - FOOT + 4
    words = "image, then truth (filled) and prediction (outlined), then error:"
    draw.text((x, y), words, INK, font)
    x += 410
    for name, word in (
        (BACK, "right"),
        (FALSE, "predicted, not there"),
        (MISSED, "there, missed"),
    ):
        draw.rectangle((x, y + 3, x + 11, y + 14), name, INK)
        draw.text((x + 16, y), word, INK, font)
        x += 65 if word == "right" else 160
    draw.text((x - 20, y), "of noise: noisy, restored, error", INK, font)
    return picture


if __name__ == "__main__":
    main()
