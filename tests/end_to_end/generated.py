"""What an engineer writes with a client generated from the API's description: encode a clip, swap it, read a problem.

Run by `test_generated_client.py` with the generator's Python, which knows nothing of Twofold.
"""

import json
import sys
import time

from twofold_client import Client
from twofold_client.api.make_a_job import encode, swap
from twofold_client.api.models import read_models
from twofold_client.api.read_a_job import read_job, read_result
from twofold_client.models import EncodeBody, EncodeResult, JobView, ProblemView, SwapBody, SwapResult
from twofold_client.types import File


def result_of(client, job):
    """What the job came to, which is waited for; a quick one has come to it already."""
    if not isinstance(job, JobView):
        return job
    while job.status.value not in ("succeeded", "failed"):
        time.sleep(0.1)
        job = read_job.sync(job.id, client=client)
        assert isinstance(job, JobView), job
    return read_result.sync(job.id, client=client)


def main(url: str, path: str) -> None:
    """Print what came back."""
    client = Client(base_url=url, timeout=60)
    with open(path, "rb") as video:
        asked = EncodeBody(model="faces-vae", video=File(payload=video, file_name="face.mp4", mime_type="video/mp4"))
        job = encode.sync(client=client, body=asked, prefer="respond-async")
    assert isinstance(job, JobView), job
    codes = result_of(client, job)
    assert isinstance(codes, EncodeResult), codes
    asked = SwapBody(model="faces-vae", static_job=[job.id], dynamic_job=[job.id])
    swapped = result_of(client, swap.sync(client=client, body=asked))
    assert isinstance(swapped, SwapResult), swapped
    refused = encode.sync(client=client, body=EncodeBody(model="nobody", clip="c" * 26))
    assert isinstance(refused, ProblemView), refused
    models = read_models.sync(client=client)
    print(
        json.dumps(
            {
                "models": [model.name for model in models.models],
                "static": len(codes.static),
                "dynamic": [len(codes.dynamic), len(codes.dynamic[0])],
                "fps": codes.fps,
                "swap": swapped.to_dict(),
                "problem": refused.to_dict(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
