"""`/livez` and `/readyz`: whether the process lives, and whether work would be done."""

from fastapi import APIRouter
from pydantic import BaseModel
from redis.exceptions import RedisError

from jobs.connection import unavailable
from jobs.errors import Unavailable
from jobs.requests import QUEUES
from jobs.workers import announced
from service.parts import PartsDep
from service.problems import described

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: str = "alive"


class Ready(BaseModel):
    """Redis answers, and workers have announced warm models."""

    status: str = "ready"
    workers: dict[str, int]


@router.get("/livez")
async def livez() -> Alive:
    """Say that the process answers; asks nobody else, and needs no thread that a slow Redis may hold."""
    return Alive()


@router.get("/readyz", responses=described(503))
def readyz(parts: PartsDep) -> Ready:
    """Say whether a job would be run: Redis answers and a warm worker has announced itself."""
    try:
        workers = announced(parts.store.redis)
    except RedisError as error:
        raise unavailable(error) from error
    if not workers:
        raise Unavailable("no worker with a loaded model has announced itself", headers={"Retry-After": "2"})
    return Ready(workers={queue: sum(worker.queue == queue for worker in workers) for queue in QUEUES})
