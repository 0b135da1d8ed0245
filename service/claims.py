"""Holding an Idempotency-Key while its request is read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from jobs.idempotency import Claim
from service.parts import Parts


@asynccontextmanager
async def claimed(parts: Parts, owner: str, key: str | None) -> AsyncIterator[Claim | None]:
    """Yield the claim on a key, or None without one; a request that makes no job lets go of it.

    Raises:
        KeyInUse: another request holds it.

    """
    if key is None:
        yield None
        return
    claim = Claim(parts.store.redis, owner, key, parts.settings.result_ttl)
    await run_in_threadpool(claim.take)
    try:
        yield claim
    finally:
        with suppress(RedisError):  # the key runs out by itself
            await run_in_threadpool(claim.release)
