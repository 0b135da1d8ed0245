"""The page, the API's description for people, and what each problem means."""

from html import escape
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from jobs.errors import Problem, UnknownPath
from service.routing import get_and_head

router = APIRouter(include_in_schema=False)
WEB = Path(__file__).parent.parent / "web"
NO_CACHE = {"Cache-Control": "no-cache"}


@get_and_head(router, "/")
def page() -> Response:
    """Serve the page."""
    return FileResponse(WEB / "index.html", headers=NO_CACHE)


@get_and_head(router, "/docs")
def docs() -> Response:
    """Serve the page that reads /openapi.json to people."""
    return FileResponse(WEB / "docs.html", headers=NO_CACHE)


@get_and_head(router, "/favicon.ico")
def icon() -> Response:
    """Serve the icon."""
    return FileResponse(WEB / "icon.svg", media_type="image/svg+xml")


@get_and_head(router, "/problems/{slug}")
def problem(slug: str) -> Response:
    """Say what a problem's type means."""
    kind = Problem.known.get(slug)
    if kind is None:
        raise UnknownPath(f"there is no problem of type {slug!r:.60}")
    text = escape((kind.__doc__ or "").strip())
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(kind.title)} – Twofold</title>'
        f'<link rel="stylesheet" href="/web/style.css"><main class="prose"><p class="eyebrow">HTTP {kind.status}</p>'
        f"<h1>{escape(kind.title)}</h1><p>{text}</p><p><a href='/docs'>The API</a></p></main></html>"
    )
