"""Running statistics of several ranks are those of one process that saw all batches."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lamina.training.stage.steps.running_statistics import RunningStatistics


def network() -> nn.Sequential:
    norms = nn.BatchNorm2d(3), nn.BatchNorm2d(3, momentum=0.4)
    return nn.Sequential(*norms, nn.InstanceNorm2d(3), nn.GroupNorm(1, 3))


@pytest.mark.parametrize("ranges", [(2, 1), (1, 1, 1), (3, 0), (0, 2)])
def test_the_batches_of_ranks_count_as_if_one_process_had_seen_them(
    ranges: tuple[int, ...],
) -> None:
    chance = torch.Generator().manual_seed(0)
    batches = [torch.randn(2, 3, 4, 4, generator=chance) * (n + 1) + n for n in range(sum(ranges))]
    begun = network()
    begun(torch.randn(2, 3, 4, 4, generator=chance))  # statistics that are not the first ones
    one = network()
    one.load_state_dict(begun.state_dict())
    for batch in batches:
        one(batch)
    ranks, changes, first = [], [], 0
    for count in ranges:
        rank = network()
        rank.load_state_dict(begun.state_dict())
        running = RunningStatistics(rank)
        for batch in batches[first : first + count]:
            rank(batch)
        first += count
        ranks.append((rank, running))
        changes.append(running.changes())
    for rank, running in ranks:
        running.put(torch.stack(changes))
        for name, value in one.state_dict().items():
            torch.testing.assert_close(rank.state_dict()[name], value, rtol=0, atol=2e-6)


def test_norms_that_learn_nothing_are_left_alone() -> None:
    frozen = network().eval()
    assert not RunningStatistics(frozen)
    assert not RunningStatistics(nn.Conv2d(1, 1, 1))
