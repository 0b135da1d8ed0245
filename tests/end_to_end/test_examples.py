"""The examples of /openapi.json, pasted into a shell and into requests, give results of the form that it states."""

import json
import subprocess

import httpx
import pytest

from service.examples import ANY_JOB
from service.results import RESULTS
from tests.end_to_end.clips import drawn_faces, write_h264
from tests.end_to_end.running import ENVIRONMENT

pytestmark = pytest.mark.timeout(400)
WAIT = {"Prefer": "wait=60", "Accept": "application/json"}


def bodies(http: httpx.Client) -> dict[str, dict]:
    paths = http.get("/openapi.json").json()["paths"]
    return {path: one["post"]["requestBody"] for path, one in paths.items() if "post" in one}


def check_form(kind: str, content: bytes) -> None:
    RESULTS[kind].model_validate_json(content, strict=True)


def test_json_examples_give_what_is_stated(http, face_clip):
    with face_clip.open("rb") as file:
        encoded = http.post("/encode", files={"video": file}, headers=WAIT)
    check_form("encode", encoded.content)
    encode = encoded.headers["Location"].rsplit("/", 1)[1]
    kinds = []
    for path, body in bodies(http).items():
        if path == "/train":
            continue  # off here; tests/end_to_end/test_training.py has a system where it is on
        for name, example in body["content"].get("application/json", {}).get("examples", {}).items():
            said = json.loads(json.dumps(example["value"]).replace(ANY_JOB, encode))
            answer = http.post(path, json=said, headers=WAIT)
            assert answer.status_code == 200, (path, name, answer.text)
            check_form(path[1:], answer.content)
            kinds.append(path[1:])
    assert {"sample", "interpolate", "decode"} <= set(kinds)
    check_form("latent-grid", http.get("/latent-grid", params={"seed": 3, "size": 5, "format": "json"}).content)


@pytest.mark.usefixtures("curl")
def test_curl_examples_of_forms_give_what_is_stated(system, http, tmp_path):
    for number, name in enumerate(("clip", "who", "how")):
        write_h264(tmp_path / f"{name}.mp4", drawn_faces(number, motion=number, frames=32))
    for path, body in bodies(http).items():
        if "multipart/form-data" not in body["content"]:
            continue
        typed = body["description"].split("`")[1].replace("http://127.0.0.1:8000", system.url)
        waiting = f"curl -fsS -H 'Prefer: wait=60' -H 'Accept: application/json' {typed.removeprefix('curl ')}"
        done = subprocess.run(
            ["bash", "-c", waiting], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stderr}"
        if path[1:] in RESULTS:
            check_form(path[1:], done.stdout.encode())
        else:
            assert len(json.loads(done.stdout)["id"]) == 64
