"""What the API's description says of bodies and of jobs' answers, which FastAPI cannot see: it reads neither."""

from collections.abc import Mapping
from typing import Any

from jobs.callbacks import LONGEST as LONGEST_CALLBACK
from jobs.code_requests import LARGEST, LONGEST
from jobs.train_request import LEAST_CLIPS, MODEL_NAME, MOST_CLIPS
from service.examples import CLIP, DECODE, ENCODE, INTERPOLATE, PREDICT, SAMPLE, SWAP, TRAIN
from service.headers import ALL_ABOUT_A_RESULT, CONTENT_RANGE, ETAG, LOCATION, PREFERENCE_APPLIED, RETRY_AFTER
from service.negotiation import KINDS, MEDIA_TYPES
from service.parameters import CLIP_ID, JOB_ID, SEED
from service.problems import described
from service.results import RESULTS
from service.views import JobView, Kind

# What jobs/magic.py recognises, as media types that a browser or curl may state; the bytes count, not what is stated.
TAKEN = (
    "video/mp4, video/quicktime, video/webm, video/x-matroska, video/x-msvideo, image/gif, image/webp, image/png, "
    "image/jpeg"
)
_FILE = {"type": "string", "format": "binary"}
_MODEL = {
    "type": "string",
    "examples": ["faces-vae"],
    "description": "a model's name, as GET /models lists them, or NAME@DIGEST; the default model when nothing is said",
}
CALLBACK = {
    "type": "string",
    "format": "uri",
    "pattern": "^https://",
    "maxLength": LONGEST_CALLBACK,
    "description": "an https address that is told when the job has ended, by a signed POST (Standard Webhooks)",
}
_ENCODE_ID = JOB_ID | {"description": "the id of a finished encode, as POST /encode answers it and GET /jobs lists it"}


def form(properties: dict[str, Any], *required: str, curl: str | None = None) -> dict[str, Any]:
    """Return the OpenAPI request body of a form; `curl` are the arguments of an example."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    files = {
        name: {"contentType": TAKEN}
        for name, one in properties.items()
        if "binary" in (one.get("format"), one.get("items", {}).get("format"))
    }
    body: dict[str, Any] = {"multipart/form-data": {"schema": schema, "encoding": files}}
    said = {"description": f"With curl, and files of yours: `curl {curl}`"} if curl else {}
    return {"requestBody": {**said, "required": True, "content": body}}


_CLIP = {
    "video": _FILE | {"description": "a video, an animated GIF, WebP or PNG, or one still picture"},
    "clip": CLIP_ID | {"description": "the id of an earlier upload (POST /clips), instead of video"},
}
_CUT = {
    "start": {"type": "number", "minimum": 0, "maximum": 1e6, "default": 0, "description": "seconds into the clip"},
    "end": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e6, "description": "seconds; none means its end"},
    "stride": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "default": 1,
        "description": "every how many frames one is taken",
    },
    "max_frames": {
        "type": "integer",
        "minimum": 1,
        "maximum": 100_000,
        "description": "stop quietly after this many frames",
    },
    "crop": {
        "type": "string",
        "pattern": r"^(none|center|face|[0-9]{1,5},[0-9]{1,5},[1-9][0-9]{0,4},[1-9][0-9]{0,4})$",
        "default": "center",
        "description": "none, center, face, or x,y,w,h in pixels",
    },
}
ENCODE_FIELDS = {**_CLIP, "model": _MODEL, **_CUT, "callback": CALLBACK}
ENCODE_FORM = form(ENCODE_FIELDS, curl=ENCODE)

PREDICT_FIELDS = {
    **_CLIP,
    "job": _ENCODE_ID
    | {"description": f"{_ENCODE_ID['description']}, instead of a clip: its first frames are encoded alone"},
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
    "seed": SEED | {"description": "draws the future; without one it is the likeliest, and several are of seed 0"},
    **_CUT,
    "callback": CALLBACK,
}
PREDICT_FORM = form(PREDICT_FIELDS, curl=PREDICT)

_FILES = {"type": "array", "items": _FILE, "maxItems": 8}
_JOBS = {"type": "array", "items": JOB_ID, "maxItems": 8}
_CLIPS = {"type": "array", "items": CLIP_ID, "maxItems": 8, "description": "ids of earlier uploads (POST /clips)"}
SWAP_FIELDS = {
    "static": _FILES | {"description": "clips whose appearance is taken; 1 to 8 sources a side, of whatever origin"},
    "dynamic": _FILES | {"description": "clips whose motion is taken"},
    "static_job": _JOBS | {"description": "ids of finished encodes whose appearance is taken"},
    "dynamic_job": _JOBS | {"description": "ids of finished encodes whose motion is taken"},
    "static_clip": _CLIPS,
    "dynamic_clip": _CLIPS,
    "model": _MODEL,
    "transfer": {
        "type": "string",
        "enum": ["raw", "prior"],
        "default": "raw",
        "description": "motion as it is, or as the new identity's prior would have it",
    },
    "callback": CALLBACK,
}
SWAP_FORM = form(SWAP_FIELDS, curl=SWAP)

CLIP_FORM = form({"video": _CLIP["video"]}, "video", curl=CLIP)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Null says nothing, as if the field were not there."""
    said = schema | {"type": [schema["type"], "null"]}
    return said | {"enum": [*schema["enum"], None]} if "enum" in schema else said


_NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
_VECTOR = {"type": "array", "items": _NUMBER, "maxItems": LONGEST}
_OWN_MODEL = _or_null(_MODEL) | {"description": "a model's name; the default, or static_job's, when nothing is said"}
_STATIC_JOB = _or_null(_ENCODE_ID) | {"description": f"{_ENCODE_ID['description']}; its identity is taken"}
_CALLBACK = _or_null(CALLBACK)

SAMPLE_FIELDS = {
    "model": _OWN_MODEL,
    "seed": _or_null(SEED) | {"default": 0},
    "identities": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 8,
        "default": 1,
        "description": "new identities, each with a motion of its own; with static_job motions of that one",
    },
    "frames": {"type": ["integer", "null"], "minimum": 1, "maximum": 256, "default": 40},
    "static_job": _STATIC_JOB,
    "callback": _CALLBACK,
}
INTERPOLATE_FIELDS = {
    "model": _or_null(_MODEL) | {"description": "a model's name; that of the ends when nothing is said"},
    "ends": {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {
            "type": "object",
            "required": ["job", "frame"],
            "additionalProperties": False,
            "properties": {
                "job": _ENCODE_ID,
                "frame": {"type": "integer", "minimum": 0, "description": "which of its frames, from 0"},
            },
        },
        "description": "where the path begins and where it ends",
    },
    "steps": {
        "type": ["integer", "null"],
        "minimum": 2,
        "maximum": 256,
        "default": 16,
        "description": "both ends included",
    },
    "part": {
        "type": ["string", "null"],
        "enum": ["dynamic", "static", "both", None],
        "default": "dynamic",
        "description": "which code goes from one end to the other; the rest stays as at the first end",
    },
    "callback": _CALLBACK,
}
DECODE_FIELDS = {
    "model": _OWN_MODEL,
    "static": _or_null(_VECTOR) | {"description": "one identity: as many numbers as the model's static_dim"},
    "static_job": _STATIC_JOB,
    "dynamic": {
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "items": _VECTOR,
        "description": "one code for each picture: as many numbers as the model's dynamic_dim",
    },
    "callback": _CALLBACK,
}

TRAIN_FIELDS = {
    "name": {
        "type": "string",
        "pattern": MODEL_NAME,
        "description": "what the model will be called; no model that is served may have the name",
    },
    "clips": {
        "type": "array",
        "items": CLIP_ID,
        "minItems": LEAST_CLIPS,
        "maxItems": MOST_CLIPS,
        "uniqueItems": True,
        "description": "ids of uploads (POST /clips); a tenth of the clips, one at least, is held out to measure on, "
        "and where there is only one, a part of it: it then needs 120 frames or more",
    },
    "family": {
        "type": ["string", "null"],
        "enum": ["vae", "drnet", None],
        "default": "vae",
        "description": "the unordered VAE, or DrNET",
    },
    "crop": {
        "type": ["string", "null"],
        "enum": ["center", "face", None],
        "default": "center",
        "description": "the largest centred square of each frame, or the face, followed",
    },
    "minutes": {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "default": 15,
        "description": "about how long it takes, all in all; the weights that redrew held-out clips best are kept",
    },
    "callback": _CALLBACK,
}


def json_body(properties: dict[str, Any], *required: str, examples: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the OpenAPI request body of a JSON object."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    content: dict[str, Any] = {"schema": schema}
    if examples:
        content["examples"] = dict(examples)
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


SAMPLE_BODY = json_body(SAMPLE_FIELDS, examples=SAMPLE)
INTERPOLATE_BODY = json_body(INTERPOLATE_FIELDS, "ends", examples=INTERPOLATE)
DECODE_BODY = json_body(DECODE_FIELDS, "dynamic", examples=DECODE)
TRAIN_BODY = json_body(TRAIN_FIELDS, "name", "clips", examples=TRAIN)


def result_content(*kinds: str) -> dict[str, Any]:
    """Return the OpenAPI content of results of these kinds, beside their JSON."""
    names = dict.fromkeys(name for kind in kinds for name in KINDS[kind])
    return {MEDIA_TYPES[name]: {"schema": _FILE} for name in names if name != "json"}


def described_parts(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses to somebody who reads a result in ranges, or has it already."""
    ranged = {
        MEDIA_TYPES["json"]: {"schema": _FILE},
        **result_content(*kinds),
        "multipart/byteranges": {"schema": _FILE},
    }
    return {
        206: {"description": "A range of it", "content": ranged, "headers": CONTENT_RANGE},
        304: {"description": "The client has it", "headers": ETAG},
        **described(416),
    }


def described_job(kind: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of a request that makes a job of this kind."""
    return {
        200: {
            "description": "The result: the client waited",
            "model": RESULTS[kind],
            "content": result_content(kind),
            "headers": LOCATION | PREFERENCE_APPLIED | ALL_ABOUT_A_RESULT,
        },
        202: {"description": "The job", "model": JobView, "headers": LOCATION | PREFERENCE_APPLIED | RETRY_AFTER},
        **described(400, 401, 403, 404, 406, 408, 409, 410, 413, 415, 422, 429, 500, 503, 507),
    }
