"""A shrunken network against pooling and enlarging by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lamina.model.downscale import at_size, shrink
from lamina.model.networks import Smp


@pytest.mark.parametrize(("sides", "factors"), [((8, 12), (2, 2)), ((4, 8, 12), (1, 2, 3))])
def test_a_network_sees_means_and_answers_at_full_size(
    sides: tuple[int, ...], factors: tuple[int, ...]
) -> None:
    planar = len(sides) == 2
    network = nn.Conv2d(1, 2, 1) if planar else nn.Conv3d(1, 2, 1)
    means = functional.avg_pool2d if planar else functional.avg_pool3d
    x = torch.rand(1, 1, *sides)
    small = network(means(x, factors))
    mode = "bilinear" if planar else "trilinear"
    wanted = functional.interpolate(small, sides, mode=mode, align_corners=False)
    shrink(network.eval(), factors)
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


def test_every_axis_has_a_factor_of_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(0, 2, (2, 3, 4, 8, 12), generator=generator).float()
    valid = (torch.rand(2, 1, 4, 8, 12, generator=generator) < 0.9).float()
    small, counts = at_size(torch.zeros(2, 3, 4, 4, 3), target, valid)
    boxes = target.reshape(2, 3, 4, 1, 4, 2, 3, 4)
    torch.testing.assert_close(small, boxes.mean((3, 5, 7)))
    assert torch.equal(counts, valid.reshape(2, 1, 4, 1, 4, 2, 3, 4).amin((3, 5, 7)))


def test_sides_that_do_not_divide_are_refused() -> None:
    ones = torch.ones(1, 1, 4, 6)
    with pytest.raises(ValueError, match="no multiples"):
        at_size(torch.zeros(1, 1, 4, 4), ones, ones)
