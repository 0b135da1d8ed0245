"""`twofold serve`: the API and the page in this process, on a socket of its own or one that `twofold up` holds."""

import logging
import signal
import socket
from types import FrameType

import uvicorn

from jobs.logs import configure_logs
from jobs.settings import Settings
from jobs.tracing import configure_tracing, end_tracing
from twofold.listening import address_of, listening, refuse_open_address

GRACE = 10  # seconds for answers that are under way when the process is asked to stop


def serve_api(settings: Settings, fd: int | None = None) -> None:
    """Serve until a signal.

    Raises:
        ConfigurationError: no Redis is named, or the address may not or cannot be used.

    """
    configure_logs(settings)
    configure_tracing(settings, "service")
    refuse_open_address(settings)  # also of a held socket: the keys may be gone since it was opened
    if fd is not None:
        with socket.socket(fileno=fd) as listener:
            _run(settings, listener)
    else:
        with listening(settings) as listener:
            print(f"Serving the API at {address_of(listener)}", flush=True)
            _run(settings, listener)


def _run(settings: Settings, listener: socket.socket) -> None:
    from service.app import create_app

    app = create_app(settings)
    refuse_open_address(settings)  # once more: loading takes a second, in which keys may get lost
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    # Uvicorn raises the signal that stopped it once more, when all is done: that is then no error.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _done)
    uvicorn.Server(config).run(sockets=[listener])
    end_tracing()


def _done(number: int, frame: FrameType | None) -> None:
    logging.getLogger("twofold").info("the API has stopped")
