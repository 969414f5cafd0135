"""The network."""

from __future__ import annotations

from typing import Any

from lamina.model.networks.strides import strides_of
from lamina.plan.rules.base import Setting, Situation
from lamina.plan.rules.blocks import spacing_of

_LEAST, _MOST = 0.01, 0.3  # of the prior
_CPU_BLOCKS, _BLOCKS = (1, 1, 1, 1), (1, 3, 4, 6, 6, 6)  # residual blocks of each level


def network(now: Situation) -> list[Setting]:
    """Return the network, trained from scratch."""
    if now.blocks:
        return _of_blocks(now)
    if now.restores:
        return _restoring(now)
    if now.layered:
        return [_fusing(now)]
    if now.on_cpu:
        said = "fast on CPUs; published weights need --online"
    else:
        said = "published weights need --online"
    encoder = "resnet18" if now.on_cpu else "resnet34"
    small = min(now.settled["frame.size"]) < 128
    shrink = now.shrink
    channels = [128, 64, 32, 16] if small or shrink > 1 else [128, 64, 32, 16, 16]
    decoder: dict[str, Any] = {"decoder_channels": channels}
    if len(channels) < 5:
        decoder = {"encoder_depth": len(channels)} | decoder
    found = [
        Setting("network.kind", "unet", "segmentation from few cases"),
        Setting("network.encoder", encoder, said, "resnet50 would take three times the time"),
        Setting("network.weights", "none", "trained from scratch"),
        Setting("network.decoder", decoder, "small crops" if small else "half its usual width"),
        Setting("network.prior", _prior(now), _prior_why(now)),
    ]
    if shrink > 1:
        width = now.facts.classes.width if now.facts.classes else 0
        said = f"objects are {width:.0f} pixels wide: half the resolution shows them at a quarter"
        found.append(Setting("network.shrink", shrink, f"{said} of the work"))
    if now.facts.task["kind"] == "multilabel":
        found.append(Setting("network.dropout", 0.1, "several classes learnt from few cases"))
    elif now.overfits:
        found.append(Setting("network.dropout", 0.2, now.overfits_why))
    return found


def _of_blocks(now: Situation) -> list[Setting]:
    spacing, most = spacing_of(now), _CPU_BLOCKS if now.on_cpu else _BLOCKS
    levels = len(strides_of(now.settled["frame.size"], spacing, len(most)))
    told = f"{levels} levels: sides are halved down to 4, coarse axes last"
    width = 12 if now.on_cpu else 32
    found = [
        Setting("network.kind", "resunet", "blocks of voxels", "swinunetr needs more cases"),
        Setting("network.width", width, "a CPU" if now.on_cpu else "nnU-Net's width"),
        Setting("network.blocks", list(most[:levels]), told),
        Setting("network.spacing", spacing, "distances of voxels along z, y and x"),
    ]
    if now.restores:
        return [*found, Setting("network.residual", True, "finds the noise and subtracts it")]
    return [
        *found,
        Setting("network.supervision", True, "every level answers in training"),
        Setting("network.prior", _prior(now), _prior_why(now)),
    ]


def _prior(now: Situation) -> float:
    shares = now.facts.classes.shares if now.facts.classes is not None else ()
    share = sum(shares) / len(shares) if shares else 0.05
    return float(f"{min(max(share, _LEAST), _MOST):.1g}")


def _prior_why(now: Situation) -> str:
    shares = now.facts.classes.shares if now.facts.classes is not None else ()
    return f"classes cover {', '.join(f'{share:.2%}' for share in shares)} of the pixels"


def _fusing(now: Situation) -> Setting:
    see = now.settled.get("frame.depth", {}).get("see", now.facts.channels)
    window = 6 if see % 6 == 0 else see
    inner = {
        "kind": "unet",
        "encoder": "tu-resnet10t" if now.on_cpu else "resnet18",
        "weights": "none",
        "decoder": {"encoder_depth": 4, "decoder_channels": [64, 48, 32, 8]},
    }
    value = {
        "kind": "slice_fusion",
        "window": window,
        "step": window,
        "aggregate": "conv",
        "network": inner,
    }
    return Setting("network", value, f"{see} layers, {window} at a time, then joined")


def _restoring(now: Situation) -> list[Setting]:
    if now.facts.data["kind"] == "corrupt" or not now.facts.deep:
        value = {"kind": "drunet", "widths": [64, 128], "blocks": 4, "unshuffle": 2}
        return [Setting("network", value, "keeps the finest grain of its input")]
    value = {
        "kind": "pixel_shuffle",
        "encoder": "resnet18",
        "weights": "none",
        "filters": [16, 16, 32, 64, 128],
        "residual": True,
    }
    return [Setting("network", value, "finds the noise and subtracts it")]
