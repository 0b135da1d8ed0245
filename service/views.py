"""What the API says about jobs and models: the JSON of `GET /jobs/{id}` and `GET /models`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from jobs.catalogue import ModelEntry
from jobs.movie_request import MOVIES, NPZ, filmed
from jobs.records import JobRecord
from service.negotiation import FORMATS

Kind = Literal["encode", "swap", "latent-grid", "sample", "interpolate", "predict", "decode", "train"]
Status = Literal["queued", "running", "succeeded", "failed", "canceled"]


PROBLEM = {"anyOf": [{"$ref": "#/components/schemas/ProblemView"}, {"type": "null"}]}


class JobView(BaseModel):
    """Where a job stands."""

    id: str
    kind: Kind
    model: str
    digest: str = Field(description="of the model that answers; empty for a training, whose result says it")
    status: Status
    progress: float = Field(ge=0, le=1)
    stage: str
    position: int | None = Field(description="place in the queue, 1 for the next; null when it does not wait")
    attempts: int
    created: datetime
    started: datetime | None
    ended: datetime | None
    expires: datetime | None = Field(description="when the job and its results are deleted")
    results: dict[str, str] = Field(description="URL of each representation, by media type")
    error: Annotated[dict[str, Any] | None, WithJsonSchema(PROBLEM)] = Field(description="the problem of a failed job")

    @classmethod
    def of(cls, record: JobRecord, position: int | None) -> "JobView":
        """Say what an asker may know of a record."""
        return cls(
            id=record.id,
            kind=record.kind,
            model=record.model,
            digest=record.digest,
            status=record.status,
            progress=record.progress,
            stage="canceling" if record.status == "running" and record.cancel else record.stage,
            position=position,
            attempts=record.attempts,
            created=record.created,
            started=record.started,
            ended=record.ended,
            expires=record.expires,
            results=result_urls(record, record.results),
            error=record.problem.to_dict() | {"instance": f"/jobs/{record.id}"} if record.problem else None,
        )


class JobsView(BaseModel):
    """A page of the caller's jobs."""

    jobs: list[JobView]
    cursor: str | None = Field(description="where the next page begins; null on the last one")


def result_urls(record: JobRecord, stored: Mapping[str, Any]) -> dict[str, str]:
    """Return where each representation is read, movies among them: they are drawn when they are first asked for."""
    movies = MOVIES.values() if filmed(record.kind) and NPZ in stored else ()
    found = dict.fromkeys(name for name in (*stored, *movies) if name in FORMATS)
    return {name: f"/jobs/{record.id}/result?format={FORMATS[name]}" for name in found}


class ModelView(BaseModel):
    """A model that is served."""

    name: str
    family: str
    digest: str
    default: bool
    loaded: bool = Field(
        description="whether a warm worker holds it; another model is loaded when it is first asked for"
    )
    image_size: int | None
    channels: int | None
    static_dim: int | None
    dynamic_dim: int | None
    motion: bool = Field(description="whether it has a motion model, and so can predict")
    draws_identities: bool = Field(description="whether a seed draws an identity; else an encode has to give one")
    parameters: int | None
    bytes: int | None
    data: dict[str, Any]
    licence: str | None
    metrics: dict[str, Any]

    @classmethod
    def of(cls, entry: ModelEntry, default: str, loaded: set[str]) -> "ModelView":
        """Say what a model's config says of it."""
        said, weights, data = entry.config, entry.config.get("weights", {}), entry.config.get("data", {})
        return cls(
            name=entry.name,
            family=entry.family,
            digest=entry.digest,
            default=entry.name == default,
            loaded=entry.digest in loaded,
            image_size=said.get("image_size"),
            channels=said.get("channels"),
            static_dim=said.get("static_dim"),
            dynamic_dim=said.get("dynamic_dim"),
            motion=entry.motion,
            draws_identities=entry.draws_identities,
            parameters=weights.get("parameters"),
            bytes=weights.get("bytes"),
            data=data,
            licence=data.get("licence"),
            metrics=said.get("metrics", {}),
        )


class ModelsView(BaseModel):
    """Every model that is served."""

    models: list[ModelView]
