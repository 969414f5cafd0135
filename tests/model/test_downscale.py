"""A shrunken network against pooling and enlarging by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from lamina.model.downscale import at_size, shrink
from lamina.model.networks import Smp


def test_a_network_sees_means_and_answers_at_full_size() -> None:
    network = nn.Conv2d(1, 2, 1)
    x = torch.rand(1, 1, 8, 12)
    small = network(functional.avg_pool2d(x, 2))
    wanted = functional.interpolate(small, (8, 12), mode="bilinear", align_corners=False)
    shrink(network.eval(), 2)
    torch.testing.assert_close(network(x), wanted)
    torch.testing.assert_close(network.train()(x), small)  # it learns at the small size


def test_names_of_weights_stay_and_sizes_are_kept() -> None:
    plain = Smp(kind="unet", encoder="resnet18")
    small = Smp(kind="unet", encoder="resnet18", shrink=2)
    assert small.multiple == 2 * plain.multiple
    network = small.build(1, 3).eval()
    assert network.state_dict().keys() == plain.build(1, 3).state_dict().keys()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 64, 128)).shape == (1, 3, 64, 128)


def test_targets_become_shares_and_half_counted_squares_do_not_count() -> None:
    target = torch.tensor([[1.0, 0, 1, 1], [0, 0, 1, 1]])[None, None]
    valid = torch.tensor([[1.0, 1, 1, 0], [1, 1, 1, 1]])[None, None]
    small, counts = at_size(torch.zeros(1, 1, 1, 2), target, valid)
    assert small.flatten().tolist() == [0.25, 1.0]
    assert counts.flatten().tolist() == [1.0, 0.0]
