"""Heads of a decoder's coarser maps: in training alone, each of what its block answers."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from lamina.model.networks import AnyNetwork, Smp
from lamina.model.optimization.optimizers import AdamW

SMALL = {"encoder": "mobilenetv3_small_050", "decoder": {"decoder_channels": [16, 12, 8, 6, 4]}}


@pytest.mark.parametrize("kind", ["unet", "manet", "linknet"])
def test_coarser_maps_answer_in_training_alone(kind: str) -> None:
    options = SMALL if kind != "linknet" else {"encoder": SMALL["encoder"]}
    option = Smp.model_validate({"kind": kind, "supervision": True, "prior": 0.1, **options})
    network = option.build(1, 3)
    x = torch.randn(2, 1, 64, 96)
    blocks = list(network.get_submodule("decoder.blocks").children())
    seen: list[Tensor] = []
    for block in blocks[-2:-5:-1]:
        block.register_forward_hook(lambda _block, _args, features: seen.append(features))
    answers = network.train()(x)
    assert [tuple(one.shape) for one in answers] == [
        (2, 3, 64 >> level, 96 >> level) for level in range(4)
    ]
    heads = network.get_submodule("supervision_heads").children()
    for head, features, answer in zip(heads, seen[::-1], answers[1:], strict=True):
        torch.testing.assert_close(head(features), answer)
        assert torch.sigmoid(head.bias).tolist() == pytest.approx([0.1] * 3)
    grouped = [p for group in AdamW().groups(network) for p in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))
    plain = option.model_copy(update={"supervision": False}).build(1, 3).eval()
    names = plain.state_dict()
    plain.load_state_dict({n: w for n, w in network.state_dict().items() if n in names})
    torch.testing.assert_close(network.eval()(x), plain(x))


def test_a_shrunken_network_learns_at_its_own_sizes() -> None:
    network = Smp.model_validate({"supervision": True, "shrink": 2, **SMALL}).build(1, 1)
    answers = network.train()(torch.zeros(2, 1, 128, 64))
    assert [tuple(one.shape[2:]) for one in answers] == [(64, 32), (32, 16), (16, 8), (8, 4)]
    assert network.eval()(torch.zeros(1, 1, 128, 64)).shape == (1, 1, 128, 64)


def test_it_can_be_checked_without_memory_and_blocks_may_be_recomputed() -> None:
    option = Smp.model_validate({"supervision": True, "checkpointing": True, **SMALL})
    option.check(1, 2)
    answers = option.build(1, 2).train()(torch.zeros(2, 1, 64, 64))
    sum(one.sum() for one in answers).backward()
    assert len(answers) == 4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"kind": "fpn"}, "the decoder of fpn has no map at every half"),
        ({"kind": "unet", "residual": True}, "of full size alone"),
        ({"kind": "slice_fusion", "network": {"supervision": True}}, "several windows have one"),
    ],
)
def test_what_has_no_such_maps_is_refused(options: dict[str, object], says: str) -> None:
    given = options if "network" in options else {**options, "supervision": True}
    with pytest.raises(ValidationError, match=says):
        TypeAdapter(AnyNetwork).validate_python(given)
