"""What every process writes to standard error: one line an event, for people or as JSON, with whose request it is.

The ids of the request and of the job in hand are context variables (`request`, `job`): whatever is logged while they
are bound carries them, by whichever library. A traceback is logged whole, but never its variables, which may hold an
asker's data.
"""

import logging
import sys
from typing import Any

import structlog

from jobs.settings import Settings

OURS = ("jobs", "models", "service", "supervisor", "twofold", "worker")  # others are heard from warnings on


def configure_logs(settings: Settings) -> None:
    """Set up logging for this process, as `TWOFOLD_LOG_FORMAT` says."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Any]
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
            )
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    structlog.configure(
        processors=[
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def current_request() -> str:
    """Return the id of the request that this thread or task works for; empty where there is none."""
    return str(structlog.contextvars.get_contextvars().get("request", ""))
