"""Several processes that train one model together, as `torchrun` starts them: a share of every batch each.

After every backward pass gradients are averaged, so that all take the same step from the same weights, as
`DistributedDataParallel` does. That wraps a module's one `forward`; here a step has as many losses as its family has.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn

from training.errors import UnevenShares


@dataclass(frozen=True, slots=True)
class Peers:
    """One process's place among those that train together; by default it is alone, and nothing is exchanged."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one keeps the log and the checkpoints, measures, and writes the model."""
        return self.rank == 0

    def share(self, frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "share t c h w"]:
        """This process's clips of a batch that all of them have drawn alike.

        Raises:
            UnevenShares: the batch does not divide.

        """
        if len(frames) % self.count:
            raise UnevenShares(
                f"a batch of {len(frames)} clips does not divide among {self.count} processes: start fewer"
            )
        return frames.chunk(self.count)[self.rank]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give every process the mean of all processes' gradients."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(together)
        together /= self.count
        means = torch.split(together, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))

    def average(self, numbers: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The means of all processes' numbers."""
        if self.count == 1:
            return dict(numbers)
        together = torch.stack([number.detach().float() for number in numbers.values()])
        dist.all_reduce(together)
        return dict(zip(numbers, together / self.count, strict=True))

    def any(self, mine: bool) -> bool:
        """Whether any process says so."""
        if self.count == 1:
            return mine
        said = torch.tensor(int(mine))
        dist.all_reduce(said, dist.ReduceOp.MAX)
        return bool(said)


ALONE = Peers()


def rank_here() -> int:
    """This process's number among those that `torchrun` started; 0 without it."""
    return int(os.environ.get("RANK", "0"))


def started_together() -> bool:
    """Whether this process is one of several that `torchrun` started."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def meeting() -> Iterator[Peers]:
    """This process among its peers, on the GPU that is its own where there are GPUs; alone without `torchrun`."""
    if not started_together():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Peers(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def share_statistics(model: nn.Module, peers: Peers) -> None:
    """Let BatchNorm see the batches of all, on GPUs; on a CPU, for which PyTorch has no such layer, it sees its own."""
    if peers.count > 1 and next(model.parameters()).is_cuda:
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
