"""Damages the samples of one target again and again, under limits of time and memory.

``run`` is what a process does: a row of JSON on standard output for each damage. The process dies
where a damage makes the reader hang or crash; the row of that damage is missing then, and whoever
started it goes on with the next.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import pickle
import re
import resource
import sys
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lamina.errors import LaminaError
from tests.fuzz.faulty import FAULTY
from tests.fuzz.mutations import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

MEMORY = 2**30
"""Bytes that a damaged file may cost beyond what the process had."""
SECONDS = "10"
"""A file that takes longer is a hang; ``LAMINA_FUZZ_SECONDS`` says otherwise."""
_NO_MEMORY = re.compile(r"MemoryError|(un|not )able to allocate|insufficient memory|"
                        r"(can't|cannot|not) allocate|out of memory", re.IGNORECASE)  # fmt: skip


def fingerprint(value: Any) -> str:
    """Return a digest that is equal for equal data."""
    return hashlib.sha256(pickle.dumps(value)).hexdigest()


def judge(target: Target, sample: Path, sound: set[str]) -> dict[str, str]:
    """Return what reading a damaged sample gave, and why where it is a fault."""
    try:
        same = fingerprint(target.load(sample)) in sound
    except LaminaError as error:
        return _refused(error, sample)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is a fault
        return {"outcome": "raised", "why": "".join(traceback.format_exception(error))[-3000:]}
    if same:
        return {"outcome": "same"}
    return {"outcome": "unnoticed" if target.checked else "other"}


def _refused(error: LaminaError, sample: Path) -> dict[str, str]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and len(chain) < 20:
        chain.append(link)
        link = link.__cause__ or link.__context__
    said = " ".join(f"{type(link).__name__}: {link}" for link in chain)
    if _NO_MEMORY.search(said):
        return {"outcome": "memory", "why": said[:2000]}
    if str(sample) not in str(error) and not str(error).startswith("/"):
        return {"outcome": "no place", "why": f"{type(error).__name__}: {error}"[:2000]}
    return {"outcome": "refused", "why": type(error).__name__}


def run(
    environment: Mapping[str, str],
    said: Path,
    errors: Path,
    arguments: tuple[str, Path, int, int, int],
) -> None:
    """Damage samples in a process of its own, with the environment and the files named."""
    os.environ.update(environment)
    for path, stream in ((said, sys.stdout), (errors, sys.stderr)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), stream.fileno())
    damage(*arguments)


def damage(name: str, folder: Path, first: int, last: int, seed: int) -> None:
    """Damage the samples of a target and print what came of it."""
    seconds = float(os.environ.get("LAMINA_FUZZ_SECONDS", SECONDS))
    faulthandler.enable()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    target = FAULTY if name == FAULTY.name else TARGETS[name]
    samples = sorted(path for path in folder.iterdir() if path.is_dir())
    sound = {fingerprint(target.load(sample)) for sample in samples}
    files = {
        sample: sorted({p for glob in target.damaged for p in sample.glob(glob) if p.is_file()})
        for sample in samples
    }
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = used * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for number in range(first, last):
        draw = np.random.default_rng([seed, number])
        sample, other = (samples[draw.integers(len(samples))] for _ in range(2))
        path = files[sample][draw.integers(len(files[sample]))]
        donor = files[other][draw.integers(len(files[other]))].read_bytes()
        data = path.read_bytes()
        kind, damaged = mutated(data, donor, draw)
        path.unlink()  # a new file each time: an old one may still be mapped into memory
        path.write_bytes(damaged)
        faulthandler.dump_traceback_later(seconds, exit=True)
        row = judge(target, sample, sound)
        faulthandler.cancel_dump_traceback_later()
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        said = {"number": number, "kind": kind, "file": str(path), **row}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
