"""A loader that is wrong in a way that the environment names, to test the fuzzer itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from lamina.errors import DataError
from tests.fuzz.target import Target

_SOUND = b"sound"


def _make(folder: Path) -> None:
    (folder / "0").mkdir()
    (folder / "0" / "a").write_bytes(_SOUND)


def _load(sample: Path) -> Any:
    if (sample / "a").read_bytes() == _SOUND:
        return 0
    how = os.environ["LAMINA_FUZZ_FAULT"]
    if how == "hangs":
        time.sleep(60)
    elif how == "crashes":
        os.abort()
    elif how == "takes memory":
        try:
            np.zeros(2**31, np.uint8)
        except MemoryError as error:
            raise DataError(f"{sample}: damaged ({error})") from error
    elif how == "raises":
        raise ValueError("no LaminaError")
    elif how == "names no file":
        raise DataError("damaged")
    return 1


FAULTY = Target("faulty", _make, _load, checked=True)
