"""Everything an asker may be told went wrong, as problems (RFC 9457) that travel through Redis and HTTP alike.

    TwofoldError
    ├── ConfigurationError           the operator's to fix: no server, a bad setting, two processes on one folder
    └── Problem                      the asker's to read; has a slug, a title and an HTTP status
        ├── Malformed 400, Unauthorized 401, Refused 403, TrainingOff 403,
        │   UnknownThing 404 (UnknownModel, UnknownJob, UnknownPath), NotAllowed 405, NotAcceptable 406,
        │   UploadTimeout 408, NameTaken 409, Conflict 409 (NotFinished, AlreadyFinished, KeyInUse), Gone 410,
        │   TooLarge 413, NotAMedia, NotAForm and NotJson 415, RangeNotSatisfiable 416, TooManyJobs 429
        ├── WrongValue, TruncatedBody, EmptyFile, UndecodableMedia (NoVideo, NoFace, TooManyFrames, TooFewFrames,
        │   FrameTooLarge, DecodeTimeout, DecoderCrashed), CannotLearn: 422
        ├── Canceled 409
        └── ours: InternalError 500 (WorkerLost, JobTimeout, GpuOutOfMemory, ModelChanged), QueueFull 503,
            Unavailable 503 (StorageUnavailable), StorageFull 507

A problem whose `lasting` is true will come again however often the same request is made, so its job may be reused.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self


class TwofoldError(Exception):
    """The root of every error that Twofold itself raises."""


class ConfigurationError(TwofoldError):
    """Something about where Twofold runs is wrong, and only the operator can put it right."""


class Problem(TwofoldError):
    """A failure with a form: what an asker gets as `application/problem+json`."""

    slug: str = "problem"
    title: str = "Something went wrong"
    status: int = 500
    lasting: ClassVar[bool] = False
    known: ClassVar[dict[str, type["Problem"]]] = {}

    def __init_subclass__(cls) -> None:
        """Keep every problem under its slug, so that one read back from Redis is of its own class again."""
        Problem.known[cls.slug] = cls

    def __init__(
        self, detail: str, errors: Sequence[Mapping[str, str]] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(dict(error) for error in errors)
        self.headers = dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """Return the members of RFC 9457; `instance` is added by whoever answers."""
        members: dict[str, Any] = {
            "type": f"/problems/{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            members["errors"] = list(self.errors)
        return members

    @classmethod
    def from_dict(cls, members: Mapping[str, Any]) -> "Problem":
        """Return the problem that `to_dict` wrote, of its own class where that is known; else it says what they say."""
        slug = str(members.get("type", "")).rsplit("/", 1)[-1]
        detail, errors = str(members.get("detail", "")), members.get("errors", ())
        if slug in Problem.known:
            return Problem.known[slug](detail, errors=errors)
        other = Problem(detail, errors=errors)
        other.slug, other.title = slug or cls.slug, str(members.get("title", cls.title))
        other.status = status if isinstance(status := members.get("status"), int) else cls.status
        return other

    @classmethod
    def for_field(cls, field: str, detail: str) -> Self:
        """Return the problem for one wrong field."""
        return cls(f"{field}: {detail}", errors=[{"field": field, "detail": detail}])


class TrainingOff(Problem):
    """Models are learnt here on the operator's word only."""

    slug, title, status = "training-off", "Training is not enabled", 403


class Refused(Problem):
    """The request comes from somewhere that this server does not serve."""

    slug, title, status = "refused", "Not served to this origin", 403


class NotAForm(Problem):
    """The body is no form."""

    slug, title, status = "not-a-form", "The body is not a form", 415


class NotJson(Problem):
    """The body is no JSON."""

    slug, title, status = "not-json", "The body is not JSON", 415


class NameTaken(Problem):
    """A model of the name is served already, or being taught."""

    slug, title, status = "name-taken", "There is a model of this name", 409


class CannotLearn(Problem):
    """The clips are not what a model can be learnt from."""

    slug, title, status = "cannot-learn", "No model can be learnt from these clips", 422
    lasting = True


class Malformed(Problem):
    """The request cannot be read as HTTP means it."""

    slug, title, status = "malformed", "The request is malformed", 400


class Unauthorized(Problem):
    """This server asks for a key, and none that it knows came: `Authorization: Bearer KEY`, or `X-API-Key: KEY`."""

    slug, title, status = "unauthorized", "A key is needed", 401


class UnknownPath(Problem):
    """Nothing lives at this path."""

    slug, title, status = "not-found", "There is nothing here", 404


class UnknownModel(Problem):
    """No such model is served."""

    slug, title, status, lasting = "unknown-model", "No such model", 404, False


class UnknownJob(Problem):
    """No such job, or another owner's."""

    slug, title, status = "unknown-job", "No such job", 404


class UnknownClip(Problem):
    """No such clip, or another owner's."""

    slug, title, status = "unknown-clip", "No such clip", 404


class NotAllowed(Problem):
    """The path exists, the method does not."""

    slug, title, status = "method-not-allowed", "Method not allowed", 405


class NotAcceptable(Problem):
    """This kind of job has no such representation."""

    slug, title, status = "not-acceptable", "No such representation", 406


class UploadTimeout(Problem):
    """The body came too slowly."""

    slug, title, status = "upload-timeout", "The upload was too slow", 408


class NotFinished(Problem):
    """The result is asked for before the job has ended."""

    slug, title, status = "not-finished", "The job has not ended yet", 409


class AlreadyFinished(Problem):
    """A job that has ended cannot be canceled."""

    slug, title, status = "already-finished", "The job has already ended", 409


class KeyInUse(Problem):
    """Another request with this Idempotency-Key is still being read."""

    slug, title, status = "idempotency-key-in-use", "This Idempotency-Key is in use", 409


class Canceled(Problem):
    """The job was canceled, so there is no result and never will be."""

    slug, title, status = "canceled", "The job was canceled", 409


class Gone(Problem):
    """The job is known to have existed, and its results have expired."""

    slug, title, status = "gone", "The job has expired", 410


class TooLarge(Problem):
    """The body is larger than this server takes."""

    slug, title, status = "too-large", "The upload is too large", 413


class NotAMedia(Problem):
    """The bytes are no picture or video of the kinds taken, whatever the name says."""

    slug, title, status, lasting = "not-a-media", "Not a media type we take", 415, True


class RangeNotSatisfiable(Problem):
    """The range lies past the end of the result."""

    slug, title, status = "range-not-satisfiable", "The range lies outside the result", 416


class TooManyJobs(Problem):
    """This key has as many jobs waiting or running as it may."""

    slug, title, status = "too-many-jobs", "This key has too many jobs", 429


class WrongValue(Problem):
    """A value is missing, unknown or out of range."""

    slug, title, status, lasting = "wrong-value", "A value is wrong", 422, True


class TruncatedBody(Problem):
    """The body ended before its form did."""

    slug, title, status = "truncated-body", "The body ends too early", 422


class EmptyFile(Problem):
    """A file of no bytes."""

    slug, title, status, lasting = "empty-file", "The file is empty", 422, True


class UndecodableMedia(Problem):
    """The container was recognised, and its pictures cannot be decoded."""

    slug, title, status, lasting = "undecodable", "The media cannot be decoded", 422, True


class NoVideo(UndecodableMedia):
    """There is no video stream, or no frame in it."""

    slug, title = "no-video", "There is no video in the file"


class TooFewFrames(UndecodableMedia):
    """More frames are needed than the clip has."""

    slug, title = "too-few-frames", "The clip has too few frames"


class TooManyFrames(UndecodableMedia):
    """The clip is longer than this server takes."""

    slug, title = "too-many-frames", "The clip has too many frames"


class FrameTooLarge(UndecodableMedia):
    """One picture has more pixels than this server takes."""

    slug, title = "frame-too-large", "A frame has too many pixels"


class NoFace(UndecodableMedia):
    """The crop was to follow a face, and none is seen."""

    slug, title = "no-face", "No face was found in the clip"


class DecodeTimeout(UndecodableMedia):
    """Decoding took longer than allowed. May be the machine's load, so it is not held against the clip for good."""

    slug, title, lasting = "decode-timeout", "Decoding took too long", False


class DecoderCrashed(UndecodableMedia):
    """The decoder's process died on this file."""

    slug, title, lasting = "decoder-crashed", "The decoder crashed on this file", False


class InternalError(Problem):
    """Ours. The text says no more than that; the log has the rest."""

    slug, title, status = "internal-error", "Internal error", 500


class WorkerLost(InternalError):
    """The worker died on this job as often as is allowed."""

    slug, title = "worker-lost", "The worker was lost"


class JobTimeout(InternalError):
    """The job ran longer than allowed."""

    slug, title = "job-timeout", "The job took too long"


class GpuOutOfMemory(InternalError):
    """The GPU had no room, even for the smallest batch."""

    slug, title = "gpu-oom", "The GPU is out of memory"


class ModelChanged(InternalError):
    """The model that the job was made for is no longer on disk."""

    slug, title = "model-changed", "The model has changed since the job was made"


class Unavailable(Problem):
    """Redis does not answer, or refuses to write."""

    slug, title, status = "unavailable", "The service is not available", 503


class StorageUnavailable(Unavailable):
    """The bucket of uploads and results does not answer, or refuses."""

    slug, title = "storage-unavailable", "The storage is not available"


class QueueFull(Problem):
    """More jobs wait than this server lets wait."""

    slug, title, status = "queue-full", "The queue is full", 503


class StorageFull(Problem):
    """There is no room on disk for what came or what was made."""

    slug, title, status = "storage-full", "The storage is full", 507
