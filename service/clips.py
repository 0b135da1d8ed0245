"""Looking up an owner's clip by the id that a client sends."""

from jobs.artifacts import SHA256
from jobs.clips import Clip, ClipStore
from jobs.errors import UnknownClip, WrongValue
from service.parts import Parts


def find_clip(parts: Parts, owner: str, clip_id: str) -> Clip:
    """Return the owner's clip.

    Raises:
        WrongValue: it is no id.
        UnknownClip: it never was, has expired, or is another's.

    """
    if not SHA256.fullmatch(clip_id):
        raise WrongValue.for_field("clip", f"expected a clip's id (64 hex digits), got {clip_id!r:.80}")
    clip = ClipStore(parts.store).find(owner, clip_id)
    if clip is None or not parts.artifacts.exists(clip_id):
        raise UnknownClip(f"there is no clip {clip_id}; upload it with POST /clips")
    return clip


def clip_of(parts: Parts, owner: str, clip_id: str) -> str:
    """Return the content that an uploaded clip's id names."""
    return find_clip(parts, owner, clip_id).id
