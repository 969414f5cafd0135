"""Names of what lies in a run folder, for those who read one without training."""

from __future__ import annotations

BUNDLE = "bundle"
"""The folder of the bundle."""

TUNED = "tune.json"
"""What ``lamina tune`` found."""

QUALITY = "quality.csv"
"""How alike image and target of each pair are."""

OUT_OF_FOLD = "oof"
"""The folder of held-out predictions, below each fold's."""
