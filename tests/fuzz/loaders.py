"""Small valid samples of lamina's own files, and of recipes and tables that people write."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lamina.files import digest, sealed, write_json, write_text
from tests.fuzz.target import Target

_RECIPE = """
# A recipe as people write it.
name: "tiny"
extends: folder-laptop
task: {kind: multilabel, names: [dot, line]}
data:
  kind: folder
  images: images
frame: {size: [32, 32], channels: 1, normalise: {kind: fixed, mean: 0.4, std: 0.2}}
loss:
  - {kind: bce, weight: 2.5}
  - kind: dice
transforms: [{kind: flip, p: 0.5}]
train: {epochs: 3, batch: 4, optimizer: {kind: adamw, lr: 3e-3}}
"""


def _recipe(**changes: Any) -> Any:
    from tests.factories.bundles import Maker

    return Maker().recipe(**changes)


def _arrays(tensors: Any) -> Any:
    return {name: (str(t.dtype), t.numpy().tobytes()) for name, t in sorted(tensors.items())}


def _make_bundles(folder: Path, *, zipped: bool) -> None:
    from lamina.bundle import KnownCase
    from tests.factories.bundles import Maker

    cases = {"a.png": KnownCase(sha256=("ab" * 32,), fold=0)}
    for seed in range(2):
        bundle = Maker().bundle(cases, seed=seed)
        place = folder / str(seed)
        place.mkdir()
        if zipped:
            bundle.write_zip(place / "bundle.zip")
        else:
            bundle.save(place / "bundle")


def _load_bundle(sample: Path) -> Any:
    from lamina.bundle import Bundle

    (path,) = sample.iterdir()
    bundle = Bundle.load(path)
    weights = [_arrays(bundle.weights(number)) for number in range(len(bundle.members))]
    index = bundle.index.model_dump_json()
    return index, weights, bundle.digest()


def _make_predictions(folder: Path) -> None:
    from tests.factories.predictions import write_predictions

    draw = np.random.default_rng(0)
    recipe = _recipe()
    small = {"a": draw.random((2, 9, 11)), "b/c": draw.random((2, 8, 8))}
    write_predictions(folder / "0", recipe, small)
    write_predictions(folder / "1", recipe, {"v": draw.random((2, 5, 6, 7))})


def _load_predictions(sample: Path) -> Any:
    from lamina.prediction.folder.predictions import Predictions

    predictions = Predictions.open(sample)
    read = [predictions.info.model_dump_json()]
    for case in predictions.ids:
        values = np.asarray(predictions.prob(case))
        masks = predictions.stored_mask(case)
        read += [case, values.shape, values.tobytes(), masks.shape, masks.tobytes()]
        read += [predictions.finished(case), predictions.mask(case).tobytes()]
    return read


def _make_states(folder: Path) -> None:
    import torch

    from lamina.training.saving.state import KeptCheckpoint, Position, TrainState, save_state

    kept = KeptCheckpoint(0.5, 1, "epoch-0001.safetensors", "ab" * 32, "first")
    for saves in (1, 2):
        (folder / str(saves)).mkdir()
        for number in range(1, saves + 1):
            position = Position(stage=1, epoch=2, batch=3, step=number, kept=[kept])
            position.members["first"] = [kept]
            position.optimizer["0.step"] = 3.0
            tensors = {
                "network/w": torch.full((2, 3), float(number)),
                "random/torch": torch.ones(4),
            }
            save_state(folder / str(saves), TrainState(position, tensors), number=number)


def _load_state(sample: Path) -> Any:
    from lamina.training.saving.state import load_state

    state = load_state(sample)
    if state is None:
        return None
    return asdict(state[0].position), _arrays(state[0].tensors), state[1]


def _make_runs(folder: Path) -> None:
    from lamina.recipe.load import resolved_text

    for number, name in enumerate(("tiny", "other")):
        run, recipe = folder / str(number), _recipe(name=name)
        write_json(run / "recipe.json", recipe.model_dump(mode="json"))
        write_text(run / "recipe.resolved.yaml", resolved_text(recipe))
        write_json(run / "env.json", {"python": "3.11", "versions": {"torch": "2"}})
        case = {"id": "a.png", "fold": 0, "group": "a", "axes": "yx", "shape": [9, 11]}
        case |= {"channels": 1, "dtype": "uint8", "classes": "0", "sha256": ["ab" * 32]}
        write_json(run / "data.json", {"root": "gone", "names": ["x"], "cases": [case]})
        write_text(run / "folds.csv", '"case","group","fold"\n"a.png","a",0\n')
        member = {"name": "fold0", "member": "main/a.safetensors", "stage": "main", "score": 0.5}
        write_json(run / "fold0" / "member.json", {"normalise": {}, "members": [member]})
        row = {"stage": "main", "epoch": 0, "loss": 0.5, "seconds": 1.0, "monitor": 0.1}
        write_text(run / "fold0" / "metrics.jsonl", f"{json.dumps(row)}\n" * 3)


def _load_run(sample: Path) -> Any:
    from lamina.data.tables.folds import read_folds
    from lamina.reporting.run_contents import Run
    from lamina.training.run_folder import members_of

    run = Run.open(sample)
    cases = run.cases()
    read = (run.recipe.model_dump_json(), dict(run.data), dict(run.environment), dict(run.rows))
    return (
        *read,
        run.seconds,
        run.text,
        cases,
        members_of(sample / "fold0"),
        read_folds(sample / "folds.csv"),
    )


def _make_recipes(folder: Path) -> None:
    from lamina.recipe.load import resolved_text

    write_text(folder / "0" / "recipe.yaml", _RECIPE)
    write_text(folder / "1" / "recipe.yaml", resolved_text(_recipe()))


def _load_recipe(sample: Path) -> Any:
    from lamina.recipe.load import load_recipe

    return load_recipe(sample / "recipe.yaml").model_dump_json()


def _make_tables(folder: Path) -> None:
    write_text(folder / "0" / "t.csv", '"case","group","fold"\n"a.png","a",0\n"b.png","b;c",1\n')
    write_text(folder / "1" / "t.csv", "\ufeffImageId;fold\r\na.png;0\r\n\r\nb.png;12\r\n")
    write_text(folder / "2" / "t.csv", "id\tfold\nn\u00e4me.png\t3\n")


def _load_table(sample: Path) -> Any:
    from lamina.data.tables.csv import read_table
    from lamina.data.tables.folds import read_folds

    table = read_table(sample / "t.csv")
    return [(row.line, row.cells) for row in table.rows], read_folds(sample / "t.csv")


def _make_codes(folder: Path) -> None:
    from lamina.synthetic.files.png import encode_grey

    severstal = "ImageId_ClassId,EncodedPixels\na.png_1,1 3 9 2\na.png_2,\nb.png_1,20 5\nb.png_2,\n"
    newer = "ImageId,ClassId,EncodedPixels\na.png,1,1 3 9 2\nb.png,2,20 5\n"
    for number, text in enumerate((severstal, newer)):
        for name in ("a.png", "b.png"):
            place = folder / str(number) / "train_images" / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(encode_grey(np.zeros((6, 8), np.uint8)))
        write_text(folder / str(number) / "train.csv", text)


def _load_codes(sample: Path) -> Any:
    from lamina.data.catalogs import CsvRle
    from lamina.task import Task
    from lamina.volume import read_all

    listing = CsvRle().open(sample, Task(kind="multilabel"))
    targets = [(case.id, read_all(case.target).tobytes()) for case in listing.cases if case.target]
    return listing.names, targets, [sorted(case.facts.items()) for case in listing.cases]


def _make_labels(folder: Path) -> None:
    from lamina.synthetic.files.png import encode_grey

    for number in range(2):
        made = folder / str(number)
        set_folder = made / "labels" / "all"
        set_folder.mkdir(parents=True)
        image = made / "x.png"
        image.write_bytes(encode_grey(np.full((2, 3), number, np.uint8)))
        np.save(set_folder / "x.npy", np.full((2, 2, 3), 0.25, np.float16))
        table = write_text(
            set_folder / "train.csv", "ImageId_ClassId,EncodedPixels\nx.png_1,1 2\nx.png_2,6 1\n"
        )
        soft = {"x.png": ["x.npy", digest(set_folder / "x.npy")]}
        index = {
            **{"format": 1, "lamina": "0", "names": ["a", "b"], "bundles": ["00"], "filters": {}},
            "seen": [{"id": "t", "sha256": ["c"], "sets": ["all"]}],
            "images": [{"id": "x.png", "path": str(image), "sha256": digest(image)}],
            "sets": {
                "all": {"members": ["fold0"], "decision": {}, "table": table, "soft": soft},
            },
        }
        write_json(made / "pseudo.json", sealed(index))


def _load_labels(sample: Path) -> Any:
    from lamina.data.targets.pseudo_labels import PseudoLabelFolder
    from lamina.volume import read_all

    labels = PseudoLabelFolder.open(sample)
    read: list[Any] = [labels.index.model_dump_json()]
    for name in labels.index.sets:
        for soft in (False, True):
            cases = labels.cases(name, soft=soft)
            read += [(c.id, read_all(c.target).tobytes()) for c in cases if c.target is not None]
    return read


def _make_weights(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    for number in range(2):
        (folder / str(number)).mkdir()
        tensors = {"conv.weight": torch.full((4, 3), float(number)), "steps": torch.tensor(5)}
        save_file(tensors, folder / str(number) / "w.safetensors")


def _load_weights(sample: Path) -> Any:
    from lamina.model.weights import read

    return _arrays(read(sample / "w.safetensors"))


def _stack(sample: Path) -> Any:
    from lamina.data.flatten import Stack
    from lamina.data.readers import open_volume

    return Stack("a", open_volume(sample / "a.npy", "zyx"))


def _make_curves(folder: Path) -> None:
    layers = np.random.default_rng(0).integers(0, 999, (6, 24, 24)).astype(np.uint16)
    (folder / "0").mkdir()
    np.save(folder / "0" / "a.npy", layers)
    _load_curves(folder / "0")


def _load_curves(sample: Path) -> Any:
    """Curves are measured anew from a damaged file, so that they are always the same."""
    from lamina.data.flatten.cache import kept
    from lamina.data.flatten.depth_profiles import measure

    options = {"tile": 8, "step": 4, "shrink": 2}
    stack = _stack(sample)
    curves = kept(stack, sample / "kept", options, lambda: measure(stack, **options))
    return [a.tobytes() for a in (curves.count, curves.total, curves.ink_count, curves.ink_total)]


LOADERS = (
    Target("bundle", lambda f: _make_bundles(f, zipped=False), _load_bundle, checked=True),
    Target("bundle.zip", lambda f: _make_bundles(f, zipped=True), _load_bundle, checked=True),
    Target(
        "prediction.json",
        _make_predictions,
        _load_predictions,
        checked=True,
        damaged=("prediction.json",),
    ),
    Target("ledger", _make_predictions, _load_predictions, damaged=("ledger.jsonl",)),
    Target(
        "stored answers",
        _make_predictions,
        _load_predictions,
        checked=True,
        damaged=("probabilities/**/*", "masks/*"),
    ),
    Target("run state", _make_states, _load_state, checked=True),
    Target("run folder", _make_runs, _load_run),
    Target("recipe", _make_recipes, _load_recipe),
    Target("table", _make_tables, _load_table),
    Target("run-length codes", _make_codes, _load_codes, damaged=("train.csv",)),
    Target(
        "pseudo labels",
        _make_labels,
        _load_labels,
        checked=True,
        damaged=("pseudo.json", "labels/**/*"),
    ),
    Target("weights", _make_weights, _load_weights),
    Target("curves", _make_curves, _load_curves, checked=True, damaged=("kept/*",)),
)
"""A target for each loader."""
