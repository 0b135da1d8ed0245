"""What requests are made of: their common part, where codes come from, which part of a clip is meant, and numbers.

Numbers are read strictly, since Python and JSON would take much for a number that nobody meant as one.
"""

import hashlib
import json
import re
from numbers import Integral, Real
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

INTERACTIVE, BATCH = "interactive", "batch"  # the queues that are always served: what a person waits for, and video
TRAINING = "training"  # served where training is enabled; its jobs take minutes or hours
QUEUES = (INTERACTIVE, BATCH, TRAINING)
SERVED = (INTERACTIVE, BATCH)

EXACT = 2.0**53  # from here on a double has no odd numbers

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Content = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _whole(value: Any) -> Any:
    """Refuse what Python would kindly turn into an int: true, "1.0", 1_000, Arabic digits."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,20}", value.strip(" ")):
        return int(value)
    return _count(value)


def _count(value: Any) -> Any:
    """Refuse text too: in JSON a number is a number, and 2.0 is 2, which many a client cannot tell apart."""
    if not isinstance(value, bool) and isinstance(value, Integral):
        return int(value)  # also one of NumPy's, which a client in Python may give
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    raise ValueError(f"expected a whole number, got {value!r:.60}")


def _decimal(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(
        r"[+-]?[0-9]{0,20}\.?[0-9]{1,40}([eE][+-]?[0-9]{1,3})?", value.strip(" ")
    ):
        return float(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if not isinstance(value, bool) and isinstance(value, Real):
        return float(value)
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
    if value in ("auto", "principal"):
        return value
    if isinstance(value, str) and re.fullmatch(r" *[0-9]{1,4} *, *[0-9]{1,4} *", value):
        value = [int(part) for part in value.split(",")]
    numbers = isinstance(value, list | tuple) and all(type(part) is int and part >= 0 for part in value)
    if numbers and len(value) == 2 and value[0] != value[1]:
        return f"{value[0]},{value[1]}"
    raise ValueError(f"expected auto, principal, or two different dimensions such as 0,1, got {value!r:.60}")


# Counted up with every change after which some request is answered otherwise: results outlive the version that made
# them, and an upgraded server must not give those of the one before.
ANSWERS = 1

Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[int, BeforeValidator(_count)]  # of a JSON body, which tells 3 from "3"
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
Dims = Annotated[str, BeforeValidator(_dims)]
Decimal = Annotated[float, BeforeValidator(_decimal), Field(allow_inf_nan=False)]


class Request(BaseModel):
    """What every request says: which model, by name for people and by digest for the worker."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    queue: ClassVar[str]
    no_result_of: ClassVar[frozenset[str]] = frozenset({"model"})  # fields that change nothing of what comes out
    kind: str
    model: str
    digest: Digest

    @property
    def waits_in(self) -> str:
        """The queue of its job."""
        return self.queue

    @property
    def inputs(self) -> list[str]:
        """The artifacts that the job reads."""
        return []

    def fingerprint(self, owner: str) -> str:
        """Return SHA-256(kind, model digest, canonical parameters, inputs, owner, ANSWERS): equal for equal results.

        Which job some codes were read from does not change the result, and so is left out.
        """
        said = _without_jobs(self.model_dump(mode="json", exclude=set(self.no_result_of)))
        said |= {"owner": owner, "answers": ANSWERS}
        return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _without_jobs(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _without_jobs(value) for name, value in said.items() if name != "job"}
    return [_without_jobs(value) for value in said] if isinstance(said, list) else said


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


class Cut(BaseModel):
    """Which frames of a clip are meant, and which part of each."""

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
    def _end_after_start(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end:g} s) must lie after start ({self.start:g} s)")
        return self
