"""Who may come in, and whether there is room: decided from a request's head, before a byte of its body is read.

With keys (`jobs/keys.py`) a request names one, and sees what is that one's; only what shows nobody's data is open: the
page, the API's description, and whether the process lives.

Without keys everybody who reaches this server is one owner, `local`, so it listens on loopback alone, and a page of
another site that a browser on this machine shows must not reach it either: by a name that it points at us (the Host),
or by a form that it posts (the Origin). `TWOFOLD_INSECURE` leaves both to whatever stands in front of the server.
"""

import re
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.connection import unavailable
from jobs.errors import Malformed, Problem, Refused, Unauthorized
from jobs.idempotency import is_known
from jobs.keys import Key, Keyring
from jobs.records import JobStore, queue_full, too_many_jobs
from jobs.requests import BATCH, INTERACTIVE, TRAINING
from jobs.settings import Settings
from service.bodies import JSON_MAX_BYTES, too_large
from service.callers import admit, key_of, most_bytes, most_jobs, owner_of
from service.problems import problem_response

LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
UPLOADS = frozenset({"/encode", "/swap", "/predict", "/clips"})
CODES = frozenset({"/sample", "/interpolate", "/decode"})
LITTLE = CODES | {"/train"}  # these take a little JSON
QUEUED = {**dict.fromkeys(UPLOADS - {"/clips"}, BATCH), **dict.fromkeys(CODES, INTERACTIVE), "/train": TRAINING}
OPEN = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json", "/favicon.ico"})
OPEN_FOLDERS = ("/web/", "/problems/")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


class Door:
    """The middleware: refuses, or lets in and writes what every answer carries."""

    def __init__(self, app: ASGIApp, settings: Settings, store: Callable[[], JobStore], keyring: Keyring) -> None:
        self.app = app
        self.settings = settings
        self.store = store
        self.keyring = keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self.check(scope)
        except Problem as problem:
            # What was to be uploaded is still coming: the connection is of no more use.
            problem.headers.setdefault("Connection", "close")
            await problem_response(problem, scope["path"])(scope, receive, _with_headers(send))
            return
        await self.app(scope, receive, _with_headers(send))

    async def check(self, scope: Scope) -> None:
        """Refuse what need not be read.

        Raises:
            Unauthorized: no key came that is known here.
            Refused: it comes from elsewhere.
            Malformed, TooLarge: its stated length.
            TooManyJobs, QueueFull, Unavailable: there is no room for the job that it would make.

        """
        headers = Headers(scope=scope)
        admit(scope, self.identify(headers, scope["path"]))
        length = headers.get("content-length")
        if length is not None and not re.fullmatch(r"[0-9]{1,18}", length):
            raise Malformed(f"Content-Length: expected a number of bytes, got {length!r:.40}")
        if not self.keyring.closed and not self.settings.insecure:
            check_origin(headers, scope["method"], self.settings.origins)
        if scope["method"] != "POST" or scope["path"] not in UPLOADS | LITTLE:
            return
        most = most_bytes(scope, self.settings)
        if scope["path"] in LITTLE:
            most = min(most, JSON_MAX_BYTES)
        if length is not None and int(length) > most:
            raise too_large(most)
        queue = QUEUED.get(scope["path"])
        if queue == TRAINING and not self.settings.training:
            return  # the route says what no waiting changes
        if queue is not None:
            key = headers.get("idempotency-key")
            try:
                await run_in_threadpool(
                    self.check_room, queue, owner_of(scope), most_jobs(key_of(scope), self.settings), key
                )
            except RedisError as error:
                raise unavailable(error) from error

    def identify(self, headers: Headers, path: str) -> Key | None:
        """Return the key that a request names, or None where none is needed.

        Raises:
            Unauthorized: one is needed, and this is none.

        """
        if not self.keyring.closed:
            return None
        presented = _presented(headers)
        key = self.keyring.find(presented) if presented else None
        if key is None and path not in OPEN and not path.startswith(OPEN_FOLDERS):
            what = "this key is not known here" if presented else "this server asks for a key"
            raise Unauthorized(
                f"{what}: send Authorization: Bearer KEY (or X-API-Key: KEY); the operator makes one with "
                "`twofold keys add NAME`",
                headers={"WWW-Authenticate": 'Bearer realm="twofold"'},
            )
        return key

    def check_room(self, queue: str, owner: str, most: int | None, idempotency_key: str | None = None) -> None:
        """Refuse a job that there is no room for. Blocking.

        A request that says by its key that it was sent before makes none: its job is told, however full it is here.

        Raises:
            TooManyJobs, QueueFull: so.

        """
        store = self.store()
        if idempotency_key is not None and is_known(store.redis, owner, idempotency_key):
            return
        if most is not None and store.num_active(owner) >= most:
            raise too_many_jobs(most)
        if store.queue_length(queue) >= self.settings.queue_limit:
            raise queue_full(queue, self.settings.queue_limit)


def _presented(headers: Headers) -> str | None:
    """Return the key that a request names: as a bearer's, or under a name of its own."""
    scheme, _, said = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and said.strip():
        return said.strip()
    return headers.get("x-api-key", "").strip() or None


def check_origin(headers: Headers, method: str, named: Collection[str] = ()) -> None:
    """Let nobody in through the browser of somebody on this machine, but pages of the origins that were named.

    Raises:
        Refused: the Host is not this machine's own name, or another site's page sends the request.

    """
    host = headers.get("host", "")
    if not LOOPBACK.fullmatch(host):
        raise Refused(f"this server answers as localhost only, not as {host!r:.80}; there are no keys")
    origin = headers.get("origin")
    if method in SAFE or origin is None or origin in named:
        return
    if urlsplit(origin).netloc.lower() != host.lower():
        raise Refused(f"a page of {origin!r:.80} may not use this server")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Cache-Control", "no-cache")
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("Referrer-Policy", "no-referrer")
            headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        await send(message)

    return sending
