"""Which workers are warm: each announces itself, its queue and its models under a key that dies with it."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from redis import Redis

from jobs.events import PREFIX


@dataclass(frozen=True, slots=True)
class WarmWorker:
    """A worker that has loaded a model and run it once."""

    name: str
    queue: str
    device: str
    models: dict[str, str]  # digests by name
    memory: int = 0  # bytes that its process holds
    gpu_memory: int = 0  # bytes that it has reserved on its GPU


def announce(redis: Redis, worker: WarmWorker, seconds: float) -> None:
    """Say that a worker is warm; to be repeated well within `seconds`."""
    said = json.dumps({name: value for name, value in asdict(worker).items() if name != "name"})
    with redis.pipeline() as pipeline:
        pipeline.set(f"{PREFIX}worker:{worker.name}", said, px=max(1, round(seconds * 1000)))
        pipeline.sadd(f"{PREFIX}workers", worker.name)
        pipeline.execute()


def withdraw(redis: Redis, name: str) -> None:
    """Say that a worker is leaving."""
    redis.delete(f"{PREFIX}worker:{name}")
    redis.srem(f"{PREFIX}workers", name)


def announced(redis: Redis) -> list[WarmWorker]:
    """Return the warm workers, by name; names whose key has died are dropped from the list."""
    members: Any = redis.smembers(f"{PREFIX}workers")
    names = sorted(str(name, "utf-8") for name in members)
    if not names:
        return []
    answers = redis.mget([f"{PREFIX}worker:{name}" for name in names])
    dead = [name for name, answer in zip(names, answers, strict=True) if answer is None]
    if dead:
        redis.srem(f"{PREFIX}workers", *dead)
    alive = [(name, json.loads(answer)) for name, answer in zip(names, answers, strict=True) if answer is not None]
    return [WarmWorker(name=name, **said) for name, said in alive]
