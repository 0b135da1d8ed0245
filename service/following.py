"""Every request by an id: in its answer's `X-Request-ID`, in what is logged meanwhile, in its jobs' records; its trace.

The id is the caller's own, where it sends one of a harmless form, else a new one.
"""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from jobs.tracing import Span, spanning

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
WATCHING = ("/livez", "/readyz", "/metrics", "/web/", "/favicon.ico")  # asked all day long; worth no trace and no line
READING = frozenset({"GET", "HEAD", "OPTIONS"})
log = structlog.get_logger(__name__)


class Following:
    """The outermost middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        said = headers.get("x-request-id", "")
        request_id = said if REQUEST_ID.fullmatch(said) else uuid.uuid4().hex
        with bound_contextvars(request=request_id):
            if scope["path"].startswith(WATCHING):
                await self._serve(scope, receive, send, request_id, Span())
                return
            with spanning(scope["method"], headers.get("traceparent", ""), request=request_id) as span:
                await self._serve(scope, receive, send, request_id, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str, span: Span) -> None:
        began, status = time.perf_counter(), 500  # a failure of ours may be answered by the server, if at all

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            route = str(getattr(scope.get("route"), "path", "")) or "no route"
            span.rename(f"{scope['method']} {route}")
            span.tell(status=status)
            watching = scope["path"].startswith(WATCHING)  # whoever starts up or balances load asks every moment
            if not watching and (status >= 500 or scope["method"] not in READING):
                log.info(
                    "answered",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    problem=scope.get("problem"),
                    seconds=round(time.perf_counter() - began, 3),
                )
