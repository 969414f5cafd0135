"""Draw the picture strip of the README: strips of steel that a small network never saw.

Run        python docs/make_pictures.py              under a minute on one core
Writes     docs/images/strip.png: image, truth with prediction after the tuned decision, and error,
           for the first unseen strips that have a defect, good or bad
"""

from __future__ import annotations

import base64
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.files import write_bytes
from lamina.pictures.palette import FALSE, MISSED
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.recipe.load import load_recipe
from lamina.reporting.cards.panels import Panel, mask_panels
from lamina.synthetic.steel import write_severstal
from lamina.training.run import train
from lamina.tuning.tune import tune
from lamina.volume import read_all

TARGET = Path(__file__).parent / "images" / "strip.png"
LARGEST = 300_000  # bytes
KNOWN, UNSEEN, SHAPE, SEED = 128, 40, (128, 400), 7
CHANGES = (
    "frame.size=[128, 192]",
    "network.shrink=2",
    "network.prior=0.02",
    "network.decoder={encoder_depth: 4, decoder_channels: [64, 32, 16, 16]}",
    "train.epochs=24",
    "train.optimizer.lr=1e-3",
    "train.sampler={kind: balanced, positive_rate: 0.9, focus: 0.7}",
    "train.validate_every=12",
    "metric.over=foreground",
    "split.count=4",
)
ROWS = 4
WIDTH = 400  # pixels of one panel
GAP = 6
HEAD = 22  # pixels above the panels, for their words
FOOT = 24
BACK, INK = "#ffffff", "#333333"


def main() -> None:
    """Train, predict, draw; refuse a picture too large for a first screen."""
    with tempfile.TemporaryDirectory() as folder:
        picture = sheet(trained(Path(folder)))
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=True)
    if len(stream.getvalue()) > LARGEST:
        raise SystemExit(f"{len(stream.getvalue())} bytes; at most {LARGEST} are wanted")
    write_bytes(TARGET, stream.getvalue())


def trained(folder: Path) -> list[list[Panel]]:
    """Return the panels of the first unseen strips with a defect."""
    known, unseen, run, pred = (folder / name for name in ("known", "unseen", "run", "pred"))
    write_severstal(known, count=KNOWN, seed=SEED, shape=SHAPE)
    write_severstal(unseen, count=UNSEEN, seed=SEED, shape=SHAPE, first=KNOWN)
    train(load_recipe("steel-laptop", CHANGES), data=known, out=run, folds=[0])
    tune(run)
    predict([run], [unseen], pred)
    predictions = Predictions.open(pred)
    cases = predictions.info.recipe.data.open(unseen, predictions.task).cases
    return [panels(predictions, case) for case in cases if case.facts["classes"]][:ROWS]


def panels(predictions: Predictions, case: Case) -> list[Panel]:
    """Return the three panels of a case, as the report draws them."""
    target, _ = truth(case, predictions.task)
    answer = predictions.mask(case.id)
    return mask_panels(read_all(case.image), target, answer, side=WIDTH, background=False)


def sheet(rows: Sequence[Sequence[Panel]]) -> Image.Image:
    """Return the rows of panels under their words, with the colours of the error below."""
    tiles = [[pixels(one) for one in row] for row in rows]
    height = tiles[0][0].shape[0]
    size = (GAP + (WIDTH + GAP) * len(rows[0]), HEAD + (height + GAP) * len(rows) + FOOT)
    picture = Image.new("RGB", size, BACK)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(14)
    for column, panel in enumerate(rows[0]):
        draw.text((GAP + column * (WIDTH + GAP), 3), panel.word, INK, font)
    for number, row in enumerate(tiles):
        for column, tile in enumerate(row):
            place = (GAP + column * (WIDTH + GAP), HEAD + number * (height + GAP))
            picture.paste(Image.fromarray(tile), place)
    x, y = GAP + 2 * (WIDTH + GAP), size[1] - FOOT + 3
    for colour, word in (
        ("#ffffff", "right"),
        (FALSE, "predicted, not there"),
        (MISSED, "there, missed"),
    ):
        draw.rectangle((x, y + 3, x + 11, y + 14), colour, INK)
        draw.text((x + 16, y), word, INK, font)
        x += 65 if word == "right" else 170
    return picture


def pixels(panel: Panel) -> NDArray[np.uint8]:
    """Return the (H, W, 3) RGB picture in a panel; greys are rounded, so that it packs well."""
    data = np.frombuffer(base64.b64decode(panel.uri.partition(",")[2]), np.uint8)
    read = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if read is None:
        raise ValueError("a panel holds no picture")
    rounded = read[:, :, ::-1] // 4 * 4 + 2
    return np.ascontiguousarray(rounded).astype(np.uint8)


if __name__ == "__main__":
    main()
