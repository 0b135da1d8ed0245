"""What may be asked of a worker, as values that are checked once, at the door, and travel as JSON.

A request names its inputs by content and its model by digest, so the same request always means the same result; that is
what its fingerprint states.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, TypeAdapter, ValidationError, ValidationInfo, field_validator, model_validator

from jobs.code_requests import DecodeRequest, End, InterpolateRequest, SampleRequest
from jobs.errors import WrongValue
from jobs.movie_request import MovieRequest
from jobs.request_parts import (
    BATCH,
    INTERACTIVE,
    QUEUES,
    SERVED,
    TRAINING,
    Content,
    Cut,
    Decimal,
    Dims,
    Request,
    Seed,
    Source,
    Whole,
)
from jobs.train_request import TrainRequest

MOST_PICTURES = 4000  # of one prediction, over all its samples
MOST_ERRORS = 20  # told of one request


class EncodeRequest(Request, Cut):
    """The codes of a clip."""

    queue: ClassVar[str] = BATCH
    kind: Literal["encode"] = "encode"
    clip: Content

    @property
    def inputs(self) -> list[str]:
        """The clip."""
        return [self.clip]


class SwapRequest(Request):
    """Every static source doing every dynamic source's motion."""

    queue: ClassVar[str] = BATCH
    kind: Literal["swap"] = "swap"
    static: tuple[Source, ...] = Field(min_length=1, max_length=8)
    dynamic: tuple[Source, ...] = Field(min_length=1, max_length=8)
    transfer: Literal["raw", "prior"] = "raw"

    @property
    def inputs(self) -> list[str]:
        """Every clip and every file of codes, once."""
        return list(dict.fromkeys(source.artifact for source in (*self.static, *self.dynamic)))


class GridRequest(Request):
    """The dynamic plane of one identity, decoded on a grid."""

    queue: ClassVar[str] = INTERACTIVE
    kind: Literal["latent-grid"] = "latent-grid"
    static: Source | None = None
    seed: Seed | None = Field(None, description="draws an identity from the prior")
    size: Annotated[Whole, Field(ge=2, le=31, description="pictures along each side")] = 9
    dims: Annotated[Dims, Field(description="auto (the two most active), principal (axes), or two dimensions")] = "auto"
    extent: Annotated[
        Decimal, Field(gt=0, le=10, description="half the plane's width in prior standard deviations")
    ] = 2.5
    spacing: Literal["linear", "quantile"] = "linear"

    @model_validator(mode="after")
    def _one_identity(self) -> "GridRequest":
        if (self.static is None) == (self.seed is None):
            raise ValueError("expected either the codes of an encode (static_job) or a seed, not both and not neither")
        return self

    @property
    def inputs(self) -> list[str]:
        """The codes of the identity, where it has any."""
        return [self.static.artifact] if self.static else []


class PredictRequest(Request, Cut):
    """The frames that follow the first ones of a clip: the likeliest future, or with a seed samples."""

    queue: ClassVar[str] = BATCH
    kind: Literal["predict"] = "predict"
    source: Source
    observe: Annotated[Whole, Field(ge=2, le=1000, description="frames that the model is shown")] = 10
    frames: Annotated[Whole, Field(ge=1, le=1000, description="frames that it predicts")] = 40
    samples: Annotated[Whole, Field(ge=1, le=16, description="different futures")] = 1
    seed: Seed | None = Field(None, validate_default=True)

    @field_validator("seed")
    @classmethod
    def _several_are_drawn(cls, seed: int | None, info: ValidationInfo) -> int | None:
        """The likeliest future is one; several are samples, also where nobody names a seed."""
        return 0 if seed is None and info.data.get("samples", 1) > 1 else seed

    @model_validator(mode="after")
    def _possible(self) -> "PredictRequest":
        pictures = self.samples * (self.observe + self.frames)
        if pictures > MOST_PICTURES:
            raise ValueError(
                f"{self.samples} samples of {self.observe} observed and {self.frames} predicted frames are {pictures} "
                f"pictures; at most {MOST_PICTURES} are made at once: take fewer samples or frames"
            )
        cut = {name for name, field in Cut.model_fields.items() if getattr(self, name) != field.default}
        if self.source.codes and cut:
            raise ValueError(
                f"{', '.join(sorted(cut))}: these say which part of a clip is meant; a job has cut its own"
            )
        return self

    @property
    def inputs(self) -> list[str]:
        """The clip, or the codes of an encode."""
        return [self.source.artifact]


JobRequest = (
    EncodeRequest
    | SwapRequest
    | GridRequest
    | SampleRequest
    | InterpolateRequest
    | PredictRequest
    | DecodeRequest
    | TrainRequest
    | MovieRequest
)
KINDS = ("encode", "swap", "latent-grid", "sample", "interpolate", "predict", "decode", "train", "movie")
_ANY = TypeAdapter(Annotated[JobRequest, Field(discriminator="kind")])


def parse_request(said: dict[str, Any]) -> JobRequest:
    """Return the request that a dictionary states.

    Raises:
        WrongValue: a value is missing, unknown or out of range; every one of them is named.

    """
    try:
        return _ANY.validate_python(said)
    except ValidationError as error:
        raise wrong_values(error) from None


def wrong_values(error: ValidationError) -> WrongValue:
    """Return the problem that names each wrong field, as the asker called it."""
    errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False)[:MOST_ERRORS]:
        first, *rest = found["loc"] or ("request",)
        place = [str(part) for part in (rest if first in KINDS else found["loc"])]
        errors.append({"field": ".".join(place) or "request", "detail": found["msg"].removeprefix("Value error, ")})
    left = error.error_count() - len(errors)
    said = [f"{one['field']}: {one['detail']}" for one in errors] + ([f"and {left} more"] if left else [])
    return WrongValue("; ".join(said), errors=errors)


__all__ = [
    "BATCH",
    "INTERACTIVE",
    "QUEUES",
    "SERVED",
    "TRAINING",
    "DecodeRequest",
    "EncodeRequest",
    "End",
    "GridRequest",
    "InterpolateRequest",
    "JobRequest",
    "MovieRequest",
    "PredictRequest",
    "Request",
    "SampleRequest",
    "Source",
    "SwapRequest",
    "TrainRequest",
    "parse_request",
    "wrong_values",
]
