"""Headers of answers, as the API's description states them."""

from typing import Any

_TEXT = {"type": "string"}


def _header(description: str, always: bool = False, schema: dict[str, Any] = _TEXT) -> dict[str, Any]:
    return {"description": description, "schema": schema, **({"required": True} if always else {})}


LOCATION = {"Location": _header("/jobs/{id}", always=True)}
CLIP_LOCATION = {"Location": _header("/clips/{id}", always=True)}
PREFERENCE_APPLIED = {"Preference-Applied": _header("what of Prefer was granted: wait=SECONDS or respond-async")}
RETRY_AFTER = {"Retry-After": _header("seconds", schema={"type": "integer", "minimum": 0})}
ALWAYS_RETRY_AFTER = {"Retry-After": _header("seconds", always=True, schema={"type": "integer", "minimum": 0})}
WHO_ARE_YOU = {"WWW-Authenticate": _header("Bearer", always=True)}
ETAG = {"ETag": _header("strong; changes with the result's bytes", always=True)}
ALL_ABOUT_A_RESULT = ETAG | {
    "Content-Location": _header("where this representation is read again", always=True),
    "Cache-Control": _header("immutable where the request names the model's digest", always=True),
    "Accept-Ranges": _header("bytes", always=True),
}
CONTENT_RANGE = {"Content-Range": _header("which bytes of how many; absent where several ranges came")}
UNSATISFIED_RANGE = {"Content-Range": _header("bytes */SIZE", always=True)}
NEXT_PAGE = {"Link": _header('the next page, rel="next"; absent on the last one')}
