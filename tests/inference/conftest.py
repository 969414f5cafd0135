"""What tests of loaded models share: exports of small bundles."""

from __future__ import annotations

from tests.deployment.conftest import exported as exported
