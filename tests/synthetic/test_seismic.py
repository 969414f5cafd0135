"""Synthetic seismic volumes: seeded, in the competition's layout, labels where layers break."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.catalogs import VolumePairs
from lamina.synthetic.seismic import Section, Survey, pair, volume, write_faults, write_pairs
from lamina.synthetic.shapes.faults import Fault
from lamina.synthetic.shapes.strata import Folds
from lamina.task import Task
from lamina.volume import read_all

SHAPE = (12, 48, 64)
FLAT = Folds(np.zeros((0, 4)), (0.0, 0.0), 96.0)
ONE = Fault(  # across y, in the middle of a section of 96 x 96, throw nearly the same all over
    (4, 48, 48), strike=0.0, dip=math.radians(70), throw=9, along=1e4, down=1e4
)


def stacked(survey: Survey) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Relative geologic time and labels, each (Z, Y, X)."""
    sections = list(survey.sections())
    return np.stack([section.time for section in sections]), np.stack(
        [one.faults for one in sections]
    )


def section_of(fault: Fault, folds: Folds = FLAT) -> tuple[Survey, Section]:
    survey = Survey(0, seed=3, shape=(8, 96, 96))
    survey.faults, survey.folds = (fault,), folds
    return survey, survey.section(4)


def test_equal_arguments_give_equal_volumes_and_others_do_not() -> None:
    image, faults = volume(2, seed=1, shape=SHAPE)
    again, faults_again = volume(2, seed=1, shape=SHAPE)
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(faults, faults_again)
    assert (image.shape, image.dtype, faults.dtype) == (SHAPE, np.float32, np.bool_)
    assert np.isfinite(image).all()
    assert (image != volume(3, seed=1, shape=SHAPE)[0]).any()
    assert (image != volume(2, seed=2, shape=SHAPE)[0]).any()
    with pytest.raises(ValueError, match="at least 8 voxels"):
        volume(0, shape=(4, 48, 64))


def test_a_section_is_the_same_whatever_was_asked_for_before() -> None:
    image, faults = volume(2, seed=1, shape=SHAPE)
    last = Survey(2, seed=1, shape=SHAPE).section(SHAPE[0] - 1)
    np.testing.assert_array_equal(last.noisy, image[-1])
    np.testing.assert_array_equal(last.faults, faults[-1])


def test_noisy_and_clean_differ_by_noise_of_the_survey() -> None:
    noisy, clean = pair(1, seed=4, shape=SHAPE)
    np.testing.assert_array_equal(noisy, volume(1, seed=4, shape=SHAPE)[0])
    level = Survey(1, seed=4, shape=SHAPE).noise
    assert (noisy - clean).std() == pytest.approx(level, rel=0.05)
    assert 0.4 < clean.std() < 2


@pytest.mark.parametrize("index", range(4))
def test_layers_break_at_labels_and_nowhere_else(index: int) -> None:
    time, faults = stacked(Survey(index, seed=9, shape=(20, 64, 64)))
    for axis in (0, 1):  # folds and slopes never move neighbours apart by as much
        jump = np.abs(np.diff(time, axis=axis)) > 1.4
        beside = faults.take(range(1, time.shape[axis]), axis) | faults.take(
            range(time.shape[axis] - 1), axis
        )
        assert jump.any()
        assert not (jump & ~beside).any()


def test_at_labels_layers_break_by_a_voxel_or_more() -> None:
    shares = []
    for index in range(4):
        time, faults = stacked(Survey(index, seed=9, shape=(20, 64, 64)))
        broken = np.zeros_like(faults)
        for axis in (0, 1):
            jump = np.abs(np.diff(time, axis=axis)) > 0.7
            low = [slice(None)] * 3
            high = [slice(None)] * 3
            low[axis], high[axis] = slice(None, -1), slice(1, None)
            broken[tuple(low)] |= jump
            broken[tuple(high)] |= jump
        shares.append(broken[faults].mean())
    assert np.mean(shares) > 0.7  # the others lie within 1 voxel of the break, beside it


def test_a_plane_is_one_or_two_voxels_thick() -> None:
    _, section = section_of(ONE)
    across = section.faults.sum(0)
    assert set(across.tolist()) <= {2, 3}  # 1 voxel off the plane is 1.06 along y at 70 degrees
    middle = np.array([np.flatnonzero(column).mean() for column in section.faults.T])
    expected = 48 + (np.arange(96) - 48) / math.tan(math.radians(70))
    assert np.abs(middle - expected).max() <= 1


@pytest.mark.parametrize("throw", [9.0, -6.0])
@pytest.mark.parametrize("listric", [0.0, 0.8])
def test_layers_are_off_by_the_throw_in_time_and_in_the_image(throw: float, listric: float) -> None:
    survey, section = section_of(replace(ONE, throw=throw, listric=listric, height=96.0))
    foot, wall = section.time[4], section.time[92]  # far to the left and right of the surface
    rows = np.arange(20, 76)
    np.testing.assert_allclose(foot[rows], rows, atol=1e-3)
    np.testing.assert_allclose(wall[rows], rows - throw, atol=0.05)
    lags = np.arange(-20, 21)
    match = [np.dot(section.clean[4, rows], section.clean[92, rows + lag]) for lag in lags]
    assert abs(lags[int(np.argmax(match))] - throw) <= 1
    assert survey.faults[0].throw_at(np.array(0.0), np.array(0.0)) == pytest.approx(throw)


def test_walls_slide_along_the_surface_and_stay_in_touch() -> None:
    """Undone, both sides of a surface meet again: the surface maps onto itself."""
    fault = replace(ONE, listric=0.9, height=96.0, bend=0.004, strike=0.5)
    s, d = np.array([-8.0, 0.0, 12.0]), np.array([-20.0, 5.0, 30.0])
    n = fault.bend * s**2 / 2 + (d + fault.listric * d**2 / (2 * 96)) / math.tan(fault.dip) + 1e-6
    cos, sin = math.cos(0.5), math.sin(0.5)
    place = (4 + s * cos - n * sin, 48 + s * sin + n * cos, 48 + d)
    (z, y, x), near = fault.undo(place)
    assert near.all()
    np.testing.assert_allclose(x, place[2] - 9, atol=0.01)
    s2, n2 = (z - 4) * cos + (y - 48) * sin, (y - 48) * cos - (z - 4) * sin
    d2 = x - 48
    on = fault.bend * s2**2 / 2 + (d2 + fault.listric * d2**2 / (2 * 96)) / math.tan(fault.dip)
    np.testing.assert_allclose(n2, on, atol=1e-4)


def test_the_throw_falls_towards_the_tips_which_have_no_label() -> None:
    fault = replace(ONE, along=10.0, down=12.0)
    s = np.array([0.0, 10.0, 30.0])
    np.testing.assert_allclose(
        fault.throw_at(s, np.zeros(3)), 9 * np.exp([0.0, -0.5, -4.5]), rtol=1e-9
    )
    _, section = section_of(fault)
    depths = np.flatnonzero(section.faults.any(0))
    reach = 12 * math.sqrt(2 * math.log(9))  # where the throw is down to 1 voxel
    assert depths.min() == pytest.approx(48 - reach, abs=1)
    assert depths.max() == pytest.approx(48 + reach, abs=1)
    growing = replace(ONE, growing=True, down=20.0)
    np.testing.assert_allclose(
        growing.throw_at(np.zeros(4), np.array([-30.0, -10.0, 0.0, 20.0])), [0, 2.25, 4.5, 9]
    )


def test_the_spectrum_peaks_at_the_frequency_of_the_wavelet() -> None:
    surveys = [Survey(i, seed=6, shape=(8, 8, 512)) for i in range(12)]
    for survey in surveys:
        spectrum = np.abs(np.fft.rfft(survey.wavelet.samples, 4096))
        peak = spectrum.argmax() / 4096
        assert peak == pytest.approx(survey.wavelet.frequency, abs=1e-3)
    relative = np.zeros(200)  # mean amplitude over frequency / peak of each, up to twice the peak
    for survey in surveys:
        spectrum = np.abs(np.fft.rfft(survey.section(4).clean, axis=-1)).mean(0)
        at = np.linspace(0, 2, 200) * survey.wavelet.frequency
        relative += np.interp(at, np.fft.rfftfreq(512), spectrum)
    smooth = np.convolve(relative, np.ones(31) / 31, "same")
    assert np.linspace(0, 2, 200)[smooth.argmax()] == pytest.approx(1, abs=0.25)


def test_a_small_share_of_voxels_is_a_fault() -> None:
    shares = [volume(i, seed=5, shape=(16, 64, 64))[1].mean() for i in range(8)]
    assert 0.01 < np.mean(shares) < 0.15
    assert max(shares) < 0.3


def test_files_hold_what_volumes_say(tmp_path: Path) -> None:
    """FAULT-1."""
    folder = write_faults(tmp_path / "data", count=2, seed=5, shape=SHAPE, first=3)
    catalog = VolumePairs(image="seismicCubes*.npy", target="fault*.npy")
    listing = catalog.open(folder, Task(kind="binary"))
    assert [case.id for case in listing.cases] == ["seismic_00003", "seismic_00004"]
    for index, case in enumerate(listing.cases, start=3):
        image, faults = volume(index, seed=5, shape=SHAPE)
        np.testing.assert_array_equal(read_all(case.image)[0], image)
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.target)[0] != 0, faults)


def test_pairs_are_noisy_and_clean_in_a_folder_each(tmp_path: Path) -> None:
    """NOISE-1: a noisy and a clean file of one shape in each folder, time first."""
    folder = write_pairs(tmp_path / "data", count=2, seed=5, shape=SHAPE, first=3)
    catalog = VolumePairs(image="seismic_w_noise_vol*.npy", target="seismicCubes_RFC*.npy")
    cases = catalog.open(folder, Task(kind="restore")).cases
    assert [case.id for case in cases] == ["pair_00003", "pair_00004"]
    for index, case in enumerate(cases, start=3):
        noisy, clean = pair(index, seed=5, shape=SHAPE)
        np.testing.assert_array_equal(read_all(case.image)[0], noisy.transpose())
        assert case.target is not None
        np.testing.assert_array_equal(read_all(case.target)[0], clean.transpose())
