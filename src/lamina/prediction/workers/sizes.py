"""How many tiles pass a network at once, and what slabs may hold, for all workers alike."""

from __future__ import annotations

from collections.abc import Sequence

from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.tiling.memory import LARGEST_BATCH
from lamina.prediction.workers.pool_of import Processes
from lamina.volume import Volume


def sizes(
    loaded: LoadedMembers,
    volumes: Sequence[Volume],
    processes: Processes,
    memory: int | None,
    wanted: int | None,
) -> tuple[int, int | None]:
    """Return the tiles per forward pass, and the bytes for slabs of volumes; None: as usual.

    Args:
        loaded: The members; their networks are measured here, unless a cluster predicts.
        volumes: All that will be predicted.
        processes: Those that predict.
        memory: Bytes that each of them may hold; None: a share of what is free here.
        wanted: Tiles that are asked for; None: nobody asks.

    Raises:
        ResourceError: not even one tile fits, or not as many as are wanted.
    """
    if processes.client is not None:
        return wanted or LARGEST_BATCH, None if memory is None else memory // 2
    count = max(processes.count, 1)
    batch = loaded.batch_size(volumes, memory, wanted, processes=count)
    if all(len(volume.axes) == 2 for volume in volumes):
        return batch, None
    return batch, loaded.slab_memory(memory, batch, processes=count)
