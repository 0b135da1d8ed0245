"""What routes work with, made once when the application starts and handed to them by type."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from jobs.artifacts import ArtifactStore
from jobs.catalogue import Catalogue
from jobs.keys import Keyring
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.settings import Settings
from service.callers import most_jobs, owner_of
from service.metrics import Metrics
from service.waiting import Waiting


@dataclass(frozen=True, slots=True)
class Parts:
    """The service's parts."""

    settings: Settings
    store: JobStore
    queue: JobQueue
    artifacts: ArtifactStore
    catalogue: Catalogue
    waiting: Waiting
    keyring: Keyring
    metrics: Metrics

    def most_jobs(self, owner: str) -> int | None:
        """Return how many jobs an owner may have waiting or running; None where only the queue's limit counts."""
        return most_jobs(self.keyring.of(owner), self.settings)


def _parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)


def _owner(request: Request) -> str:
    return owner_of(request.scope)


PartsDep = Annotated[Parts, Depends(_parts)]
OwnerDep = Annotated[str, Depends(_owner)]
