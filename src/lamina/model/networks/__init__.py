"""Networks. To add one: write its file here, then name it in the line below."""

from __future__ import annotations

from lamina.model.networks.base import Network
from lamina.model.networks.smp import Smp

AnyNetwork = Smp

__all__ = ["AnyNetwork", "Network", "Smp"]
