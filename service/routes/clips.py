"""`/clips`: upload once, use often."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from jobs.clips import Clip, ClipStore
from jobs.errors import WrongValue
from jobs.magic import sniff
from service.clips import find_clip
from service.forms import CLIP_FORM
from service.headers import CLIP_LOCATION
from service.parameters import ClipPath
from service.parts import OwnerDep, Parts, PartsDep
from service.problems import described
from service.routing import get_and_head
from service.uploads import FormFile, FormShape, read_form

router = APIRouter(prefix="/clips", tags=["clips"])
SHAPE = FormShape(files={"video": 1})


class ClipView(BaseModel):
    """A clip that was uploaded."""

    id: str
    bytes: int
    type: str
    created: datetime
    expires: datetime


@router.post(
    "",
    status_code=201,
    response_model=ClipView,
    responses={
        201: {"description": "The clip", "headers": CLIP_LOCATION},
        **described(400, 401, 403, 408, 413, 415, 422, 503, 507),
    },
    openapi_extra=CLIP_FORM,
)
async def upload(request: Request, parts: PartsDep, owner: OwnerDep) -> Response:
    """Keep a clip for later requests; its id is the SHA-256 of its content."""
    async with read_form(request, parts.artifacts, parts.settings, SHAPE) as form:
        if fields := form.texts():
            raise WrongValue(f"expected the file video alone, got also {', '.join(fields)!r:.80}")
        if not form.files:
            raise WrongValue.for_field("video", "the file is missing; with curl: -F video=@clip.mp4")
        clip = await run_in_threadpool(_save, parts, owner, form.files[0])
    return JSONResponse(_view(clip), status_code=201, headers={"Location": f"/clips/{clip.id}"})


@get_and_head(router, "/{clip_id}", response_model=ClipView, responses=described(400, 401, 403, 404, 422, 503))
def read_clip(clip_id: ClipPath, parts: PartsDep, owner: OwnerDep) -> Response:
    """Say what is known of a clip."""
    return JSONResponse(_view(find_clip(parts, owner, clip_id)), headers={"Cache-Control": "no-store"})


@router.delete("/{clip_id}", status_code=204, responses=described(400, 401, 403, 404, 422, 503))
def delete_clip(clip_id: ClipPath, parts: PartsDep, owner: OwnerDep) -> Response:
    """Forget a clip; a job that still uses its content keeps that to its end."""
    find_clip(parts, owner, clip_id)
    parts.artifacts.delete_all(ClipStore(parts.store).delete(owner, clip_id))
    return Response(status_code=204)


def _save(parts: Parts, owner: str, file: FormFile) -> Clip:
    clips, container = ClipStore(parts.store), sniff(file.head)
    assert container is not None, "the form reader lets no other file through"
    clips.pin(owner, file.writer.sha256)
    return clips.save(owner, file.writer.publish(), container.title)


def _view(clip: Clip) -> dict[str, object]:
    view = ClipView(id=clip.id, bytes=clip.bytes, type=clip.title, created=clip.created, expires=clip.expires)
    return view.model_dump(mode="json")
