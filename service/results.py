"""What results say as JSON, kind by kind: for the API's description alone; a result is served as it was stored."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.views import Kind

Code = list[float]
Codes = list[Code]


class Fit(BaseModel):
    """How well the model explains a clip, and where that lies among its held-out clips."""

    psnr_db: float | None = Field(description="of the reconstruction; null where it is exact")
    elbo_nats: float | None = Field(description="the bound, per frame; null for a model without a likelihood")
    percentile: float | None = Field(description="among the model's held-out clips")
    typical: bool | None
    reason: str | None = Field(description="one sentence where the clip is not typical")


class ResultView(BaseModel):
    """What every result says first."""

    model_config = ConfigDict(extra="forbid")

    model: str
    digest: str


class EncodeResult(ResultView):
    """The codes of a clip."""

    frames: int
    fps: float | None = Field(description="null for a still picture")
    timestamps: list[float] = Field(description="seconds, one a frame")
    static: Code
    static_std: Code
    dynamic: Codes = Field(description="one code a frame")
    dynamic_std: Codes
    fit: Fit


class SourceView(BaseModel):
    """One source of a swap."""

    frames: int
    fps: float | None
    fit: Fit


class SwapResult(ResultView):
    """Every static source doing every dynamic source's motion."""

    transfer: Literal["raw", "prior"]
    frames: int = Field(description="of the longest motion")
    lengths: list[int] = Field(description="frames of each motion")
    static: list[SourceView]
    dynamic: list[SourceView]


class GridResult(ResultView):
    """The dynamic plane of one identity."""

    size: int
    extent: float
    spacing: Literal["linear", "quantile"]
    seed: int | None
    static_job: str | None
    dims: list[int]
    axes: Codes = Field(description="the two directions that the plane is spanned by")
    middle: Code = Field(description="the dynamic code at the plane's middle")
    range: Literal["any", "tanh", "unit"] = Field(
        description="what dynamic codes can be: any, within 1, or of length 1"
    )
    coordinates: list[Codes] = Field(description="the dynamic code of each picture, row by row")


class SampleResult(ResultView):
    """New identities and their motions."""

    seed: int
    identities: int
    static_job: str | None
    frames: int
    fps: float
    static: Codes = Field(description="one code an identity")
    dynamic: list[Codes] = Field(description="one code a frame, for each identity")


class EndView(BaseModel):
    """One end of a path."""

    job: str
    frame: int


class InterpolateResult(ResultView):
    """The path between two codes."""

    ends: list[EndView]
    steps: int
    part: Literal["dynamic", "static", "both"]
    frames: int
    fps: float
    static: Code | Codes = Field(description="one code, or where the path changes it one a frame")
    dynamic: Codes


class PredictResult(ResultView):
    """The frames that follow the first ones of a clip."""

    frames: int = Field(description="observed and predicted ones together")
    observed: int
    samples: int
    seed: int | None = Field(description="null for the likeliest future")
    fps: float
    timestamps: list[float]
    static: Code
    dynamic: Codes | list[Codes] = Field(description="one code a frame; of several samples, for each of them")
    spread: Codes | None = Field(description="the deviation over samples, frame by frame; null where there is one")
    fit: Fit


class DecodeResult(ResultView):
    """The codes whose pictures were made."""

    static_job: str | None
    frames: int
    fps: float
    static: Code
    dynamic: Codes


class LookView(BaseModel):
    """One look at held-out clips while a model learnt."""

    step: int
    psnr_db: float


class BestView(BaseModel):
    """The look whose weights were kept."""

    score: float = Field(description="PSNR of held-out clips, dB")
    step: int


class TrainResult(ResultView):
    """A model that was learnt; `model` and `digest` are its own."""

    family: Literal["unordered_vae", "drnet"]
    static_dim: int
    dynamic_dim: int
    motion: bool
    crop: Literal["center", "face"]
    found: list[str] = Field(description="what was found in the clips, and how they were split")
    metrics: dict[str, float]
    curve: list[LookView]
    best: BestView | None


AnyResult = (
    EncodeResult
    | SwapResult
    | GridResult
    | SampleResult
    | InterpolateResult
    | PredictResult
    | DecodeResult
    | TrainResult
)
RESULTS: dict[Kind, type[ResultView]] = {
    "encode": EncodeResult,
    "swap": SwapResult,
    "latent-grid": GridResult,
    "sample": SampleResult,
    "interpolate": InterpolateResult,
    "predict": PredictResult,
    "decode": DecodeResult,
    "train": TrainResult,
}
