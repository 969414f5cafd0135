"""Made labels by hand: what they say, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from lamina.data.catalogs import Folder
from lamina.data.readers import Dicom
from lamina.data.targets.pseudo_labels import INDEX, PseudoLabelFolder
from lamina.errors import DataError, LeakError
from lamina.files import digest, read_json, sealed, write_bytes, write_json, write_text
from lamina.synthetic.files.png import encode_grey
from lamina.volume import read_all

VALUES: dict[str, Any] = {
    "format": 1,
    "lamina": "0",
    "names": ["a", "b"],
    "bundles": ["00"],
    "filters": {},
    "seen": [
        {"id": "t0", "sha256": ["c0"], "sets": ["all", "fold1"]},
        {"id": "t1", "sha256": ["c1", "c2"], "sets": ["all", "fold0"]},
    ],
}


@pytest.fixture
def labels(tmp_path: Path) -> PseudoLabelFolder:
    """One image of 2 x 3 pixels with two masks, and one without any."""
    images = []
    for id in ("x.png", "y.png"):
        sha256 = write_bytes(tmp_path / id, encode_grey(np.full((2, 3), len(images), np.uint8)))
        images.append({"id": id, "path": str(tmp_path / id), "sha256": sha256})
    folder = tmp_path / "made" / "labels" / "fold0"
    text = "ImageId_ClassId,EncodedPixels\nx.png_1,1 2\nx.png_2,6 1\ny.png_1,\ny.png_2,\n"
    table, soft = write_text(folder / "train.csv", text), {}
    for id in ("x.png", "y.png"):
        np.save(folder / f"{id}.npy", np.full((2, 2, 3), 0.25, np.float16))
        soft[id] = [f"{id}.npy", digest(folder / f"{id}.npy")]
    sets = {"fold0": {"members": ["fold0"], "decision": {}, "table": table, "soft": soft}}
    write_json(tmp_path / "made" / INDEX, VALUES | {"images": images, "sets": sets})
    return PseudoLabelFolder.open(tmp_path / "made")


def test_hard_targets_are_the_masks_of_the_table(labels: PseudoLabelFolder) -> None:
    one, other = labels.cases("fold0", soft=False)
    assert (one.id, one.facts["classes"], one.facts["area_0"]) == ("pseudo/x.png", "0,1", 2)
    assert (other.id, other.facts["classes"]) == ("pseudo/y.png", "")
    assert one.target is not None
    # Counted from 1, column by column (STEEL-4).
    assert read_all(one.target).tolist() == [[[1, 0, 0], [1, 0, 0]], [[0, 0, 0], [0, 0, 1]]]
    assert read_all(other.image).tolist() == [[[1, 1, 1], [1, 1, 1]]]


def test_soft_targets_are_the_probabilities(labels: PseudoLabelFolder) -> None:
    one, _ = labels.cases("fold0", soft=True)
    assert one.target is not None
    assert read_all(one.target).tolist() == np.full((2, 2, 3), 0.25).tolist()
    assert one.facts["source"] == "pseudo"


def test_an_image_that_changed_since_is_named(labels: PseudoLabelFolder) -> None:
    Path(labels.index.images[1].path).write_bytes(encode_grey(np.ones((2, 3), np.uint8) * 9))
    with pytest.raises(DataError, match=r"y\.png: missing or changed since"):
        labels.cases("fold0", soft=True)


def test_each_fold_says_what_its_makers_trained_on(labels: PseudoLabelFolder) -> None:
    assert labels.seen(0) == {"t1": ("c1", "c2")}
    with pytest.raises(DataError, match="has no labels for fold 1, only for fold0"):
        labels.seen(1)


def test_images_of_the_run_itself_are_refused(labels: PseudoLabelFolder) -> None:
    labels.refuse_own({"c0": "t0"})
    with pytest.raises(LeakError, match=r"x\.png is mine"):
        labels.refuse_own({labels.index.images[0].sha256: "mine"})


def test_what_is_not_whole_is_not_opened(labels: PseudoLabelFolder, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pseudo\.json"):
        PseudoLabelFolder.open(tmp_path)
    (labels.folder / INDEX).write_text('{"format": 1}')
    with pytest.raises(DataError, match="not readable by this version of lamina"):
        PseudoLabelFolder.open(labels.folder)


def test_dicom_images_are_opened_as_the_recipe_says(labels: PseudoLabelFolder) -> None:
    path = Path(labels.index.images[0].path)
    write_scan(path, np.full((2, 3), 7, np.uint8))
    images = [image.model_dump() for image in labels.index.images]
    images[0]["sha256"] = digest(path)
    index = labels.index.model_dump(mode="json") | {"images": images}
    write_json(labels.folder / INDEX, index)
    changed = PseudoLabelFolder.open(labels.folder)
    (as_usual, _) = changed.cases("fold0", soft=False)
    assert read_all(as_usual.image)[0, 0, 0] == 2 * 7 - 3
    (stored, _) = changed.cases(
        "fold0", soft=False, open_image=Folder(dicom=Dicom(rescale=False)).open_image
    )
    assert read_all(stored.image)[0, 0, 0] == 7


def write_scan(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a DICOM image of slope 2 and intercept -3."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = pixels.shape
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.RescaleSlope, data.RescaleIntercept = 2, -3
    data.PixelData = pixels.tobytes()
    data.save_as(path, enforce_file_format=True)


def test_trust_2_an_edited_index_is_noticed(labels: PseudoLabelFolder) -> None:
    """TRUST-2: the index is sealed; one without a seal, of an earlier lamina, still opens."""
    path = labels.folder / INDEX
    write_json(path, sealed(read_json(path)))
    assert PseudoLabelFolder.open(labels.folder).index == labels.index
    write_json(path, read_json(path) | {"names": ["b", "a"]})
    with pytest.raises(DataError, match=r"pseudo\.json: does not match its own digest"):
        PseudoLabelFolder.open(labels.folder)
