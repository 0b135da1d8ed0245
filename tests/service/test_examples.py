"""The examples in /openapi.json, pasted as they stand into requests to the running service."""

import json
import shlex

from service.examples import ANY_JOB
from tests.service.conftest import MP4

JSON, FORM = "application/json", "multipart/form-data"


def bodies(served) -> dict[str, dict]:
    paths = served.http.get("/openapi.json").json()["paths"]
    return {path: one["post"]["requestBody"] for path, one in paths.items() if "post" in one}


def test_every_body_has_an_example(served):
    for path, body in bodies(served).items():
        (media_type,) = body["content"]
        if media_type == JSON:
            assert body["content"][JSON]["examples"], path
        else:
            assert f"http://127.0.0.1:8000{path}" in body["description"]


def test_json_examples_are_taken_as_they_stand(served):
    encode, tried = served.finished_encode(model="faces-vae"), 0
    for path, body in bodies(served).items():
        if path == "/train":
            continue  # off here; its own tests paste it where it is on
        for name, example in body["content"].get(JSON, {}).get("examples", {}).items():
            content, tried = json.dumps(example["value"]), tried + 1
            if ANY_JOB in content:
                # It says where the id comes from that must take the place of the one in it.
                assert "POST /encode" in example["description"], (path, name)
                unknown = served.http.post(path, content=content, headers={"Content-Type": JSON})
                assert unknown.json()["type"] == "/problems/unknown-job"
            answer = served.http.post(path, content=content.replace(ANY_JOB, encode), headers={"Content-Type": JSON})
            assert answer.status_code == 202, (path, name, answer.text)
            assert served.store.get(answer.json()["id"]).model == "faces-vae"
    assert tried >= 5


def test_curl_examples_of_forms_name_files_and_fields_that_are_taken(served):
    tried = 0
    for path, body in bodies(served).items():
        if FORM not in body["content"]:
            continue
        typed = shlex.split(body["description"].split("`")[1])
        fields = [typed[place + 1].split("=", 1) for place, word in enumerate(typed) if word == "-F"]
        files = [(name, (value[1:], MP4 + name.encode())) for name, value in fields if value[0] == "@"]
        told = {name: value for name, value in fields if value[0] != "@"}
        answer = served.http.post(path, files=files, data=told)
        assert answer.status_code in (201, 202), (path, answer.text)
        tried += 1
    assert tried == 4


def test_the_example_of_a_query_is_taken(served):
    grid = served.http.get("/openapi.json").json()["paths"]["/latent-grid"]["get"]
    said = {one["name"]: one["schema"]["examples"][0] for one in grid["parameters"] if "examples" in one["schema"]}
    query = {name: value for name, value in said.items() if name in ("model", "seed", "size")}
    assert len(query) == 3
    answer = served.http.get("/latent-grid", params={**query, "wait": 0})
    assert answer.status_code == 202, answer.text
    assert served.store.get(answer.json()["id"]).request["size"] == query["size"]
