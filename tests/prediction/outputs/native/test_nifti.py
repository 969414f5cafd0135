"""Masks on the grid of a NIfTI file, read back by nibabel and, of the header, byte by byte."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from lamina.data.orientation import canonical
from lamina.data.readers import open_volume
from lamina.files import digest
from lamina.prediction.outputs.native.nifti import NIFTI
from tests.factories.native import answer_of, chances

SHAPE = (7, 9, 5)
# Turned by 0.1 about x; x of the array leads to the front, y to the left, z to the head.
C, S = np.cos(0.1), np.sin(0.1)
OBLIQUE = np.array([[0, -2, 0, 9], [1.9 * C, 0, -3 * S, 1], [1.9 * S, 0, 3 * C, 4], [0, 0, 0, 1.0]])


def source(path: Path, *, codes: tuple[int, int], kind: Any = nibabel.Nifti1Image) -> Path:
    """Write int16 values with a slope, units, an extension and these codes of qform and sform."""
    rng = np.random.default_rng(0)
    header = kind.header_class()
    header.set_data_shape(SHAPE)
    header.set_data_dtype(np.int16)
    header.set_qform(OBLIQUE, codes[0])
    header.set_sform(OBLIQUE, codes[1])
    header.set_xyzt_units("mm", "sec")
    header["cal_max"], header["descrip"] = 700, b"scanner 3"
    header.set_slope_inter(0.5, -3)
    header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"series 7"))
    voxels = rng.integers(-900, 900, SHAPE).astype(np.float32)
    nibabel.save(kind(voxels, None, header), path)
    assert field(path, "<2h", 252) == codes
    return path


def field(path: Path, form: str, at: int) -> tuple[Any, ...]:
    return struct.unpack_from(form, gzip.decompress(path.read_bytes()), at)


@pytest.mark.parametrize("codes", [(1, 0), (0, 2), (1, 1), (4, 3)])
@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_native_nifti_lies_where_its_source_lies(
    tmp_path: Path, codes: tuple[int, int], kind: str
) -> None:
    """Issue 14, part 3: same affine, codes, units and extensions; labels lie where drawn."""
    path = source(tmp_path / "scan.nii.gz", codes=codes)
    image = canonical(open_volume(path))  # turned: the answer must be turned back
    assert image.shape != SHAPE
    prob = chances(kind, image.shape)
    answer = answer_of(tmp_path, image, path, kind, prob)
    (layer,) = NIFTI.layers(answer)
    target = tmp_path / "native" / "scan.nii.gz"
    sha = NIFTI.write(target, answer, layer)

    assert sha == digest(target)
    before, after = nibabel.load(path), nibabel.load(target)
    np.testing.assert_array_equal(after.affine, before.affine)
    assert after.get_data_dtype() == np.uint8
    assert after.header.get_xyzt_units() == ("mm", "sec")
    assert after.header.extensions[0].get_content() == b"series 7"
    # By nibabel's own way to the canonical orientation the labels are those decided.
    labels = prob.argmax(axis=0) if kind == "multiclass" else prob[0] > 0.5
    turned = np.asarray(nibabel.as_closest_canonical(after).dataobj)
    np.testing.assert_array_equal(turned, labels)
    # Places of the standard: qform and sform codes, their numbers, scaling, calibration.
    assert field(target, "<2h", 252) == codes
    for form, at in (("<6f", 256), ("<12f", 280), ("<8f", 76), ("<80s", 148)):
        assert field(target, form, at) == field(path, form, at)
    assert field(target, "<2f", 112) == (1.0, 0.0)
    assert field(target, "<2f", 124) == (0.0, 0.0)


def test_native_nifti_2_stays_version_2_and_big_endian(tmp_path: Path) -> None:
    """Issue 14, part 3."""
    path = tmp_path / "scan.nii"
    header = nibabel.Nifti2Header(endianness=">")
    voxels = np.zeros(SHAPE, ">f4")
    nibabel.save(nibabel.Nifti2Image(voxels, OBLIQUE, header), path)
    image = canonical(open_volume(path))
    prob = chances("binary", image.shape)
    answer = answer_of(tmp_path, image, path, "binary", prob)
    target = tmp_path / "native" / "scan.nii.gz"
    NIFTI.write(target, answer, NIFTI.layers(answer)[0])
    after = nibabel.load(target)
    assert isinstance(after, nibabel.Nifti2Image)
    assert after.header.endianness == ">"
    np.testing.assert_array_equal(after.affine, nibabel.load(path).affine)
    turned = np.asarray(nibabel.as_closest_canonical(after).dataobj)
    np.testing.assert_array_equal(turned, prob[0] > 0.5)


def test_native_nifti_of_overlapping_classes_is_a_file_each(tmp_path: Path) -> None:
    """Issue 14, part 3."""
    path = source(tmp_path / "scan.nii.gz", codes=(1, 1))
    image = open_volume(path)
    prob = chances("multilabel", image.shape)
    answer = answer_of(tmp_path, image, path, "multilabel", prob)
    layers = NIFTI.layers(answer)
    assert [layer.folder for layer in layers] == ["a", "b", "c"]
    for k, layer in enumerate(layers):
        target = tmp_path / f"{k}.nii.gz"
        NIFTI.write(target, answer, layer)
        np.testing.assert_array_equal(nibabel.load(target).get_fdata(), prob[k] > 0.5)


def test_native_nifti_of_restored_values_is_in_their_units(tmp_path: Path) -> None:
    """Issue 14, part 3: float32, what 0 stands for and what 1 stands for undone."""
    path = source(tmp_path / "scan.nii.gz", codes=(1, 1))
    image = open_volume(path)
    prob = chances("restore", image.shape)
    answer = answer_of(tmp_path, image, path, "restore", prob, offset=-100.0, span=50.0)
    target = tmp_path / "r.nii.gz"
    NIFTI.write(target, answer, NIFTI.layers(answer)[0])
    after = nibabel.load(target)
    assert after.get_data_dtype() == np.float32
    np.testing.assert_allclose(after.get_fdata(), prob[0] * 50 - 100, rtol=1e-6)
