"""The application: wiring only."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.staticfiles import StaticFiles
from redis import Redis
from redis.exceptions import RedisError

from jobs.callbacks import Secrets
from jobs.catalogue import Catalogue
from jobs.connection import connect, connect_async
from jobs.errors import ConfigurationError, StorageUnavailable
from jobs.history import forget_history
from jobs.keys import Keyring
from jobs.listing import trim
from jobs.queue import JobQueue, only_one, reap
from jobs.records import JobStore
from jobs.settings import Settings
from jobs.stores import artifact_store
from jobs.sweeper import purge_asked, sweep
from service import problems
from service.access import Door
from service.following import Following
from service.mending import Mending
from service.metrics import Counting, Metrics
from service.parts import Parts
from service.routes import (
    clips,
    decode,
    encode,
    health,
    interpolate,
    jobs,
    latent_grid,
    metrics,
    models,
    page,
    predict,
    sample,
    swap,
    train,
)
from service.waiting import Waiting
from service.webhooks import Webhooks

WEB = Path(__file__).parent / "web"
REAP_EVERY = 5.0  # seconds
SWEEP_EVERY = 600.0
ASKED = ["Authorization", "X-API-Key", "Content-Type", "Prefer", "Idempotency-Key", "Last-Event-ID"]
ASKED += ["Range", "If-Range", "If-None-Match", "X-Request-ID", "Traceparent"]
TOLD = ["Location", "ETag", "Link", "Retry-After", "Preference-Applied", "Content-Range", "Content-Location"]
TOLD += ["X-Request-ID"]
DESCRIPTION = """\
A request that makes a job answers 202 with the job, whose id leads to its state, events and result under /jobs; with
`Prefer: wait=N` it answers 200 with the result itself, in the representation that `Accept` or `?format=` names. Every
failure is a problem (RFC 9457), `application/problem+json`, whose type is explained at its path, /problems/SLUG."""
log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """Return the ASGI application over the Redis of `settings.redis_url`. Redis need not be up yet.

    Raises:
        ConfigurationError: the settings name no Redis, or a bucket that cannot be used.

    """
    if settings.redis_url is None:
        raise ConfigurationError("the API needs TWOFOLD_REDIS_URL; `twofold up` starts a server of its own")
    redis = connect(settings.redis_url)
    store = JobStore(redis, settings)
    webhooks = Webhooks(store, Secrets(settings.own_webhook_secret_file))
    parts = Parts(
        settings=settings,
        store=store,
        queue=JobQueue(redis, settings),
        artifacts=artifact_store(settings),
        catalogue=Catalogue(settings),
        waiting=Waiting(connect_async(settings.redis_url)),
        keyring=Keyring(settings.own_keys_file),
        metrics=Metrics(store),
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with parts.waiting:
            tasks = [asyncio.create_task(work) for work in (_chores(parts, redis), webhooks.run())]
            yield
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        redis.close()

    app = FastAPI(
        title="Twofold",
        summary="Turns a video into a static code and a dynamic code a frame, and serves them.",
        description=DESCRIPTION,
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # the contract names each path once; any other is 404, as a problem
        generate_unique_id_function=lambda route: route.name,
        max_body_size=None,  # our readers of forms and of JSON count what they read, and no route reads anything else
    )
    app.state.parts = parts
    problems.install(app)
    making = (encode, swap, latent_grid, sample, interpolate, predict, decode, train)
    for routes in (*making, jobs, clips, models, health, metrics, page):
        app.include_router(routes.router)
    app.mount("/web", StaticFiles(directory=WEB), name="web")
    app.add_middleware(Mending)
    app.add_middleware(Door, settings=settings, store=lambda: parts.store, keyring=parts.keyring)
    if settings.origins:
        # Around the door: a page of a named origin must be able to ask whether it may, and to read why it may not.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "HEAD", "POST", "DELETE"],
            allow_headers=ASKED,
            expose_headers=TOLD,
            max_age=600,
        )
    app.add_middleware(Counting, metrics=parts.metrics)
    app.add_middleware(Following)
    problems.describe_schema(app)
    return app


async def _chores(parts: Parts, redis: Redis) -> None:
    """Take back the jobs of dead workers and remove what nobody uses, taking turns with the other API processes."""
    while True:
        try:
            await asyncio.to_thread(_chore, parts, redis)
        except (RedisError, StorageUnavailable):
            pass  # they come back
        except Exception:  # a file that is not ours to delete, say: what expires must go on expiring
            log.exception("a chore failed; it is tried again")
        await asyncio.sleep(REAP_EVERY)


def _chore(parts: Parts, redis: Redis) -> None:
    with only_one(redis, "reap", REAP_EVERY / 2) as ours:
        if ours and (moved := reap(parts.store, parts.queue)):
            log.warning("took back %s", ", ".join(moved))
        if ours:
            purge_asked(parts.store, parts.artifacts)
    with only_one(redis, "sweep", SWEEP_EVERY) as ours:
        if ours:
            try:
                sweep(redis, parts.artifacts)
            finally:  # whatever its trouble, what expired and what was purged is forgotten
                trim(redis)
                forget_history(redis)
