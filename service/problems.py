"""Every failure as `application/problem+json` (RFC 9457), whoever raised it, and never a traceback."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from jobs.connection import unavailable
from jobs.errors import InternalError, Malformed, NotAllowed, Problem, UnknownPath, WrongValue
from service.headers import ALWAYS_RETRY_AFTER, RETRY_AFTER, UNSATISFIED_RANGE, WHO_ARE_YOU

MEDIA_TYPE = "application/problem+json"
KEYS = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "a key, where this server has keys: the operator makes one with `twofold keys add NAME`",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "the same key under another name"},
}
HEADERS = {
    401: WHO_ARE_YOU,
    409: RETRY_AFTER,
    416: UNSATISFIED_RANGE,
    429: ALWAYS_RETRY_AFTER,
    503: ALWAYS_RETRY_AFTER,
}
# For what says no more itself, as a failed job's own 503: longer than our client waits, as the job stays failed.
PAUSES = {429: "30", 503: "30"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    detail: str


class ProblemView(BaseModel):
    """A problem (RFC 9457): what went wrong, in words for people and in a type for programs."""

    type: str = Field(description="/problems/SLUG: where it is explained", examples=["/problems/wrong-value"])
    title: str = Field(description="the same for every problem of this type")
    status: int
    detail: str = Field(description="what came, what was expected, what to do")
    instance: str = Field(description="the path that was asked")
    errors: list[FieldProblem] = Field(default=[], description="each wrong field; absent where none is to blame")


class ProblemResponse(JSONResponse):
    """A problem as an answer; it leaves its slug in the connection's scope, for whoever counts and logs."""

    slug = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        scope["problem"] = self.slug
        await super().__call__(scope, receive, send)


def problem_response(problem: Problem, path: str) -> JSONResponse:
    """Answer with a problem; a body that was not read is left to the server to drop."""
    headers = {"Cache-Control": "no-store", **problem.headers}
    if problem.status in PAUSES:
        headers.setdefault("Retry-After", PAUSES[problem.status])
    response = ProblemResponse(
        problem.to_dict() | {"instance": path},
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )
    response.slug = problem.slug
    return response


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these problems."""
    titles = {kind.status: kind.title for kind in reversed(Problem.known.values())}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
    return {
        status: {
            "description": titles.get(status, "Problem"),
            "content": content,
            **({"headers": HEADERS[status]} if status in HEADERS else {}),
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Let the application answer every exception in our form."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RedisError, _redis)
    app.add_exception_handler(Exception, ours_to_mend)  # in a middleware; inside them `service.mending` asks it


async def _problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_response(error, request.url.path)


async def _wrong_parameters(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"field": ".".join(str(part) for part in found["loc"][1:]) or "request", "detail": str(found["msg"])}
        for found in error.errors()
    ]
    said = "; ".join(f"{one['field']}: {one['detail']}" for one in errors)
    return problem_response(WrongValue(said, errors=errors), request.url.path)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem_response(UnknownPath(f"there is nothing at {request.url.path}; see /docs"), request.url.path)
    if error.status_code == 405:
        allowed = ", ".join(_methods(request))
        problem: Problem = NotAllowed(
            f"{request.method} is not possible here; possible are {allowed}", headers={"Allow": allowed}
        )
        return problem_response(problem, request.url.path)
    kind = next((one for one in Problem.known.values() if one.status == error.status_code), None)
    if kind is None:
        kind = InternalError if error.status_code >= 500 else Malformed
    detail = "internal error" if kind.status >= 500 else str(error.detail)
    return problem_response(kind(detail, headers=error.headers), request.url.path)


def _methods(request: Request) -> list[str]:
    """Return the methods that the path has, by asking every route about each."""
    if isinstance(request.scope.get("endpoint"), StaticFiles):
        return ["GET", "HEAD"]  # within a mount the routes would be asked about the rest of the path

    def has(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in METHODS if has(method)]


async def _redis(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RedisError)
    log.warning("Redis failed during %s %s: %s", request.method, request.url.path, error)
    return problem_response(unavailable(error), request.url.path)


async def ours_to_mend(request: Request, error: Exception) -> JSONResponse:
    """Log what no asker can be told of, and return what one is told instead."""
    log.error("%s %s failed: %r", request.method, request.url.path, error, exc_info=error)
    # What is left of a request's body is not read, or the server hangs up: the client had better know.
    problem = InternalError("internal error: the server's log says more", headers={"Connection": "close"})
    return problem_response(problem, request.url.path)


def describe_schema(app: FastAPI) -> None:
    """Put into the API's description what routes cannot say each for itself: the problem's form, and keys."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            components = schema.setdefault("components", {})
            own = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
            components["schemas"].update(own.pop("$defs", {}))
            components["schemas"]["ProblemView"] = own
            for unused in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(unused, None)
            components["securitySchemes"] = KEYS
            schema["security"] = [{}, *({name: []} for name in KEYS)]
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"] = _in_our_form(operation["responses"])
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _in_our_form(responses: dict[str, Any]) -> dict[str, Any]:
    """Take out FastAPI's own 422, which it announces wherever a route has parameters, and let nothing be too good."""
    said = {status: one for status, one in responses.items() if "HTTPValidationError" not in str(one)}
    ours = {str(status): one for status, one in described(500).items()}
    return dict(sorted((ours | said).items()))
