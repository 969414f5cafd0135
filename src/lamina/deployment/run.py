"""Run an exported pipeline with numpy and onnxruntime, or torch for .pt2: an image in, masks out.

``python run.py photo.png --out mask.png``, or ``from run import Pipeline; Pipeline(".")(image)`` of
(H, W), (H, W, C) or (C, H, W). ``pipeline.json`` says all that is done around the networks; nothing
of lamina is imported here. B tiles, C channels, K classes, H and W of an image, h and w of a tile.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FORMAT = "lamina-pipeline/1"
KEYS = {  # of each object of pipeline.json: all of them (``known`` may be left out), no others
    "top": "format created_by bundle recipe_digest task input members means rounding restore "
    "decision files parity known",
    "task": "kind names",
    "input": "axes channels colour learnt",
    "learnt": "types low high scale",
    "member": "name file opset weight tile step window border placement pad normalise views "
    "calibration",
    "means": "views tiles members power",
    "affine": "kind shift factor",
    "case": "kind how low high",
    "view": "transpose flip_rows flip_columns weight",
    "curve": "slope shift knots",
    "restore": "offset span",
    "areas": "kind classes overlap",
    "class": "threshold sure sure_pixels sure_in_component min_area",
    "argmax": "kind",
    "as_is": "kind store whole",
}
_FACTORS = {"whole": 1.0, "times_257": 257.0, "over_255": 1 / 255}


class PipelineError(ValueError):
    """The exported folder is damaged, or the image is not what it takes."""


class Result(NamedTuple):
    """Names of classes, probabilities (of restore: values in stored units) and masks, (K, H, W)."""

    names: tuple[str, ...]
    probabilities: NDArray[Any]
    masks: NDArray[np.bool_] | None
    members: tuple[str, ...]


class Pipeline:
    """Networks with all that is done around them; calls keep no state, so threads may share it."""

    def __init__(self, folder: str | Path = ".", *, threads: int = 0, batch: int = 4) -> None:
        """Check all files and load the networks; ``threads`` 0: one for each core."""
        self.about, self._batch = read_pipeline(Path(folder) / "pipeline.json"), batch
        members, files = self.about["members"], self.about["files"]
        paths = {name: Path(folder) / name for name in files}
        for name, path in paths.items():
            plain = Path(name).name == name and path.is_file()
            if not plain or hashlib.sha256(path.read_bytes()).hexdigest() != files[name]:
                raise PipelineError(f"{path}: is missing or damaged; export it again")
        self._networks = [open_network(paths[member["file"]], threads) for member in members]
        self._windows = [np.load(paths[member["window"]]) for member in members]
        self._kind, self._means = self.about["task"]["kind"], self.about["means"]

    def __call__(self, image: Any, axes: str | None = None, *, sha256: str = "") -> Result:
        """Predict an image; ``axes`` None: its shape has one reading; ``sha256``: of its file."""
        decision, restore = self.about["decision"], self.about["restore"]
        weights = self.weights(sha256)
        answer: Any = self.answer(self.channels_first(image, axes), weights)
        members = [m["name"] for m, n in zip(self.about["members"], weights, strict=True) if n]
        masks = None if self._kind == "restore" else decide(answer, decision)
        if masks is None and decision["store"] == "uint8":
            levels = np.clip(answer, 0, 1) * np.float32(255)
            answer = (levels if decision["whole"] == "truncate" else np.rint(levels)).astype("u1")
        elif masks is None:
            answer = answer * np.float32(restore["span"]) + np.float32(restore["offset"])
        return Result(tuple(self.about["task"]["names"]), answer, masks, tuple(members))

    def weights(self, sha256: str = "") -> list[float]:
        """Return the weight of each member for a file: 0 where it trained on it and others not."""
        known: list[float] = self.about.get("known", {}).get(sha256, [])
        return known if any(known) else [member["weight"] for member in self.about["members"]]

    def channels_first(self, image: Any, axes: str | None = None) -> NDArray[Any]:
        """Return an image as (C, H, W), checked, its values as the networks learnt them."""
        array, channels = np.asarray(image), self.about["input"]["channels"]
        if array.dtype.kind not in "uif" or array.size == 0 or array.ndim not in (2, 3):
            raise PipelineError(f"no image of 2 or 3 axes of numbers: {array.dtype} {array.shape}")
        ends = {"yxc": array.shape[-1], "cyx": array.shape[0]}
        found = ["yx"] if array.ndim == 2 else [a for a, n in ends.items() if n == channels]
        axes = axes or (found[0] if len(found) == 1 else None)
        if axes not in ("yx", "yxc", "cyx") or len(axes) != array.ndim:
            raise PipelineError(f"axes is {axes}, shape {array.shape}; name them: yx, yxc or cyx")
        array = array.transpose([axes.index(axis) for axis in "cyx" if axis in axes])
        array = array[None] if array.ndim == 2 else array
        if len(array) == 1 or (channels == 1 and (array == array[:1]).all()):  # it is grey
            array = np.repeat(array[:1], channels, axis=0)
        if len(array) != channels or not np.isfinite(array).all():
            raise PipelineError(f"{len(array)} channels, not {channels}; or NaN or infinity in it")
        return as_learnt(array, self.about["input"]["learnt"])

    def answer(self, image: NDArray[Any], weights: Sequence[float] = ()) -> NDArray[np.float32]:
        """Return the mean of the members (K, H, W) for (C, H, W) of ``channels_first``."""
        means, weights = self._means, weights or self.weights()
        power, total = means["power"], np.zeros((), np.float32)
        for number in np.flatnonzero(weights).tolist():
            own: NDArray[Any] = self._of_member(number, image)
            if means["tiles"] == "logit" and means["members"] != "logit":
                own = self._activate(own)
            curves = self.about["members"][number]["calibration"]
            own = self._calibrated(own, curves) if curves else own
            if self.about["rounding"] == "uint8":
                own = np.trunc(np.clip(own * 255, 0, 255)) / np.float32(255)
            total = total + own**power * np.float32(weights[number] / sum(weights))
        if means["members"] == "logit":
            total = self._activate(total)
        if power > 1:
            total = np.maximum(total, 0) ** np.float32(1 / power)
            total = total / total.sum(0, keepdims=True) if self._kind == "multiclass" else total
        if not np.isfinite(total).all():
            raise PipelineError("the answer is not finite; the image is too far from the training")
        return np.asarray(total, np.float32)

    def _of_member(self, number: int, image: NDArray[Any]) -> NDArray[np.float32]:
        """Return the weighted mean of a member's tiles, (K, H, W)."""
        member, window = self.about["members"][number], self._windows[number]
        shape, tile = image.shape[1:], member["tile"]
        shift, factor = _factors(image, member["normalise"])
        places, weight = list(_places(shape, member)), np.zeros(shape)
        for _, inside, part in places:
            weight[inside] += window[part]
        border = "zero" if member["placement"] == "beyond" else member["border"]
        total = np.zeros((len(self.about["task"]["names"]), *shape), np.float32)
        for first in range(0, len(places), self._batch):
            some = places[first : first + self._batch]
            tiles = np.stack([_padded(image, place, tile, border) for place, _, _ in some])
            seen = (tiles.astype(np.float32) - shift) * factor
            for (_, inside, part), answer in zip(some, self._views(number, seen), strict=True):
                share = (window[part] / weight[inside]).astype(np.float32)
                total[:, *inside] += answer[:, *part] * share
        return total

    def _views(self, number: int, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mean over views, (B, K, h, w)."""
        total: Any = 0.0
        activate = self._activate if self._means["views"] == "probability" else np.asarray
        for view in self.about["members"][number]["views"]:
            axes = tuple(a for a, on in ((-2, "flip_rows"), (-1, "flip_columns")) if view[on])
            seen = tiles.swapaxes(-2, -1) if view["transpose"] else tiles
            logits = self._networks[number](np.ascontiguousarray(np.flip(seen, axes)))
            answer = np.flip(activate(logits), axes)
            answer = answer.swapaxes(-2, -1) if view["transpose"] else answer
            total = total + answer * np.float32(view["weight"])
        late = self._means["views"] == "logit" and self._means["tiles"] == "probability"
        return np.asarray(self._activate(total) if late else total, np.float32)

    def _activate(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities of logits, classes along the third axis from the end."""
        if self._kind == "restore":
            return logits
        if self._kind == "multiclass":
            powers = np.exp(logits - logits.max(-3, keepdims=True))
            return np.asarray(powers / powers.sum(-3, keepdims=True))
        return np.asarray(np.exp(-np.logaddexp(np.float32(0), -logits)))

    def _calibrated(self, own: NDArray[Any], curves: Sequence[dict[str, Any]]) -> NDArray[Any]:
        """Return the answer of a member after its calibration."""
        logits, exclusive = self._means["members"] == "logit", self._kind == "multiclass"
        prob = (self._activate(own) if logits else own).astype(np.float64)
        for k, curve in enumerate(curves):
            if curve["knots"]:
                prob[k] = np.interp(prob[k], *np.asarray(curve["knots"], np.float64).T)
            elif (curve["slope"], curve["shift"]) != (1, 0):
                held = np.clip(prob[k], 2.0**-25, 1 - 2.0**-12)
                logit = np.log(held) - np.log1p(-held)
                prob[k] = 1 / (1 + np.exp(-(curve["slope"] * logit + curve["shift"])))
        if exclusive:
            prob /= np.maximum(prob.sum(0, keepdims=True), 1e-30)
        if logits:
            held = np.clip(prob, 2.0**-12, None if exclusive else 1 - 2.0**-12)
            prob = np.log(held) - (0 if exclusive else np.log1p(-held))
        return prob.astype(np.float32)


def open_network(path: Path, threads: int = 0) -> Callable[[NDArray[np.float32]], NDArray[Any]]:
    """Return what maps tiles (B, C, h, w) to logits (B, K, h, w), of an ONNX or a .pt2 file."""
    if path.suffix == ".pt2":
        import torch

        torch.set_num_threads(threads or torch.get_num_threads())
        module = torch.export.load(path).module()
        return torch.inference_mode()(lambda tiles: module(torch.from_numpy(tiles)).numpy())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda tiles: session.run(["logits"], {"tile": tiles})[0]


def decide(prob: NDArray[Any], decision: dict[str, Any]) -> NDArray[np.bool_]:
    """Return masks (K, H, W) of probabilities."""
    if decision["kind"] == "argmax":
        return np.asarray(prob.argmax(0) == np.arange(len(prob))[:, None, None])
    masks = np.zeros(prob.shape, np.bool_)
    for k, numbers in enumerate(decision["classes"]):
        mask, sure = (prob[k] > np.float32(numbers[key]) for key in ("threshold", "sure"))
        masks[k] = mask & (np.count_nonzero(sure) >= numbers["sure_pixels"])
        if numbers["sure_in_component"] > 0:
            labels = components(masks[k])
            many = np.bincount(labels[sure & mask], minlength=int(labels.max()) + 1)
            masks[k] &= many[labels] >= numbers["sure_in_component"]
    shared = np.count_nonzero(masks, axis=0) > 1
    if decision["overlap"] == "largest" and shared.any():
        parts = [components(mask) for mask in masks]
        sizes = [np.where(a > 0, np.bincount(a.ravel())[a], 0)[shared] for a in parts]
        last = len(masks) - 1 - np.stack(sizes)[::-1].argmax(axis=0)
        masks[:, shared] = last == np.arange(len(masks))[:, None]
    for mask, numbers in zip(masks, decision["classes"], strict=True):
        mask &= np.count_nonzero(mask) >= numbers["min_area"]
    return masks


def components(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number components (8 neighbours) from 1, 0 outside: runs of pixels in rows, joined."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, starts), stops = np.nonzero(edges == 1), np.nonzero(edges == -1)[1]
    wide = mask.shape[1] + 2
    first = np.searchsorted(rows * wide + stops, (rows + 1) * wide + starts, "left")
    beyond = np.searchsorted(rows * wide + starts, (rows + 1) * wide + stops, "right")
    many = np.maximum(beyond - first, 0)
    upper = np.repeat(np.arange(len(rows)), many)
    lower = np.arange(many.sum()) + np.repeat(first - np.cumsum(many) + many, many)
    root = np.arange(len(rows))
    while (root[upper] != root[lower]).any():
        pairs = np.stack([root[upper], root[lower]])
        np.minimum.at(root, pairs.ravel(), np.tile(pairs.min(axis=0), 2))
        while (root[root] != root).any():
            root = root[root]
    labels = np.zeros(mask.shape, np.int64)
    numbers = np.unique(root, return_inverse=True)[1].ravel() + 1
    labels[mask] = np.repeat(numbers, stops - starts)
    return labels


def as_learnt(image: NDArray[Any], learnt: dict[str, Any] | None) -> NDArray[Any]:
    """Return an image in type and scale of the training images: exactly, or not at all."""
    if learnt is None or not image.any():
        return image
    values, types, scale = image.astype(np.float64), learnt["types"], learnt["scale"]
    low, high = values.min(), values.max()
    found, alike = _scale_of(values, image.dtype.kind == "f"), str(image.dtype) in types
    if scale and found and (found != scale or not alike):
        levels = np.rint(values / _FACTORS[found])
        return (levels / 255 if scale == "over_255" else levels * _FACTORS[scale]).astype(types[0])
    most, usual = max(abs(low), abs(high)), max(abs(learnt["low"]), abs(learnt["high"]))
    other = most > 16 * usual or (most < usual / 64 and low != high)
    with np.errstate(invalid="ignore", over="ignore"):
        exact = [t for t in types if (image.astype(t).astype(np.float64) == values).all()]
    if (other and not (alike and image.dtype.itemsize == 1)) or not (alike or exact):
        right = f"{' or '.join(types)} of {learnt['low']:g} to {learnt['high']:g}"
        raise PipelineError(f"it holds {image.dtype} of {low:g} to {high:g}; save it as {right}")
    return image if alike else image.astype(exact[0])


def _scale_of(values: NDArray[np.float64], floats: bool) -> str | None:
    """Return how levels of 8 bits are stored in an array; None: it holds others."""
    unit = floats and values.max() <= 1
    for scale in ("over_255",) if unit else ("whole", "times_257"):
        levels = values * 255 if unit else values / _FACTORS[scale]
        whole = np.rint(levels)
        near = np.abs(levels - whole).max() <= (0.01 if unit else 0)
        if near and 0 <= whole.min() <= whole.max() <= 255:
            return scale
    return None


def _factors(image: NDArray[Any], normalise: dict[str, Any]) -> tuple[Any, Any]:
    """Return shift and factor, (1 or C, 1, 1) float32: x becomes (x - shift) * factor."""
    shift, factor = normalise.get("shift"), normalise.get("factor")
    if normalise["kind"] == "case":
        low, high = np.percentile(image, [normalise["low"], normalise["high"]]).tolist()
        if normalise["how"] == "standard":
            low, high = (image.mean(dtype="f8") + n * image.std(dtype="f8") for n in (0, 1))
        shift, factor = [low], [1 / (high - low) if high > low else 0]
    return np.array(shift, "f4")[:, None, None], np.array(factor, "f4")[:, None, None]


def _places(shape: Sequence[int], member: dict[str, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Yield of every tile its place, where it lies in the image, and what part of it does."""
    along, tile = [], member["tile"]
    for extent, size, step in zip(shape, tile, member["step"], strict=True):
        starts = [*range(0, extent - size, step), extent - size]
        if member["placement"] == "beyond":
            starts = list(range(0, -(-max(extent - size, 0) // step) * step + 1, step))
        elif extent < size:
            starts = [-((size - extent) // 2) if member["pad"] == "around" else 0]
        along.append(starts)
    for place in ((row, column) for row in along[0] for column in along[1]):
        ends = [(max(a, 0), min(a + t, n)) for a, t, n in zip(place, tile, shape, strict=True)]
        part = tuple(slice(b - a, e - a) for a, (b, e) in zip(place, ends, strict=True))
        yield place, tuple(slice(*end) for end in ends), part


def _padded(image: NDArray[Any], place: Sequence[int], tile: Sequence[int], border: str) -> Any:
    """Return the pixels of a tile; beyond the image mirrored without the edge, or 0."""
    for axis, (start, size) in enumerate(zip(place, tile, strict=True), start=1):
        at, extent = np.arange(start, start + size), image.shape[axis]
        period = max(2 * (extent - 1), 1)
        image = image.take(np.minimum(at % period, period - at % period) % extent, axis=axis)
        if border == "zero":
            image.swapaxes(axis, -1)[..., (at < 0) | (at >= extent)] = 0
    return image


def read_pipeline(path: Path) -> dict[str, Any]:
    """Return pipeline.json; keys that are unknown or missing are refused."""
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise PipelineError(f"its format is {about['format']}, not {FORMAT}")
        parts = [("top", about | {"known": {}}), (about["decision"]["kind"], about["decision"])]
        parts += [(name, about[name]) for name in ("task", "input", "means", "restore")]
        parts += [("learnt", about["input"]["learnt"])]
        parts += [("class", numbers) for numbers in about["decision"].get("classes", [])]
        for member in about["members"]:
            parts += [("member", member), (member["normalise"]["kind"], member["normalise"])]
            parts += [("view", view) for view in member["views"]]
            parts += [("curve", curve) for curve in member["calibration"]]
        for name, values in parts:
            wrong = set() if values is None else set(KEYS[name].split()) ^ set(values)
            if wrong:
                raise PipelineError(f"unknown or missing: {', '.join(sorted(wrong))} of {name}")
        if any(len(own) != len(about["members"]) for own in about.get("known", {}).values()):
            raise PipelineError("known has not a weight for each member")
    except (KeyError, OSError, ValueError, TypeError) as error:
        raise PipelineError(f"{path}: cannot be used: {error}") from error
    return about


def read_image(path: Path) -> NDArray[Any]:
    """Return the pixels of a file as stored, (H, W) or (H, W, 3), or the array of an npy file."""
    if path.suffix == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        if picture.mode not in ("L", "RGB", "I;16", "F") or getattr(picture, "n_frames", 1) != 1:
            raise PipelineError(f"{path}: is of mode {picture.mode}; save one grey or RGB image")
        return np.asarray(ImageOps.exif_transpose(picture))


def write(path: Path, values: NDArray[Any], *, exclusive: bool) -> None:
    """Write (K, H, W) to npy; as a picture one plane, or the numbers of exclusive classes."""
    if values.dtype == np.bool_ and path.suffix != ".npy":
        values = (values.argmax(0)[None] if exclusive else values * 255).astype(np.uint8)
    if path.suffix == ".npy":
        np.save(path, values)
    elif len(values) > 1 or (values.dtype != np.uint8 and path.suffix != ".tif"):
        raise PipelineError(f"{path}: {len(values)} planes of {values.dtype}; write .npy or .tif")
    else:
        from PIL import Image

        Image.fromarray(values[0]).save(path)


def main() -> None:
    """Predict one image and write its masks, or its restored values."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("image", type=Path, help="PNG, JPEG, TIFF or NPY, as the training images")
    parser.add_argument("--out", type=Path, required=True, help="PNG, TIFF or NPY")
    parser.add_argument("--probabilities", type=Path, help="NPY, (classes, rows, columns) float32")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as there are cores")
    given = parser.parse_args()
    try:
        pipeline = Pipeline(Path(__file__).parent, threads=given.threads)
        sha256 = hashlib.sha256(given.image.read_bytes()).hexdigest()
        result = pipeline(read_image(given.image), sha256=sha256)
        if given.probabilities:
            np.save(given.probabilities, result.probabilities)
        found = result.probabilities if result.masks is None else result.masks
        write(given.out, found, exclusive=pipeline.about["task"]["kind"] == "multiclass")
        seen = pipeline.about.get("known", {}).get(sha256, [1])
        by = ", ".join(result.members) + ("" if any(seen) else ", which all trained on it")
        print(f"wrote {given.out}, predicted by {by}")
    except (PipelineError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
