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
    """Redis answers, and for every kind of job there is a worker with a warm model."""

    status: str = "ready"
    workers: dict[str, int]


@get_and_head(router, "/livez", responses=described(400, 403), openapi_extra=OPEN)
async def livez() -> Alive:
    """Say that the process answers; asks nobody else, and needs no thread that a slow Redis may hold."""
    return Alive()


@get_and_head(router, "/readyz", responses=described(400, 403, 503), openapi_extra=OPEN)
def readyz(parts: PartsDep) -> Ready:
    """Say whether a job would be run: Redis answers and a warm worker of each queue has announced itself.

    That of training is counted, and not waited for: it makes no other job wait.
    """
    try:
        workers = announced(parts.store.redis)
    except RedisError as error:
        raise unavailable(error) from error
    here = QUEUES if parts.settings.training else SERVED
    found = {queue: sum(worker.queue == queue for worker in workers) for queue in here}
    missing = [queue for queue in SERVED if not found[queue]]
    if missing:
        raise Unavailable(
            f"no worker with a loaded model has announced itself for {' and '.join(missing)} jobs",
            headers={"Retry-After": "2"},
        )
    return Ready(workers=found)
