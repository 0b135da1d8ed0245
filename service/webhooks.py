"""Telling callbacks that a job has ended: signed (Standard Webhooks), tried for hours, never to a private address.

Every API process sends; the outbox sees to it that of several one sends each message, and another if that one dies.
"""

import asyncio
import json
import logging
import ssl
from datetime import UTC, datetime
from typing import Any

import anyio
import httpcore
from redis.exceptions import RedisError

from jobs.callbacks import Due, Outbox, Secrets, signature
from jobs.records import JobRecord, JobStore
from service.public_only import PublicOnly
from service.views import JobView

LOOK_EVERY = 1.0  # seconds
ANSWERS_WITHIN = 15.0  # seconds, for name, connection and answer together
AT_ONCE = 32  # sent at the same time by a process
GONE = 410
log = logging.getLogger(__name__)


class Webhooks:
    """The sender of one process."""

    def __init__(
        self,
        store: JobStore,
        secrets: Secrets,
        network: httpcore.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self.store = store
        self.secrets = secrets
        self.outbox = Outbox(store.redis)
        self.network = network or PublicOnly()
        self.trust = trust

    async def run(self) -> None:
        """Send what is due, until canceled. A receiver that hangs holds up nobody else, but for its place."""
        under_way = set[asyncio.Task[None]]()
        try:
            while True:
                for task in await self.start_due(AT_ONCE - len(under_way)):
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                await asyncio.sleep(LOOK_EVERY)
        finally:
            for task in under_way:
                task.cancel()

    async def start_due(self, most: int) -> list[asyncio.Task[None]]:
        """Begin to send what is due now, up to so many, a connection each."""
        try:
            due = await asyncio.to_thread(lambda: self.outbox.take(self.store.now(), most))
        except RedisError:
            return []  # it comes back, and what is due is still there
        return [asyncio.create_task(self._try(one)) for one in due]

    async def _try(self, due: Due) -> None:
        try:
            await self._send(due)
        except RedisError:
            pass  # it is due again when nobody holds it any more
        except Exception:  # of a task that nobody awaits: unsaid it would be lost
            log.exception("the callback of job %s could not be sent; it is tried again", due.job)

    async def _send(self, due: Due) -> None:
        record, refused = await asyncio.to_thread(lambda: (self.store.get(due.job), self.outbox.is_refused(due.url)))
        if record is None or refused:  # it has expired or was purged, or its receiver wants no more
            await asyncio.to_thread(self.outbox.done, due)
            return
        try:
            status, said = await self._post(due, record), ""
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError, ValueError) as error:
            status, said = 0, f"{type(error).__name__}: {error}"
        await asyncio.to_thread(self._note, due, status, said)

    async def _post(self, due: Due, record: JobRecord) -> int:
        """Return the status that a receiver answers with; redirections are not followed."""
        body = json.dumps(message(record), separators=(",", ":")).encode()
        sent = int(datetime.now(UTC).timestamp())
        headers: dict[bytes | str, bytes | str] = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": "twofold",
            "webhook-id": due.id,
            "webhook-timestamp": str(sent),
            "webhook-signature": signature(self.secrets.of(record.owner), due.id, sent, body),
        }
        async with httpcore.AsyncConnectionPool(ssl_context=self.trust, network_backend=self.network) as pool:
            try:
                with anyio.fail_after(ANSWERS_WITHIN):
                    async with pool.stream("POST", due.url, headers=headers, content=body) as answer:
                        return int(answer.status)
            except TimeoutError:
                raise httpcore.ReadTimeout(f"no answer within {ANSWERS_WITHIN:g} s") from None

    def _note(self, due: Due, status: int, said: str) -> None:
        """Write down how a try went. Blocking."""
        if 200 <= status < 300:
            self.outbox.done(due)
        elif status == GONE:
            self.outbox.refused_for_good(due.url, self.store.settings.result_ttl)
            self.outbox.done(due)
            log.warning("the callback of job %s answers 410: nothing more is sent there", due.job)
        elif not self.outbox.again(due, self.store.now()):
            log.warning("the callback of job %s was given up: %s", due.job, said or f"HTTP {status}")


def message(record: JobRecord) -> dict[str, Any]:
    """Return what is told of a job's end: the same job as `GET /jobs/{id}` gives."""
    ended = record.ended or record.created
    view = JobView.of(record, None).model_dump(mode="json")
    return {"type": f"job.{record.status}", "timestamp": ended.isoformat(), "data": view}
