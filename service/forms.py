"""What the API's description says of bodies and of jobs' answers, which FastAPI cannot see: it reads neither."""

from typing import Any

from jobs.train_request import LEAST_CLIPS, MODEL_NAME, MOST_CLIPS
from service.negotiation import KINDS, MEDIA_TYPES
from service.problems import described
from service.views import JobView

_FILE = {"type": "string", "format": "binary"}
_MODEL = {"type": "string", "description": "a model's name; the default model when nothing is said"}
_JOB_IDS = {"type": "array", "items": {"type": "string"}, "maxItems": 8}


CALLBACK = {
    "type": "string",
    "format": "uri",
    "description": "an https address that is told when the job has ended, by a signed POST (Standard Webhooks)",
}


def form(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI request body of a form."""
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


_CLIP = {
    "video": _FILE | {"description": "a video, an animated GIF, WebP or PNG, or one still picture"},
    "clip": {"type": "string", "description": "the id of an earlier upload, instead of video"},
}
_CUT = {
    "start": {"type": "number", "minimum": 0, "default": 0, "description": "seconds"},
    "end": {"type": "number", "description": "seconds"},
    "stride": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1},
    "max_frames": {"type": "integer", "minimum": 1},
    "crop": {"type": "string", "default": "center", "description": "none, center, face, or x,y,w,h in pixels"},
}
ENCODE_FORM = form({**_CLIP, "model": _MODEL, **_CUT, "callback": CALLBACK})

PREDICT_FIELDS = {
    **_CLIP,
    "job": {"type": "string", "description": "a finished encode, instead of a clip; its codes are used as they are"},
    "model": _MODEL | {"description": "a model with motion; the default model, or that of job, when nothing is said"},
    "observe": {
        "type": "integer",
        "minimum": 2,
        "maximum": 1000,
        "default": 10,
        "description": "frames that the model is shown; the static code is theirs alone",
    },
    "frames": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "default": 40,
        "description": "frames to predict; samples * (observe + frames) may be 4000",
    },
    "samples": {"type": "integer", "minimum": 1, "maximum": 16, "default": 1, "description": "different futures"},
    "seed": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**32 - 1,
        "description": "draws the future; without one it is the mean future, and several are drawn by seed 0",
    },
    **_CUT,
    "callback": CALLBACK,
}
PREDICT_FORM = form(PREDICT_FIELDS)

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
        "callback": CALLBACK,
    }
)

CLIP_FORM = form({"video": _FILE})

_VECTOR = {"type": "array", "items": {"type": "number"}}
_STATIC_JOB = {"type": "string", "description": "a finished encode, whose identity is taken"}

SAMPLE_FIELDS = {
    "model": _MODEL | {"description": "a model's name; the default model, or that of static_job, when nothing is said"},
    "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 0},
    "identities": {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
        "default": 1,
        "description": "new identities, each with a motion of its own; with static_job motions of that one",
    },
    "frames": {"type": "integer", "minimum": 1, "maximum": 256, "default": 40},
    "static_job": _STATIC_JOB,
    "callback": CALLBACK,
}
INTERPOLATE_FIELDS = {
    "model": _MODEL | {"description": "a model's name; that of the ends when nothing is said"},
    "ends": {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {
            "type": "object",
            "required": ["job", "frame"],
            "additionalProperties": False,
            "properties": {
                "job": {"type": "string", "description": "a finished encode"},
                "frame": {"type": "integer", "minimum": 0, "description": "which of its frames, from 0"},
            },
        },
        "description": "where the path begins and where it ends",
    },
    "steps": {"type": "integer", "minimum": 2, "maximum": 256, "default": 16, "description": "both ends included"},
    "part": {
        "type": "string",
        "enum": ["dynamic", "static", "both"],
        "default": "dynamic",
        "description": "which code goes from one end to the other; the rest stays as at the first end",
    },
    "callback": CALLBACK,
}
DECODE_FIELDS = {
    "model": _MODEL | {"description": "a model's name; the default model, or that of static_job, when nothing is said"},
    "static": _VECTOR | {"description": "one identity: as many numbers as the model's static_dim"},
    "static_job": _STATIC_JOB | {"description": "or the identity of a finished encode"},
    "dynamic": {
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "items": _VECTOR,
        "description": "one code for each picture: as many numbers as the model's dynamic_dim",
    },
    "callback": CALLBACK,
}

TRAIN_FIELDS = {
    "name": {
        "type": "string",
        "pattern": MODEL_NAME,
        "description": "what the model will be called; no model that is served may have the name",
    },
    "clips": {
        "type": "array",
        "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "minItems": LEAST_CLIPS,
        "maxItems": MOST_CLIPS,
        "uniqueItems": True,
        "description": "ids of uploads (POST /clips); a tenth of the clips, one at least, is held out to measure on",
    },
    "family": {
        "type": "string",
        "enum": ["vae", "drnet"],
        "default": "vae",
        "description": "the unordered VAE, or DrNET",
    },
    "crop": {
        "type": "string",
        "enum": ["center", "face"],
        "default": "center",
        "description": "the largest centred square of each frame, or the face, followed",
    },
    "minutes": {
        "type": "number",
        "exclusiveMinimum": 0,
        "default": 15,
        "description": "about how long it may take; it ends earlier where held-out clips are redrawn no better",
    },
    "callback": CALLBACK,
}


def json_body(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """Return the OpenAPI request body of a JSON object."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


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
        **described(400, 401, 403, 404, 406, 408, 409, 410, 413, 415, 422, 429, 500, 503, 507),
    }
