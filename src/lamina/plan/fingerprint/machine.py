"""What the machine can do."""

from __future__ import annotations

from lamina.plan.fingerprint.facts import Machine


def machine_of(device: str, memory: int | None) -> Machine:
    """Return the machine as it is, or as far as it may be used.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        memory: Bytes that training may use; None: those that are free.

    Raises:
        RecipeError: there is no such device.
    """
    import torch

    from lamina.machine.cores import allowed_cores
    from lamina.prediction.tiling.memory import available_memory
    from lamina.prediction.tiling.precision import choose, choose_device

    where = choose_device(device)
    if memory is None:
        free = available_memory()
        memory = torch.cuda.mem_get_info(where)[0] if where.type == "cuda" else free
    return Machine(
        device=where.type,
        memory=memory,
        cores=allowed_cores(),
        fast_bfloat16=choose("auto", where) is not None,
    )
