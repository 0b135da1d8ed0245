"""`twofold worker`: the supervisor of warm workers in this process."""

from collections.abc import Sequence

from jobs.settings import Settings


def run_workers(settings: Settings, queues: Sequence[str]) -> int:
    """Keep a worker running for each queue until a signal; return the exit code.

    Raises:
        ConfigurationError: no Redis is named.

    """
    from worker.supervisor import supervise

    return supervise(settings, queues)
