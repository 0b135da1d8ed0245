"""`/livez` and `/readyz`: whether the process lives, and whether work would be done."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from redis.exceptions import RedisError

from jobs.connection import unavailable
from jobs.errors import Unavailable
from jobs.requests import QUEUES, SERVED
from jobs.workers import announced
from service.parts import PartsDep
from service.problems import described
from service.routing import get_and_head

router = APIRouter(tags=["health"])
OPEN: dict[str, Any] = {"security": []}  # asked by what starts and watches processes, which has no key


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """Redis answers, and workers have announced warm models."""

    status: str = "ready"
    workers: dict[str, int]


@get_and_head(router, "/livez", responses=described(400, 403), openapi_extra=OPEN)
async def livez() -> Alive:
    """Say that the process answers; asks nobody else, and needs no thread that a slow Redis may hold."""
    return Alive()


@get_and_head(router, "/readyz", responses=described(400, 403, 503), openapi_extra=OPEN)
def readyz(parts: PartsDep) -> Ready:
    """Say whether a job would be run: Redis answers and a warm worker has announced itself."""
    try:
        workers = announced(parts.store.redis)
    except RedisError as error:
        raise unavailable(error) from error
    if not workers:
        raise Unavailable("no worker with a loaded model has announced itself", headers={"Retry-After": "2"})
    here = QUEUES if parts.settings.training else SERVED
    return Ready(workers={queue: sum(worker.queue == queue for worker in workers) for queue in here})
