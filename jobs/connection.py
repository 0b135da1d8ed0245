"""Connections to Redis: sync ones for work, asynchronous ones for waiting, both giving up soon when nobody answers."""

from redis import Redis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ConstantBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from jobs.errors import Unavailable

CONNECT_TIMEOUT = 2.0  # seconds
ANSWER_TIMEOUT = 5.0  # seconds for a command that does not block
MOST_ASYNC = 8  # connections of a process, one of which blocks: whoever comes beyond them waits a moment
LONGEST_BLOCK = 20.0  # seconds of a blocking read


def connect(url: str, answer_timeout: float | None = ANSWER_TIMEOUT) -> Redis:
    """Return a connection pool; an RQ worker, whose commands block, passes None as the timeout."""
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        health_check_interval=30,
        retry=Retry(ConstantBackoff(0.1), 1),
    )


def connect_async(url: str) -> AsyncRedis:
    """Return an asynchronous connection pool for reads that block, up to `LONGEST_BLOCK`; never more than a few."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_ASYNC,
        timeout=ANSWER_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=LONGEST_BLOCK + ANSWER_TIMEOUT,
        health_check_interval=30,
        retry=AsyncRetry(ConstantBackoff(0.1), 2),
    )
    return AsyncRedis.from_pool(pool)


def unavailable(error: RedisError) -> Unavailable:
    """Return what an asker hears of Redis's trouble, which is not the server's address."""
    # A script that Redis stops says so in other words than a command that it refuses.
    full = isinstance(error, OutOfMemoryError) or "maxmemory" in str(error)
    what = "the job store is full" if full else "the job store does not answer"
    return Unavailable(f"{what}; nothing was kept, try again in a few seconds", headers={"Retry-After": "5"})
