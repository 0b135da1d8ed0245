"""`/metrics`: for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service.parts import PartsDep
from service.problems import described
from service.routing import get_and_head

router = APIRouter(tags=["health"])


@get_and_head(
    router,
    "/metrics",
    response_class=Response,
    responses={
        200: {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **described(400, 401, 403, 503),
    },
)
def metrics(parts: PartsDep) -> Response:
    """Tell this process's answers, and the queue and the jobs, in Prometheus' text form."""
    return Response(parts.metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"Cache-Control": "no-store"})
