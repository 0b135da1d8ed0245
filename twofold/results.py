"""What a request gives back: names and numpy arrays, the same from a server and from this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where a job stands: the JSON of `GET /jobs/{id}`."""

    id: str
    kind: str
    status: str
    model: str | None = None
    digest: str | None = None
    progress: float = 0.0
    stage: str | None = None
    position: int | None = None
    attempts: int = 0
    created: str | None = None
    started: str | None = None
    ended: str | None = None
    expires: str | None = None
    results: Mapping[str, str]
    error: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read a job's JSON; a field that a newer server adds is left out."""
        known = {field.name for field in fields(cls)}
        given = {name: value for name, value in answer.items() if name in known}
        return cls(**{"results": {}, **given})

    @property
    def ended_well(self) -> bool:
        """Whether there is a result to read."""
        return self.status == "succeeded"

    @property
    def is_over(self) -> bool:
        """Whether the job will never change again."""
        return self.status in ("succeeded", "failed", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A clip that lies at a server, used by its `id`, the SHA-256 of its content: the JSON of `GET /clips/{id}`."""

    id: str
    bytes: int
    type: str
    created: str
    expires: str

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read a clip's JSON; a field that a newer server adds is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in answer.items() if name in known})


ProgressCallback = Callable[[Job], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How like the model's training data a clip is; `percentile` is among held-out training data."""

    psnr_db: float | None = None
    elbo_nats: float | None = None
    percentile: float | None = None
    typical: bool | None = None
    reason: str | None = None

    @classmethod
    def of(cls, answer: Mapping[str, Any] | None) -> Self:
        """Read the `fit` of a result's JSON."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in (answer or {}).items() if name in known})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """A clip's codes: `static` (S) for the whole clip, `dynamic` (T, D) frame by frame, each with its deviation.

    `frames` are what the model saw and `reconstruction` what it makes of them: (T, H, W, 3), uint8 RGB.
    """

    job: str | None
    model: str
    digest: str
    fps: float | None
    fit: Fit
    static: NDArray[np.float32]
    static_std: NDArray[np.float32]
    dynamic: NDArray[np.float32]
    dynamic_std: NDArray[np.float32]
    timestamps: NDArray[np.float64]
    frames: NDArray[np.uint8]
    reconstruction: NDArray[np.uint8]

    @classmethod
    def of(cls, job: str | None, representations: Mapping[str, bytes]) -> Self:
        """Read an encode's `json` and `npz`."""
        answer, arrays = json.loads(representations["json"]), unpack(representations["npz"])
        names = ("static", "static_std", "dynamic", "dynamic_std", "timestamps", "frames", "reconstruction")
        return cls(
            job=job,
            model=answer["model"],
            digest=answer["digest"],
            fps=answer.get("fps"),
            fit=Fit.of(answer.get("fit")),
            **{name: arrays[name] for name in names},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swapped:
    """Every static source doing every dynamic source's motion.

    `frames` is (A, M, T, H, W, 3), uint8 RGB; a motion shorter than the longest holds its last frame, and `lengths` (M)
    says how long each is. `static` is (A, S), `dynamic` (M, T, D).
    """

    job: str | None
    model: str
    digest: str
    transfer: str
    static_fits: tuple[Fit, ...]
    dynamic_fits: tuple[Fit, ...]
    frames: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    static: NDArray[np.float32]
    dynamic: NDArray[np.float32]

    @classmethod
    def of(cls, job: str | None, representations: Mapping[str, bytes]) -> Self:
        """Read a swap's `json` and `npz`."""
        answer, arrays = json.loads(representations["json"]), unpack(representations["npz"])
        return cls(
            job=job,
            model=answer["model"],
            digest=answer["digest"],
            transfer=answer["transfer"],
            static_fits=tuple(Fit.of(source.get("fit")) for source in answer["static"]),
            dynamic_fits=tuple(Fit.of(source.get("fit")) for source in answer["dynamic"]),
            **{name: arrays[name] for name in ("frames", "lengths", "static", "dynamic")},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LatentGrid:
    """One identity over the plane of two dynamic dimensions, or of principal axes (`dims` is then empty).

    `frames` is (size, size, H, W, 3), uint8 RGB; `coordinates` (size, size, D) are the dynamic codes they were decoded
    from.
    """

    job: str | None
    model: str
    digest: str
    dims: tuple[int, ...]
    extent: float
    frames: NDArray[np.uint8]
    coordinates: NDArray[np.float32]

    @classmethod
    def of(cls, job: str | None, representations: Mapping[str, bytes]) -> Self:
        """Read a latent grid's `json` and `npz`."""
        answer, arrays = json.loads(representations["json"]), unpack(representations["npz"])
        return cls(
            job=job,
            model=answer["model"],
            digest=answer["digest"],
            dims=tuple(answer["dims"]),
            extent=float(answer["extent"]),
            frames=arrays["frames"],
            coordinates=arrays["coordinates"],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """What follows the first frames of a clip; the first `observed` of the frames are what the model makes of those.

    `frames` is (T, H, W, 3), uint8 RGB, and `dynamic` (T, D); of several samples (N, T, H, W, 3) and (N, T, D), and
    then `spread` (T, D) is their deviation. Without a `seed` it is the likeliest future. `fit` is that of the observed
    frames.
    """

    job: str | None
    model: str
    digest: str
    seed: int | None
    fps: float
    observed: int
    fit: Fit
    frames: NDArray[np.uint8]
    static: NDArray[np.float32]
    dynamic: NDArray[np.float32]
    timestamps: NDArray[np.float64]
    spread: NDArray[np.float32] | None

    @classmethod
    def of(cls, job: str | None, representations: Mapping[str, bytes]) -> Self:
        """Read a prediction's `json` and `npz`."""
        answer: dict[str, Any] = json.loads(representations["json"])
        arrays: dict[str, Any] = unpack(representations["npz"])
        return cls(
            job=job,
            **{name: answer[name] for name in ("model", "digest", "seed", "fps", "observed")},
            fit=Fit.of(answer.get("fit")),
            spread=None if answer["spread"] is None else np.array(answer["spread"], np.float32),
            **{name: arrays[name] for name in ("frames", "static", "dynamic", "timestamps")},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _OfCodes:
    """Frames that were made from codes alone."""

    job: str | None
    model: str
    digest: str
    fps: float
    frames: NDArray[np.uint8]
    static: NDArray[np.float32]
    dynamic: NDArray[np.float32]

    said: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def of(cls, job: str | None, representations: Mapping[str, bytes]) -> Self:
        """Read a result's `json` and `npz`."""
        answer: dict[str, Any] = json.loads(representations["json"])
        arrays: dict[str, Any] = unpack(representations["npz"])
        return cls(
            job=job,
            **{name: answer[name] for name in ("model", "digest", "fps", *cls.said)},
            **{name: arrays[name] for name in ("frames", "static", "dynamic")},
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled(_OfCodes):
    """Identities and motions from the prior: `frames` (N, T, H, W, 3), `static` (N, S), `dynamic` (N, T, D)."""

    said = ("seed",)
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interpolated(_OfCodes):
    """The path between two frames: `frames` (T, H, W, 3), and both codes of each, `static` (T, S), `dynamic` (T, D)."""

    said = ("part",)
    part: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decoded(_OfCodes):
    """Pictures of given codes: `frames` (T, H, W, 3), `static` (S), `dynamic` (T, D)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trained:
    """A model that was learnt from clips, and how; it is served under its name."""

    job: str
    model: str
    digest: str
    family: str
    static_dim: int
    dynamic_dim: int
    motion: bool
    found: tuple[str, ...]  # what was found in the clips, and how they were split
    metrics: Mapping[str, float]
    curve: NDArray[np.float32]  # (looks, 2): the step, and the PSNR in dB at which held-out clips were redrawn

    @classmethod
    def of(cls, job: str, answer: Mapping[str, Any]) -> Self:
        """Read a result's JSON."""
        curve = [(look["step"], look["psnr_db"]) for look in answer["curve"]]
        told = ("model", "digest", "family", "static_dim", "dynamic_dim", "motion", "metrics")
        return cls(
            job=job,
            found=tuple(answer["found"]),
            curve=np.array(curve, np.float32).reshape(-1, 2),
            **{name: answer[name] for name in told},
        )


def unpack(archive: bytes) -> dict[str, NDArray[Any]]:
    """Read the arrays of an `npz`; one that holds pickles is refused."""
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
