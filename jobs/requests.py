"""What may be asked of a worker, as values that are checked once, at the door, and travel as JSON.

A request names its inputs by content and its model by digest, so the same request always means the same result; that is
what its fingerprint states.
"""

import hashlib
import json
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from jobs.errors import WrongValue

INTERACTIVE, BATCH = "interactive", "batch"  # the two queues: latent queries, and video
QUEUES = (INTERACTIVE, BATCH)

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Content = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _whole(value: Any) -> Any:
    """Refuse what Python would kindly turn into an int: true, 1.0, 1_000, Arabic digits."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip(" ")):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, got {value!r:.60}")


def _decimal(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(
        r"[+-]?[0-9]{0,15}\.?[0-9]{1,15}([eE][+-]?[0-9]{1,2})?", value.strip(" ")
    ):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a number, got {value!r:.60}")


def _crop(value: Any) -> Any:
    if value in ("none", "center", "face"):
        return value
    if isinstance(value, str) and re.fullmatch(r" *[0-9]{1,5}( *, *[0-9]{1,5}){3} *", value):
        x, y, width, height = (int(part) for part in value.split(","))
        if width > 0 and height > 0:
            return f"{x},{y},{width},{height}"
    raise ValueError(f"expected none, center, face, or x,y,w,h in whole pixels with w and h above 0, got {value!r:.60}")


def _dims(value: Any) -> Any:
    if value == "auto":
        return value
    if isinstance(value, str) and re.fullmatch(r" *[0-9]{1,4} *, *[0-9]{1,4} *", value):
        value = [int(part) for part in value.split(",")]
    numbers = isinstance(value, list | tuple) and all(type(part) is int and part >= 0 for part in value)
    if numbers and len(value) == 2 and value[0] != value[1]:
        return f"{value[0]},{value[1]}"
    raise ValueError(f"expected auto, or two different dimensions such as 0,1, got {value!r:.60}")


Whole = Annotated[int, BeforeValidator(_whole)]
Decimal = Annotated[float, BeforeValidator(_decimal), Field(allow_inf_nan=False)]


class _Request(BaseModel):
    """What every request says: which model, by name for people and by digest for the worker."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    queue: ClassVar[str]
    kind: str
    model: str
    digest: Digest

    @property
    def inputs(self) -> list[str]:
        """The artifacts that the job reads."""
        return []

    def fingerprint(self, owner: str) -> str:
        """Return SHA-256(kind, model digest, canonical parameters, inputs, owner): equal for equal results."""
        said = self.model_dump(mode="json", exclude={"model"}) | {"owner": owner}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Source(BaseModel):
    """Where a code comes from: a clip to be encoded, or the codes (npz) of a finished encode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clip: Content | None = None
    codes: Content | None = None
    job: str | None = Field(None, description="the encode job that the codes are of, for people to read")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Source":
        if (self.clip is None) == (self.codes is None):
            raise ValueError("expected either a clip or the codes of an encode")
        return self

    @property
    def artifact(self) -> str:
        """The file that the worker opens."""
        return self.clip or self.codes or ""


class EncodeRequest(_Request):
    """The codes of a clip."""

    queue: ClassVar[str] = BATCH
    kind: Literal["encode"] = "encode"
    clip: Content
    start: Annotated[Decimal, Field(ge=0, le=1e6, description="seconds into the clip")] = 0.0
    end: Annotated[Decimal, Field(gt=0, le=1e6, description="seconds into the clip; none means its end")] | None = None
    stride: Annotated[Whole, Field(ge=1, le=1000, description="every how many frames one is taken")] = 1
    max_frames: Annotated[Whole, Field(ge=1, le=100_000, description="stop quietly after this many frames")] | None = (
        None
    )
    crop: Annotated[str, BeforeValidator(_crop), Field(description="none, center, face, or x,y,w,h in pixels")] = (
        "center"
    )

    @model_validator(mode="after")
    def _end_after_start(self) -> "EncodeRequest":
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end:g} s) must lie after start ({self.start:g} s)")
        return self

    @property
    def inputs(self) -> list[str]:
        """The clip."""
        return [self.clip]


class SwapRequest(_Request):
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

    def fingerprint(self, owner: str) -> str:
        """As for every request; which job the codes were read from does not change the result."""
        plain = [[source.model_copy(update={"job": None}) for source in side] for side in (self.static, self.dynamic)]
        same = self.model_copy(update={"static": tuple(plain[0]), "dynamic": tuple(plain[1])})
        return super(SwapRequest, same).fingerprint(owner)


class GridRequest(_Request):
    """The dynamic plane of one identity, decoded on a grid."""

    queue: ClassVar[str] = INTERACTIVE
    kind: Literal["latent-grid"] = "latent-grid"
    static: Source | None = None
    seed: Annotated[Whole, Field(ge=0, lt=2**32, description="draws an identity from the prior")] | None = None
    size: Annotated[Whole, Field(ge=2, le=31, description="pictures along each side")] = 9
    dims: Annotated[str, BeforeValidator(_dims), Field(description="auto (the two most active), or two dimensions")] = (
        "auto"
    )
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

    def fingerprint(self, owner: str) -> str:
        """As for every request; which job the codes were read from does not change the result."""
        plain = self.static.model_copy(update={"job": None}) if self.static else None
        return super(GridRequest, self.model_copy(update={"static": plain})).fingerprint(owner)


JobRequest = EncodeRequest | SwapRequest | GridRequest
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
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        place = [str(part) for part in found["loc"] if part not in ("encode", "swap", "latent-grid")]
        errors.append({"field": ".".join(place) or "request", "detail": found["msg"].removeprefix("Value error, ")})
    return WrongValue("; ".join(f"{one['field']}: {one['detail']}" for one in errors), errors=errors)
