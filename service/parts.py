"""What routes work with, made once when the application starts and handed to them by type."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from jobs.artifacts import ArtifactStore
from jobs.catalogue import Catalogue
from jobs.queue import JobQueue
from jobs.records import JobStore
from jobs.settings import Settings
from service.access import owner_of
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


def _parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)


def _owner(request: Request) -> str:
    return owner_of(request.scope)


PartsDep = Annotated[Parts, Depends(_parts)]
OwnerDep = Annotated[str, Depends(_owner)]
