"""What is asked of codes alone, with no clip to decode first: samples of the prior, paths, pictures of given codes."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jobs.request_parts import INTERACTIVE, Count, Request, Source

LARGEST = 1e6  # of a code's numbers; far outside every prior, and yet no picture overflows
LONGEST = 4096  # numbers of a code; any model has fewer


def _single(value: float) -> float:
    """Keep the digits that a float32 has, which is what codes are: equal codes are then equal requests."""
    return float(f"{value:.9g}")


Coordinate = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-LARGEST, le=LARGEST), AfterValidator(_single)]
Vector = Annotated[tuple[Coordinate, ...], Field(max_length=LONGEST)]


class SampleRequest(Request):
    """New identities and their motions; or, where an identity is given, new motions of that one."""

    queue: ClassVar[str] = INTERACTIVE
    kind: Literal["sample"] = "sample"
    static: Source | None = None
    seed: Annotated[Count, Field(ge=0, lt=2**32)] = 0
    identities: Annotated[Count, Field(ge=1, le=8)] = 1
    frames: Annotated[Count, Field(ge=1, le=256)] = 40

    @property
    def inputs(self) -> list[str]:
        """The codes of the identity, where one is given."""
        return [self.static.artifact] if self.static else []


class End(BaseModel):
    """One end of a path: a frame of a finished encode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    frame: Annotated[Count, Field(ge=0, description="which frame of the encode, from 0")]


class InterpolateRequest(Request):
    """The path between the codes of two frames."""

    queue: ClassVar[str] = INTERACTIVE
    kind: Literal["interpolate"] = "interpolate"
    ends: tuple[End, End]
    steps: Annotated[Count, Field(ge=2, le=256)] = 16
    part: Literal["dynamic", "static", "both"] = "dynamic"

    @property
    def inputs(self) -> list[str]:
        """The codes of both ends, once where they are of one encode."""
        return list(dict.fromkeys(end.source.artifact for end in self.ends))


class DecodeRequest(Request):
    """Pictures of given codes: one identity, a vector or that of an encode, doing each of the dynamic codes."""

    queue: ClassVar[str] = INTERACTIVE
    kind: Literal["decode"] = "decode"
    static: Vector | None = None
    identity: Source | None = None
    dynamic: Annotated[tuple[Vector, ...], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if (self.static is None) == (self.identity is None):
            raise ValueError("expected either a static code (static) or the encode that has it (static_job), not both")
        return self

    @property
    def inputs(self) -> list[str]:
        """The codes of the identity, where an encode has it."""
        return [self.identity.artifact] if self.identity else []
