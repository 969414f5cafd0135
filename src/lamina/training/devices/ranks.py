"""The processes that share every step of one training.

This is the only module that knows torch.distributed. A process is called a rank. Rank 0, the main
one, writes every file; what only it knows, it tells the others. Gradients go through the group of
the devices (NCCL, or gloo on a CPU), whatever may take long through a second one (gloo), which
waits for a day: a rank that dies is noticed at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch import distributed as dist

from lamina.errors import LaminaError
from lamina.training.devices.failures import Failed, RankLost

T = TypeVar("T")

_STEP = timedelta(minutes=10)
_WAIT = timedelta(hours=24)


@dataclass(frozen=True)
class RankSetup:
    """A place among the processes that a training started itself, on one machine."""

    rank: int
    size: int
    meeting: str
    """A file in which they find each other."""


class Ranks:
    """The ranks of a training, seen from one of them; by itself a process that is alone."""

    def __init__(self, rank: int = 0, size: int = 1, waiting: Any = None) -> None:
        self.rank, self.size = rank, size
        self._waiting = waiting
        self._asked: tuple[Tensor, Any] | None = None

    @property
    def is_main(self) -> bool:
        """Whether this rank writes files."""
        return self.rank == 0

    def on_main(self, act: Callable[[], T]) -> T:
        """Return on every rank what ``act`` returns on the main one, which alone runs it.

        Raises:
            LaminaError: what it raised there, on every rank.
        """
        if self.size == 1:
            return act()
        told: list[Any] = [None]
        raised: Exception | None = None
        if self.is_main:
            try:
                told = [act()]
            except LaminaError as error:
                told, raised = [Failed.of(error)], error
        with _lost():
            dist.broadcast_object_list(told, src=0, group=self._waiting)
        if raised is not None:
            raise raised
        if isinstance(told[0], Failed):
            raise told[0].error()
        return cast("T", told[0])

    def tell(self, value: T) -> T:
        """Return on every rank the value of the main one."""
        return self.on_main(lambda: value)

    def gather(self, value: T) -> list[T]:
        """Return the values of all ranks, in order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with _lost():
            dist.all_gather_object(found, value, group=self._waiting)
        return cast("list[T]", found)

    def gather_on_main(self, value: T) -> list[T]:
        """Return the values of all ranks, in order, on the main rank; nothing on the others."""
        if self.size == 1:
            return [value]
        found: list[Any] | None = [None] * self.size if self.is_main else None
        with _lost():
            dist.gather_object(value, found, dst=0, group=self._waiting)
        return cast("list[T]", found or [])

    def agree(self, values: Sequence[int]) -> list[int]:
        """Return the largest of each value over all ranks, as they were at the call before.

        So nobody waits, and all ranks read the same. Alone: the values themselves.
        """
        if self.size == 1:
            return list(values)
        before = self.settle(len(values))
        mine = torch.tensor(list(values), dtype=torch.int64)
        with _lost():
            work = dist.all_reduce(mine, dist.ReduceOp.MAX, group=self._waiting, async_op=True)
        self._asked = (mine, work)
        return before

    def settle(self, count: int = 0) -> list[int]:
        """Return what the last call of ``agree`` asked for; zeros where it was not called."""
        asked, self._asked = self._asked, None
        if asked is None:
            return [0] * count
        with _lost():
            asked[1].wait()
        return [int(value) for value in asked[0].tolist()]

    @torch.no_grad()
    def sum_into(self, tensors: Sequence[Tensor]) -> None:
        """Put the sum over all ranks in place of each tensor, all of them in one message."""
        if self.size == 1 or not tensors:
            return
        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        with _lost():
            dist.all_reduce(flat)
        at = 0
        for tensor in tensors:
            tensor.copy_(flat[at : at + tensor.numel()].view(tensor.shape))
            at += tensor.numel()

    def reduce(self, value: Tensor) -> Tensor:
        """Return the sum over all ranks; its gradient is that of this rank's share."""
        if self.size == 1:
            return value
        return cast("Tensor", _Summed.apply(value))

    def refuse_drift(self, network: nn.Module) -> None:
        """Refuse to go on with ranks whose weights differ.

        Raises:
            LaminaError: they do; the ranks are named.
        """
        if self.size == 1:
            return
        whole = hashlib.sha256()
        for tensor in network.state_dict().values():
            whole.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
        digests = self.gather(whole.hexdigest())
        apart = [str(rank) for rank, one in enumerate(digests) if one != digests[0]]
        if apart:
            raise LaminaError(
                f"the weights of rank {', '.join(apart)} are no longer those of rank 0; run the "
                "same command again to resume, and report the machines if it happens twice"
            )


ALONE = Ranks()
"""One process that shares nothing."""


class _Summed(torch.autograd.Function):
    """A sum over ranks, each of which has the gradient of its own addend."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        del context
        whole = value.clone()
        with _lost():
            dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        del context
        return gradient


@contextmanager
def joined(setup: RankSetup | None, device: torch.device) -> Iterator[Ranks]:
    """Yield the ranks of a training that started this process; alone where there is no setup."""
    if setup is None:
        yield ALONE
        return
    if os.name == "posix":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all are on this machine
    place = {"init_method": f"file://{setup.meeting}", "rank": setup.rank}
    with _group(device, world_size=setup.size, **place) as ranks:
        yield ranks


def launched() -> bool:
    """Whether a launcher such as torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


def is_main_process() -> bool:
    """Whether this process is not one of the others that a launcher started."""
    return not launched() or os.environ["RANK"] == "0"


def device_of_launcher(device: str) -> str:
    """Return the device of this rank on its machine: its own GPU, where there are any.

    Args:
        device: As asked for; anything but auto and cuda is left.
    """
    if device not in ("auto", "cuda") or not torch.cuda.is_available():
        return device
    return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % torch.cuda.device_count()}"


@contextmanager
def joined_by_launcher(device: torch.device) -> Iterator[Ranks]:
    """Yield the ranks that a launcher such as torchrun started."""
    with _group(device, init_method="env://") as ranks:
        yield ranks


@contextmanager
def _group(device: torch.device, **place: Any) -> Iterator[Ranks]:
    backend = "nccl" if device.type == "cuda" and dist.is_nccl_available() else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with _lost():
        dist.init_process_group(backend, timeout=_STEP, **place)
        waiting = dist.new_group(backend="gloo", timeout=_WAIT)
    yield Ranks(dist.get_rank(), dist.get_world_size(), waiting)
    # Not after an error: the others notice that this process ends, a goodbye could wait for them.
    dist.destroy_process_group()


@contextmanager
def _lost() -> Iterator[None]:
    """Say plainly that another rank has ended."""
    try:
        yield
    except RuntimeError as error:
        raise RankLost(
            "another process of this training has ended, as its own message says; run the same "
            f"command again to resume ({str(error).splitlines()[0][:200]})"
        ) from error
