"""`python -m worker.health`: whether the workers of this machine are warm, as a container's health check asks."""

import argparse
import socket
import sys
from collections.abc import Sequence

from redis.exceptions import RedisError

from jobs.connection import connect
from jobs.errors import ConfigurationError
from jobs.requests import QUEUES, SERVED
from jobs.settings import read_settings
from jobs.workers import announced


def main(arguments: Sequence[str] | None = None) -> int:
    """Say which queues lack a warm worker of this machine; return 0 when none does."""
    parser = argparse.ArgumentParser(prog="python -m worker.health", description=__doc__)
    parser.add_argument(
        "--queue", choices=QUEUES, action="append", help="once for each queue; by default interactive and batch"
    )
    queues = parser.parse_args(arguments).queue or SERVED
    try:
        settings = read_settings()
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    if settings.redis_url is None:
        print("TWOFOLD_REDIS_URL is not set: workers announce themselves there", file=sys.stderr)
        return 1
    try:
        workers = announced(connect(settings.redis_url))
    except RedisError as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
        return 1
    here = {worker.queue for worker in workers if worker.name.startswith(f"{socket.gethostname()}.")}
    missing = [queue for queue in queues if queue not in here]
    print(f"no warm worker here for {', '.join(missing)}" if missing else f"warm for {', '.join(queues)}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
