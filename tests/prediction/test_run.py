"""The verb: honest, resumable, and not stopped by one bad image."""

from __future__ import annotations

import json
import multiprocessing
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from lamina.bundle import Bundle, KnownCase
from lamina.bundle.index import sealed
from lamina.data.readers import open_volume
from lamina.errors import DataError, PartialError, RecipeError, ResourceError
from lamina.evaluation.score import score
from lamina.files import digest, locked
from lamina.outputs.submit import submit
from lamina.prediction.engine import Member, predict_case
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.run import predict
from lamina.result.decisions import Threshold
from lamina.volume import ArrayVolume

pytestmark = pytest.mark.usefixtures("one_thread")  # children are forked


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number, shape in enumerate([(40, 50), (20, 33), (64, 64), (1, 70)]):
        pixels = rng.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(folder / f"i{number}.png")
    return folder


@pytest.fixture(scope="module")
def bundle(make: Any, images: Path) -> Bundle:
    cases = {
        "i0": KnownCase(sha256=(digest(images / "i0.png"),), fold=0),
        "i1": KnownCase(sha256=(digest(images / "i1.png"),), fold=-1),
    }
    return make.bundle(cases)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def saved(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    bundle.save(path / "bundle")
    return path


def tree(folder: Path) -> dict[str, str]:
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "log.txt")
    return {str(p.relative_to(folder)): digest(p) for p in files}


def test_training_images_are_predicted_out_of_fold_and_others_by_all(
    bundle: Bundle, saved: Path, images: Path, tmp_path: Path
) -> None:
    summary = predict([saved], [images], tmp_path / "pred", device="cpu")
    assert summary.cases == summary.predicted == 4
    assert summary.known == {"held_out": 1, "seen": 1, "new": 2}
    assert summary.failed == ()
    json.dumps(summary.to_dict(), allow_nan=False)
    found = Predictions.open(tmp_path / "pred")
    members = [
        Member(bundle.network(number), bundle.members[number].normalise) for number in range(2)
    ]
    for id, answering in (("i0", members[:1]), ("i1", members), ("i3", members)):
        image = open_volume(images / f"{id}.png")
        wanted = predict_case(image, answering, bundle.recipe, device=torch.device("cpu"))
        np.testing.assert_allclose(found.prob(id), wanted, atol=1e-3)  # float16
        assert found.case(id).members == tuple(f"fold{n}" for n in range(len(answering)))


def test_the_same_command_again_does_nothing(saved: Path, images: Path, tmp_path: Path) -> None:
    predict([saved], [images], tmp_path / "pred", device="cpu")
    before = tree(tmp_path / "pred")
    again = predict([saved], [images], tmp_path / "pred", device="cpu")
    assert (again.kept, again.predicted) == (4, 0)
    assert tree(tmp_path / "pred") == before


def test_what_was_begun_keeps_its_batch_and_its_device(
    saved: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B05: one folder holds no probabilities of two batches, or of two kinds of device."""
    out = tmp_path / "pred"
    predict([saved], [images], out, device="cpu", batch=2, progress=False)
    (out / "probabilities/i3.npy").unlink()
    with pytest.raises(RecipeError, match=r"begun with 2 tiles .* be 3 tiles .* pass --batch 2"):
        predict([saved], [images], out, device="cpu", batch=3, progress=False)
    assert not (out / "probabilities/i3.npy").exists()
    again = predict([saved], [images], out, device="cpu", progress=False)
    assert (again.batch, again.predicted, again.kept) == (2, 1, 3)
    kind = "lamina.prediction.workers.pool_of.device_kind"
    monkeypatch.setattr(kind, lambda _: "cpu of tomorrow")
    again = predict([saved], [images], out, device="cpu", threshold=0.4, progress=False)
    assert (again.redecided, again.kept + again.predicted) == (4, 0)
    (out / "probabilities/i3.npy").unlink()
    with pytest.raises(RecipeError, match=r"now it would be .* on cpu of tomorrow.*where it began"):
        predict([saved], [images], out, device="cpu", progress=False)
    begun = predict([saved], [images], out, device="cpu", batch=3, overwrite=True, progress=False)
    assert (begun.batch, begun.predicted) == (3, 4)


def test_M05_a_batch_that_does_not_fit_is_an_error_that_names_one_that_may(
    saved: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = torch.nn.Module.__call__

    def hungry(network: torch.nn.Module, *values: Any, **more: Any) -> Any:
        if isinstance(values[0], torch.Tensor) and len(values[0]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(network, *values, **more)

    monkeypatch.setattr(torch.nn.Module, "__call__", hungry)
    one = images / "i2.png"  # 9 tiles
    with pytest.raises(ResourceError, match=r"4 tiles per .* begin anew with --batch 2 --overwr"):
        predict([saved], [one], tmp_path / "pred", device="cpu", batch=4, progress=False)
    found = predict([saved], [one], tmp_path / "pred", device="cpu", batch=2, progress=False)
    assert (found.batch, found.predicted) == (2, 1)


@pytest.mark.parametrize("passage", [3, 5, 8, 11, 15])
def test_B01_killed_and_run_again_gives_the_same_bytes(
    saved: Path, images: Path, tmp_path: Path, passage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N09: what was noted is kept; the last image may be written and not yet noted."""
    predict([saved], [images], tmp_path / "whole", device="cpu", batch=2)
    monkeypatch.setenv("LAMINA_FAULT", f"file.before_rename:{passage}")
    child = multiprocessing.get_context("fork").Process(
        target=predict,
        args=([saved], [images], tmp_path / "pred"),
        kwargs={"device": "cpu", "batch": 2},
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    monkeypatch.delenv("LAMINA_FAULT")
    again = predict([saved], [images], tmp_path / "pred", device="cpu", batch=2)
    written = (passage - 2) // 4  # answer, two masks, objects
    assert again.kept + again.redecided >= written - 1
    assert again.kept + again.predicted + again.redecided == 4
    assert tree(tmp_path / "pred") == tree(tmp_path / "whole")


def test_a_tuned_decision_only_makes_masks_again(
    bundle: Bundle, images: Path, tmp_path: Path
) -> None:
    bundle.save(tmp_path / "bundle")
    predict([tmp_path / "bundle"], [images], tmp_path / "pred", device="cpu")
    bundle.with_decision(Threshold(threshold=0.4), {}).save(tmp_path / "bundle")
    again = predict([tmp_path / "bundle"], [images], tmp_path / "pred", device="cpu")
    assert (again.redecided, again.predicted) == (4, 0)
    found = Predictions.open(tmp_path / "pred")
    np.testing.assert_array_equal(found.stored_mask("i2"), found.prob("i2") > 0.4)


def test_work_10_a_decision_that_nobody_tuned_is_said(
    bundle: Bundle, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a run was tuned and has other members now, which drops the tuned decision."""
    bundle.save(tmp_path / "bundle")
    image = [images / "i3.png"]
    predict([tmp_path / "bundle"], image, tmp_path / "pred", device="cpu")
    assert "decision not tuned: threshold 0.5; `lamina tune" in capsys.readouterr().err
    tuned = bundle.with_decision(Threshold(threshold=0.4), {"tune": {"tuned": 0.9}})
    tuned.save(tmp_path / "bundle")
    predict([tmp_path / "bundle"], image, tmp_path / "pred", device="cpu")
    assert "not tuned" not in capsys.readouterr().err
    assert "device cpu" in (tmp_path / "pred" / "log.txt").read_text(encoding="utf-8")


def test_B05_other_weights_are_refused_unless_overwritten(
    make: Any, saved: Path, images: Path, tmp_path: Path
) -> None:
    predict([saved], [images], tmp_path / "pred", device="cpu")
    make.bundle(seed=7).save(tmp_path / "other")
    with pytest.raises(RecipeError, match=r"other bundles or options \(bundles\)"):
        predict([tmp_path / "other"], [images], tmp_path / "pred", device="cpu")
    anew = predict([tmp_path / "other"], [images], tmp_path / "pred", device="cpu", overwrite=True)
    assert anew.predicted == 4


def test_B09_one_bad_image_does_not_stop_the_others(
    saved: Path, images: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in images.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "bad.png").write_bytes((images / "i2.png").read_bytes()[:200])
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / "blue.png")
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 2] = 200
    Image.fromarray(pixels).save(folder / "blue.png")  # colours where the recipe wants grey
    with pytest.raises(PartialError, match="4 cases are predicted, 2 could not be read") as caught:
        predict([saved], [folder], tmp_path / "pred", device="cpu")
    assert "bad.png" in str(caught.value)
    assert "blue.png" in str(caught.value)
    assert Predictions.open(tmp_path / "pred").ids == ["i0", "i1", "i2", "i3"]


def test_WORK_13_whatever_the_reason_an_image_is_left_out_and_the_others_are_done(
    saved: Path, images: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "z.png"):
        (folder / name).write_bytes((images / "i0.png").read_bytes())
    pages = np.zeros((7, 16, 16), np.uint8)
    tifffile.imwrite(folder / "b.tif", pages, photometric="minisblack")
    (folder / "c.png").write_bytes(b"no image")
    tifffile.imwrite(folder / "a.tif", pages[0], photometric="minisblack")  # the id of a.png
    with pytest.raises(PartialError, match="2 cases are predicted, 3 could not") as caught:
        predict([saved], [folder], tmp_path / "pred", device="cpu")
    assert caught.value.exit_code == 5
    said = str(caught.value)
    assert re.search(r"b\.tif: has axes 'zyx', and the recipe is for images", said)
    assert re.search(r"c\.png: is not a", said)
    assert re.search(r"a\.tif and .*a\.png: duplicate case id 'a'|a\.png and .*a\.tif: dup", said)
    assert Predictions.open(tmp_path / "pred").ids == ["a", "z"]


def test_WORK_16_a_colour_image_for_a_grey_bundle_has_a_remedy_here(
    saved: Path, tmp_path: Path
) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 2] = 200
    Image.fromarray(pixels).save(tmp_path / "blue.png")
    with pytest.raises(DataError, match=r"save it in grey, or train with") as caught:
        predict([saved], [tmp_path / "blue.png"], tmp_path / "pred", device="cpu")
    assert "set frame.channels" not in str(caught.value)
    Image.fromarray(pixels).convert("L").save(tmp_path / "blue.png")
    assert predict([saved], [tmp_path / "blue.png"], tmp_path / "pred", device="cpu").cases == 1


def test_the_only_image_being_bad_is_an_error_of_data(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        predict([saved], [tmp_path / "bad.png"], tmp_path / "pred", device="cpu")


def test_several_bundles_answer_together(
    make: Any, bundle: Bundle, saved: Path, images: Path, tmp_path: Path
) -> None:
    other = make.bundle(seed=5)
    other.write_zip(tmp_path / "other.zip")
    image = images / "i2.png"
    summary = predict([saved, tmp_path / "other.zip"], [image], tmp_path / "pred", device="cpu")
    assert summary.members == ("0:fold0", "0:fold1", "1:fold0", "1:fold1")
    members = [
        Member(one.network(number), one.members[number].normalise)
        for one in (bundle, other)
        for number in range(2)
    ]
    wanted = predict_case(open_volume(image), members, bundle.recipe, device=torch.device("cpu"))
    found = Predictions.open(tmp_path / "pred").prob("i2")
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_a_volume_is_predicted_slice_by_slice(make: Any, tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 256, (5, 40, 36), np.uint8)
    tifffile.imwrite(tmp_path / "raw.tif", voxels)
    known = {
        f"raw[z{a}-{b}]": KnownCase(sha256=(digest(tmp_path / "raw.tif"),), fold=fold)
        for a, b, fold in ((0, 3, -1), (3, 5, 0))
    }
    slices = {"size": [32, 32], "channels": 1, "slices": {"axes": "zy"}}
    made = make.bundle(known, data={"kind": "volume_pairs"}, frame=slices)
    made.save(tmp_path / "bundle")
    summary = predict([tmp_path / "bundle"], [tmp_path / "raw.tif"], tmp_path / "p", device="cpu")
    assert summary.known == {"partly_seen": 1}
    found = Predictions.open(tmp_path / "p")
    assert found.prob("raw").shape == (2, 5, 40, 36)
    assert found.stored_mask("raw").shape == (2, 5, 40, 36)


def test_M04_too_little_memory_is_said_before_any_work(
    saved: Path, images: Path, tmp_path: Path
) -> None:
    with pytest.raises(ResourceError, match=r"--memory 10M is too little"):
        predict([saved], [images], tmp_path / "pred", device="cpu", memory=10 * 2**20)
    assert not (tmp_path / "pred" / "probabilities").exists()


def test_an_unknown_policy_is_refused(saved: Path, images: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="--members is 'best'"):
        predict([saved], [images], tmp_path, members="best")  # type: ignore[arg-type]


def test_inputs_are_only_read(saved: Path, images: Path, tmp_path: Path) -> None:
    before = tree(images), tree(saved)
    predict([saved], [images], tmp_path / "pred", device="cpu")
    assert (tree(images), tree(saved)) == before


def restoring(make: Any, folder: Path, data: dict[str, Any], **frame: Any) -> Path:
    """Save a run that restores, its decision to truncate to bytes."""
    bundle = make.bundle(
        task={"kind": "restore", "names": ["clean"], "unit": 255.0},
        data=data,
        frame={"size": [32, 32], **frame},
        loss=[{"kind": "mse"}],
        monitor={"kind": "mse"},
        metric={"kind": "psnr"},
        decide={"kind": "as_is"},
        submit={"kind": "slices_npz"},
    )
    bundle.save(folder / "bundle")
    return folder


def test_only_the_slices_asked_for_are_predicted_each_by_its_own_axis(
    make: Any, tmp_path: Path
) -> None:
    """NOISE-17: six slices of each volume, written as 8 bits; scored against their truth."""
    data = {"kind": "volume_pairs", "image": "noisy.npy", "target": "clean.npy"}
    run = restoring(make, tmp_path / "run", data, slices={"axes": "yx"})
    cubes = np.random.default_rng(0).random((2, 36, 40, 44)).astype(np.float32)
    (tmp_path / "data" / "v").mkdir(parents=True)
    for name, cube in zip(("noisy", "clean"), cubes, strict=True):
        np.save(tmp_path / "data" / "v" / f"{name}.npy", cube)
    out = tmp_path / "pred"
    options: dict[str, Any] = {"slices": (0.25, 0.5, 0.75), "device": "cpu", "progress": False}
    summary = predict([run], [tmp_path / "data"], out, **options)
    assert summary.cases == summary.predicted == 6
    assert predict([run], [tmp_path / "data"], out, **options).kept == 6
    found = Predictions.open(out)
    assert found.ids == [
        f"v/{axis}{n:04d}" for axis, ns in (("y", (10, 20, 30)), ("x", (11, 22, 33))) for n in ns
    ]
    loaded = Bundle.load(run / "bundle")
    members = [
        Member(loaded.network(n), loaded.members[n].normalise) for n in range(len(loaded.members))
    ]
    plane = ArrayVolume(cubes[:1, :, 20])
    alone = predict_case(plane, members, loaded.recipe, device=torch.device("cpu"))
    np.testing.assert_allclose(found.prob("v/y0020"), alone, atol=1e-5)
    np.testing.assert_allclose(found.stored_mask("v/y0020"), 255 * alone, atol=1e-2)
    assert score(out, tmp_path / "data").cases == 6
    assert submit(out, tmp_path / "s.npz").rows == 6
    with np.load(tmp_path / "s.npz") as archive:
        wanted = np.clip(alone[0].T, 0, 1) * 255
        assert np.abs(archive["v_gt.npy-x_1"].astype(float) - np.floor(wanted)).max() <= 1
    with pytest.raises(RecipeError, match="other bundles or options"):
        predict([run], [tmp_path / "data"], out, device="cpu", progress=False)


def test_clean_images_can_be_predicted_with_the_recipe_s_noise_on_them(
    make: Any, images: Path, tmp_path: Path
) -> None:
    """What is restored from is the noisy image, with the deviation declared."""
    data = {"kind": "corrupt", "noise": [{"kind": "gaussian", "sigma": 25}]}
    run = restoring(make, tmp_path / "run", data)
    for name, corrupt in (("noisy", True), ("clean", False)):
        predict([run], [images], tmp_path / name, corrupt=corrupt, device="cpu", progress=False)
    noisy, clean = (Predictions.open(tmp_path / name) for name in ("noisy", "clean"))
    assert (noisy.prob("i0") != clean.prob("i0")).mean() > 0.9
    found = score(tmp_path / "noisy", images)
    assert found.baseline_input == pytest.approx(20 * np.log10(255 / 25), abs=0.5)


def test_read_2_predictions_say_in_which_orientation_they_lie(make: Any, tmp_path: Path) -> None:
    """READ-2: arrays lie as the image is read, and the affine brings them back onto the file."""
    voxels = np.random.default_rng(0).integers(0, 256, (36, 40, 5), np.uint8)
    stored = nibabel.Nifti1Image(
        voxels, np.array([[0, -2, 0, 9], [2, 0, 0, 1], [0, 0, 3, 4], [0, 0, 0, 1.0]])
    )
    nibabel.save(stored, tmp_path / "raw.nii.gz")
    slices = {"size": [32, 32], "channels": 1, "slices": {"axes": "z"}}
    made = make.bundle(data={"kind": "volume_pairs", "image": "raw.nii.gz"}, frame=slices)
    made.save(tmp_path / "bundle")
    predict([tmp_path / "bundle"], [tmp_path / "raw.nii.gz"], tmp_path / "p", device="cpu")
    found = Predictions.open(tmp_path / "p")
    case, twin = found.case("raw"), nibabel.as_closest_canonical(stored)
    assert (case.axes, case.orientation, case.shape) == ("xyz", "RAS", twin.shape)
    assert (case.spacing, case.unit) == ((2.0, 2.0, 3.0), "mm")
    np.testing.assert_allclose(case.affine, twin.affine[:3], atol=1e-4)
    assert found.prob("raw").shape == (2, *twin.shape)


def test_read_2_an_earlier_bundle_reads_volumes_as_they_are_stored(
    make: Any, tmp_path: Path
) -> None:
    """Members of an earlier format learnt from arrays as stored, and predict them so."""
    nibabel.save(
        nibabel.Nifti1Image(np.zeros((36, 40, 5), np.uint8), np.diag([-1.0, 1, 1, 1])),
        tmp_path / "raw.nii",
    )
    slices = {"size": [32, 32], "channels": 1, "slices": {"axes": "z"}}
    made = make.bundle(data={"kind": "volume_pairs", "image": "raw.nii"}, frame=slices)
    made.save(tmp_path / "bundle")
    earlier = made.index.model_copy(update={"format": 3})
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(sealed(earlier)))
    assert Bundle.load(tmp_path / "bundle").recipe.data.orientation == "as_stored"
    predict([tmp_path / "bundle"], [tmp_path / "raw.nii"], tmp_path / "p", device="cpu")
    assert Predictions.open(tmp_path / "p").case("raw").orientation == "LAS"


def test_trust_6_two_predictions_into_one_folder_do_not_meet(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N11, C11.

    TRUST-6: of a volume, whose parts both would write; the second is refused, exit 2."""
    frame = {**make.recipe().frame.model_dump(mode="json"), "slices": {"axes": "zy"}}
    make.bundle(frame=frame).save(tmp_path / "bundle")
    rng = np.random.default_rng(0)
    np.save(tmp_path / "v.npy", rng.integers(0, 256, (12, 40, 40), np.uint8))
    words = (tmp_path / "bundle", tmp_path / "v.npy")
    predict(*words, tmp_path / "alone", device="cpu", batch=2)
    with locked(tmp_path / "pred"):
        with pytest.raises(RecipeError, match="is working in this folder; wait for it"):
            predict(*words, tmp_path / "pred", device="cpu", batch=2)
        with pytest.raises(RecipeError, match="is working in this folder; wait for it"):
            predict(*words, tmp_path / "pred", device="cpu", batch=2, overwrite=True)
    assert list((tmp_path / "pred").iterdir()) == []

    def one(told: Any) -> None:
        try:
            predict(*words, tmp_path / "pred", device="cpu", batch=2, progress=False)
            told.put(0)
        except RecipeError as error:
            told.put(error.exit_code)
        except BaseException as error:  # noqa: BLE001 - what the test is about
            told.put(repr(error))

    context = multiprocessing.get_context("fork")
    told = context.Queue()
    children = [context.Process(target=one, args=(told,)) for _ in range(3)]
    for child in children:
        child.start()
    ends = [told.get(timeout=120) for _ in children]
    for child in children:
        child.join()
    assert 0 in ends
    assert set(ends) <= {0, 2}
    assert tree(tmp_path / "pred") == tree(tmp_path / "alone")
    assert not (tmp_path / "pred" / "run.lock").exists()


MANY = 1024  # whose memory stands out from what the process takes and frees by itself


@pytest.mark.parametrize("asked", ["by hand", "by the recipe"])
def test_trust_8_the_memory_allowed_holds_for_a_batch_that_was_asked_for(
    make: Any, images: Path, tmp_path: Path, asked: str
) -> None:
    """TRUST-8, M04, R5: exit 6 before any work, and the numbers of the message work."""
    predict_options = {"batch": MANY} if asked == "by the recipe" else {}
    make.bundle(predict=predict_options).save(tmp_path / "bundle")
    batch = MANY if asked == "by hand" else None
    image, out = images / "i2.png", tmp_path / "pred"

    def again(memory: int, batch: int | None = batch) -> Any:
        return predict(tmp_path / "bundle", image, out, device="cpu", memory=memory, batch=batch)

    with pytest.raises(ResourceError, match="--memory 1M is too little: one tile") as caught:
        again(2**20)
    assert caught.value.exit_code == 6
    assert not out.exists()
    one = int(re.findall(r"pass --memory (\d+)M", str(caught.value))[0])
    with pytest.raises(ResourceError, match=f"is too little for {MANY} tiles") as caught:
        again((one + 1) * 2**20)
    assert not out.exists()
    fewer, more = re.findall(r"pass --batch (\d+) or less, or --memory (\d+)M", str(caught.value))[
        0
    ]
    assert again((one + 1) * 2**20, int(fewer)).batch == int(fewer) < MANY
    shutil.rmtree(out)  # which keeps its batch
    assert again((int(more) + 100) * 2**20).batch == MANY
