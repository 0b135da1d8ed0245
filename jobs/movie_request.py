"""What is asked when somebody reads a result as a movie: drawing it from the result's arrays, by a job of its own."""

from typing import Annotated, ClassVar, Literal, cast, get_args

from pydantic import Field, StringConstraints

from jobs.request_parts import BATCH, INTERACTIVE, Content, Request

SHORT = 10_000_000  # bytes of arrays, some 400 frames of 64 pixels twice: a longer movie is not to hold up a slider

Moving = Literal["mp4", "webp", "gif"]
Filmed = Literal["encode", "swap", "sample", "interpolate", "predict", "decode"]
MOVIES: dict[Moving, str] = {"mp4": "video/mp4", "webp": "image/webp", "gif": "image/gif"}
NPZ = "application/x-npz"


def filmed(kind: str) -> Filmed | None:
    """Return the kind of job where its results move, None where they do not."""
    return cast(Filmed, kind) if kind in get_args(Filmed) else None


class MovieRequest(Request):
    """One movie of a finished job, to be added to that job's results; nobody sees the job that draws it."""

    queue: ClassVar[str] = INTERACTIVE
    no_result_of: ClassVar[frozenset[str]] = frozenset({"model", "size"})
    kind: Literal["movie"] = "movie"
    parent: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    of: Filmed
    arrays: Content  # the parent's npz
    size: Annotated[int, Field(ge=0, description="bytes of the arrays, unpacked")] = 0
    format: Moving

    @property
    def media_type(self) -> str:
        """What comes out."""
        return MOVIES[self.format]

    @property
    def waits_in(self) -> str:
        """The queue of its job: somebody waits for it, as for a latent grid; only a long one is work like a clip."""
        return self.queue if self.size <= SHORT else BATCH

    @property
    def inputs(self) -> list[str]:
        """The arrays."""
        return [self.arrays]
