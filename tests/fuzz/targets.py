"""Every target by its name."""

from __future__ import annotations

from tests.fuzz.annotations import ANNOTATIONS
from tests.fuzz.loaders import LOADERS
from tests.fuzz.readers import READERS

TARGETS = {target.name: target for target in (*READERS, *ANNOTATIONS, *LOADERS)}
