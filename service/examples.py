"""Examples of bodies that do something as they stand, with the models that are shipped.

Where an example needs the id of an encode, the one that stands here is nobody's: the answer to it is 404 until it is
replaced by one of the caller's own, as `POST /encode` answers it. /docs puts the caller's newest one there by itself.
"""

from typing import Any

ANY_JOB = "0123456789abcdef0123456789abcdef"
ID_FROM = "Put the `id` that POST /encode answered in place of the one here; GET /jobs?kind=encode lists yours."
STATIC_DIM, DYNAMIC_DIM = 256, 4  # of faces-vae
_WHO = [round(0.02 * ((7 * place) % 31 - 15), 2) for place in range(STATIC_DIM)]


def _example(summary: str, value: dict[str, Any], description: str | None = None) -> dict[str, Any]:
    return {"summary": summary, **({"description": description} if description else {}), "value": value}


ENCODE = "-F video=@clip.mp4 -F model=faces-vae -F end=2 -F crop=center http://127.0.0.1:8000/encode"
SWAP = "-F static=@who.mp4 -F dynamic=@how.mp4 -F model=faces-vae -F transfer=raw http://127.0.0.1:8000/swap"
PREDICT = "-F video=@clip.mp4 -F model=faces-vae -F observe=10 -F frames=20 -F samples=3 -F seed=1 http://127.0.0.1:8000/predict"
CLIP = "-F video=@clip.mp4 http://127.0.0.1:8000/clips"
SAMPLE = {
    "new": _example(
        "three faces that nobody has seen", {"model": "faces-vae", "seed": 7, "identities": 3, "frames": 24}
    ),
    "identity": _example(
        "two new motions of one identity", {"static_job": ANY_JOB, "seed": 7, "identities": 2, "frames": 24}, ID_FROM
    ),
}
INTERPOLATE = {
    "motion": _example(
        "from the first frame of a clip to its tenth",
        {"ends": [{"job": ANY_JOB, "frame": 0}, {"job": ANY_JOB, "frame": 9}], "steps": 8, "part": "dynamic"},
        ID_FROM,
    ),
}
DECODE = {
    "codes": _example(
        "one identity, three codes along a dimension",
        {"model": "faces-vae", "static": _WHO, "dynamic": [[x] + [0.0] * (DYNAMIC_DIM - 1) for x in (-2.0, 0.0, 2.0)]},
        "As many numbers as GET /models/faces-vae says: static_dim and dynamic_dim.",
    ),
    "identity": _example(
        "the identity of an encode, one code", {"static_job": ANY_JOB, "dynamic": [[0.0] * DYNAMIC_DIM]}, ID_FROM
    ),
}
TRAIN = {
    "faces": _example(
        "a model of the faces in two clips, in five minutes",
        {"name": "mine", "clips": ["0" * 64, "1" * 64], "crop": "face", "minutes": 5},
        "Put the ids that POST /clips answered in place of those here.",
    ),
}
