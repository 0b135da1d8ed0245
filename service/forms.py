"""What the API's description says of forms and of jobs' answers, which FastAPI cannot see: it reads neither."""

from typing import Any

from service.negotiation import KINDS, MEDIA_TYPES
from service.problems import described
from service.views import JobView

_FILE = {"type": "string", "format": "binary"}
_MODEL = {"type": "string", "description": "a model's name; the default model when nothing is said"}
_JOB_IDS = {"type": "array", "items": {"type": "string"}, "maxItems": 8}


def form(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI request body of a form."""
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


ENCODE_FORM = form(
    {
        "video": _FILE | {"description": "a video, an animated GIF, WebP or PNG, or one still picture"},
        "clip": {"type": "string", "description": "the id of an earlier upload, instead of video"},
        "model": _MODEL,
        "start": {"type": "number", "minimum": 0, "default": 0, "description": "seconds"},
        "end": {"type": "number", "description": "seconds"},
        "stride": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
        "max_frames": {"type": "integer", "minimum": 1},
        "crop": {"type": "string", "default": "center", "description": "none, center, face, or x,y,w,h in pixels"},
    }
)

_FILES = {"type": "array", "items": _FILE, "maxItems": 8}
SWAP_FORM = form(
    {
        "static": _FILES | {"description": "clips whose appearance is taken"},
        "dynamic": _FILES | {"description": "clips whose motion is taken"},
        "static_job": _JOB_IDS | {"description": "finished encodes whose appearance is taken"},
        "dynamic_job": _JOB_IDS | {"description": "finished encodes whose motion is taken"},
        "static_clip": _JOB_IDS | {"description": "ids of earlier uploads"},
        "dynamic_clip": _JOB_IDS | {"description": "ids of earlier uploads"},
        "model": _MODEL,
        "transfer": {"type": "string", "enum": ["raw", "prior"], "default": "raw"},
    }
)

CLIP_FORM = form({"video": _FILE})


def result_content(kinds: tuple[str, ...]) -> dict[str, Any]:
    """Return the OpenAPI content of results of these kinds."""
    names = dict.fromkeys(name for kind in kinds for name in KINDS[kind])
    return {
        MEDIA_TYPES[name]: {"schema": {"type": "object"} if name == "json" else {"type": "string", "format": "binary"}}
        for name in names
    }


def described_job(kind: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a request that makes a job of this kind."""
    location = {"Location": {"schema": {"type": "string"}, "description": "/jobs/{id}"}}
    return {
        200: {"description": "The result: the client waited", "content": result_content((kind,)), "headers": location},
        202: {"description": "The job", "model": JobView, "headers": location},
        **described(400, 403, 404, 406, 408, 409, 410, 413, 415, 422, 500, 503, 507),
    }
