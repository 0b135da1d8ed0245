"""Every failure as `application/problem+json` (RFC 9457), whoever raised it, and never a traceback."""

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from jobs.connection import unavailable
from jobs.errors import InternalError, Malformed, NotAllowed, Problem, UnknownPath, WrongValue

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    detail: str


class ProblemView(BaseModel):
    """A problem, as the API's description states it."""

    type: str = "/problems/wrong-value"
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldProblem] | None = None


class ProblemResponse(JSONResponse):
    """A problem as an answer; it leaves its slug in the connection's scope, for whoever counts and logs."""

    slug = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        scope["problem"] = self.slug
        await super().__call__(scope, receive, send)


def problem_response(problem: Problem, path: str) -> JSONResponse:
    """Answer with a problem; a body that was not read is left to the server to drop."""
    response = ProblemResponse(
        problem.to_dict() | {"instance": path},
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **problem.headers},
    )
    response.slug = problem.slug
    return response


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these problems."""
    titles = {kind.status: kind.title for kind in reversed(Problem.known.values())}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}}
    return {status: {"description": titles.get(status, "Problem"), "content": content} for status in statuses}


def install(app: FastAPI) -> None:
    """Let the application answer every exception in our form."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _wrong_parameters)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RedisError, _redis)
    app.add_exception_handler(Exception, _ours)


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
    if error.status_code >= 500:
        return problem_response(InternalError("internal error"), request.url.path)
    problem = Malformed(str(error.detail))
    response = problem_response(problem, request.url.path)
    response.status_code = error.status_code
    return response


def _methods(request: Request) -> list[str]:
    """Return the methods that the path has, by asking every route about each."""

    def has(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return [method for method in METHODS if has(method)]


async def _redis(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RedisError)
    log.warning("Redis failed during %s %s: %s", request.method, request.url.path, error)
    return problem_response(unavailable(error), request.url.path)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it once more, so that the server logs it whole, and then hangs up: the client had better know.
    log.error("%s %s failed: %r", request.method, request.url.path, error)
    problem = InternalError("internal error: the server's log says more", headers={"Connection": "close"})
    return problem_response(problem, request.url.path)


def describe_schema(app: FastAPI) -> None:
    """Put the problem's form into the API's description, where every described response refers to it."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = made()
            components = schema.setdefault("components", {}).setdefault("schemas", {})
            own = ProblemView.model_json_schema(ref_template="#/components/schemas/{model}")
            components.update(own.pop("$defs", {}))
            components["ProblemView"] = own
            for unused in ("HTTPValidationError", "ValidationError"):
                components.pop(unused, None)
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"] |= _in_our_form(operation["responses"])
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _in_our_form(responses: dict[str, Any]) -> dict[str, Any]:
    """FastAPI announces its own 422 wherever a route has parameters; ours is another."""
    if "HTTPValidationError" not in str(responses.get("422", "")):
        return {}
    return {"422": described(422)[422]}
