"""A request's body as it arrives, within limits of size, silence and slowness."""

import time
from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request

from jobs.errors import TooLarge, UploadTimeout
from jobs.settings import Settings
from service.callers import most_bytes

WRITE_AT_ONCE = 256 * 1024  # bytes
RUN_OFF = 64 * 2**20  # bytes
JSON_MAX_BYTES = 4 * 2**20  # a thousand codes of 64 numbers, every digit written out, have 1.5 MB
RUN_OFF_SECONDS = 5.0


class Body:
    """The body of one request, read once."""

    def __init__(self, request: Request, settings: Settings, most: int | None = None) -> None:
        self.request = request
        self.settings = settings
        allowed = most_bytes(request.scope, settings)
        self.limit = min(most or allowed, allowed)
        self.whole = False  # whether its end has come

    async def blocks(self) -> AsyncIterator[bytes]:
        """Gather the body into blocks worth a write.

        Raises:
            TooLarge: more bytes came than are taken.
            UploadTimeout: they came too slowly, or stopped coming.

        """
        total, pending, began = 0, bytearray(), time.monotonic()
        idle, limit = self.settings.upload_idle_timeout, self.limit
        stream = self.request.stream()
        while True:
            try:
                with anyio.fail_after(idle):
                    chunk = await anext(stream, None)
            except TimeoutError:
                raise _too_slow(f"nothing came for {idle:g} s") from None
            if chunk is None:
                break
            total += len(chunk)
            if total > limit:
                raise too_large(limit)
            lasted = time.monotonic() - began
            if lasted > idle and total < lasted * self.settings.upload_min_rate:
                raise _too_slow(f"{total} bytes came in {lasted:.0f} s")
            pending += chunk
            if len(pending) >= WRITE_AT_ONCE:
                yield bytes(pending)
                pending.clear()
        self.whole = True
        if pending:
            yield bytes(pending)

    async def run_off(self) -> None:
        """Let what the client still sends pass by, within reason, before it is refused.

        A connection that is closed on unread bytes is reset, and then the client may never see why.
        """
        left = RUN_OFF
        with anyio.move_on_after(RUN_OFF_SECONDS):
            while left > 0 and not self.whole:
                message = await self.request.receive()
                self.whole = message["type"] != "http.request" or not message.get("more_body", False)
                left -= len(message.get("body", b""))


def too_large(limit: int) -> TooLarge:
    """Return the problem of a body over the limit; the connection ends, for the rest of it will not be read."""
    return TooLarge(f"at most {limit} bytes are taken in one request", headers={"Connection": "close"})


def _too_slow(what: str) -> UploadTimeout:
    return UploadTimeout(f"the upload was given up: {what}", headers={"Connection": "close"})
