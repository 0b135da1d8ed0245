"""What a worker would tell of each kind of job, in short: results of the form that the API's description states."""

from typing import Any

_FIT = {"psnr_db": 27.9, "elbo_nats": -1310.2, "percentile": 62.0, "typical": True, "reason": None}
_STATIC, _DYNAMIC = [0.12, -0.5], [[1.02, -0.4], [0.9, -0.3]]
_SOURCE = {"frames": 2, "fps": 25.0, "fit": _FIT}
_JOB = "0" * 32

TOLD: dict[str, dict[str, Any]] = {
    "encode": {
        "frames": 2,
        "fps": 25.0,
        "timestamps": [0.0, 0.04],
        "static": _STATIC,
        "static_std": [0.3, 0.2],
        "dynamic": _DYNAMIC,
        "dynamic_std": [[0.1, 0.1], [0.1, 0.1]],
        "fit": _FIT,
    },
    "swap": {"transfer": "raw", "frames": 2, "lengths": [2], "static": [_SOURCE], "dynamic": [_SOURCE]},
    "latent-grid": {
        "size": 2,
        "extent": 2.5,
        "spacing": "linear",
        "seed": 0,
        "static_job": None,
        "dims": [0, 1],
        "axes": [[1.0, 0.0], [0.0, 1.0]],
        "middle": [0.0, 0.1],
        "range": "any",
        "coordinates": [_DYNAMIC, _DYNAMIC],
    },
    "sample": {
        "seed": 0,
        "identities": 1,
        "static_job": None,
        "frames": 2,
        "fps": 12.5,
        "static": [_STATIC],
        "dynamic": [_DYNAMIC],
    },
    "interpolate": {
        "ends": [{"job": _JOB, "frame": 0}, {"job": _JOB, "frame": 1}],
        "steps": 2,
        "part": "dynamic",
        "frames": 2,
        "fps": 12.5,
        "static": _STATIC,
        "dynamic": _DYNAMIC,
    },
    "predict": {
        "frames": 2,
        "observed": 1,
        "samples": 1,
        "seed": None,
        "fps": 12.5,
        "timestamps": [0.0, 0.08],
        "static": _STATIC,
        "dynamic": _DYNAMIC,
        "spread": None,
        "fit": _FIT,
    },
    "train": {
        "family": "unordered_vae",
        "static_dim": 16,
        "dynamic_dim": 4,
        "motion": True,
        "crop": "face",
        "found": ["2 videos, 2 clips, 96 frames (48 to 48 a clip)", "split by clip: 1 to train on, 1 held out"],
        "metrics": {"reconstruction_psnr_db": 24.1},
        "curve": [{"step": 250, "psnr_db": 24.1}],
        "best": {"score": 24.1, "step": 250},
    },
    "decode": {"static_job": None, "frames": 2, "fps": 12.5, "static": _STATIC, "dynamic": _DYNAMIC},
}
