"""Keys: who comes in, decided before a body is read; what each one sees; how much of everything is each one's."""

import io
import zipfile
from contextlib import ExitStack

import httpx
import pytest

from jobs.keys import KeyFile

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)
HEAD = "POST /encode HTTP/1.1\nHost: twofold.example\nContent-Type: multipart/form-data; boundary=XX"


class Person:
    """Somebody with a key."""

    def __init__(self, served, name, **limits):
        self.key, self.secret = KeyFile(served.settings.own_keys_file).add(name, **limits)
        self.http = httpx.Client(base_url=served.url, timeout=20, headers={"Authorization": f"Bearer {self.secret}"})

    def encode(self, content=MP4, headers=None, **fields):
        return self.http.post("/encode", files={"video": ("clip.mp4", content)}, data=fields, headers=headers)


@pytest.fixture
def keyed(make_served):
    return make_served()


@pytest.fixture
def person(keyed):
    """Make somebody with a key."""
    with ExitStack() as stack:

        def make(name, **limits):
            made = Person(keyed, name, **limits)
            stack.enter_context(made.http)
            return made

        yield make


@pytest.fixture
def alice(person):
    return person("alice")


@pytest.fixture
def bob(person):
    return person("bob")


def test_the_first_key_closes_a_running_server_to_everybody_else(keyed, person):
    assert keyed.http.get("/models").status_code == 200
    alice = person("alice")
    refused = keyed.http.get("/models")
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthorized")
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert alice.http.get("/models").status_code == 200
    assert keyed.http.get("/models", headers={"X-API-Key": alice.secret}).status_code == 200


def test_wrong_keys_are_401_whatever_they_look_like(keyed, alice):
    wrong = [alice.secret[:-1], alice.secret + "x", alice.key.sha256, "twofold_", "é", "x" * 5000]
    for one in wrong:
        headers = {"Authorization": f"Bearer {one}".encode()}
        assert keyed.http.get("/jobs", headers=headers).status_code == 401, one[:20]
    assert keyed.http.get("/jobs", headers={"Authorization": "Bearer"}).status_code == 401
    assert keyed.http.get("/jobs", headers={"Authorization": f"Basic {alice.secret}"}).status_code == 401


def test_without_a_key_an_upload_is_401_before_a_byte_of_it_is_read(keyed, alice):
    answer = keyed.raw(f"{HEAD}\nContent-Length: 100000000")  # and nothing follows
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"application/problem+json" in answer
    assert not keyed.unfinished()


def test_what_shows_nobodys_data_is_open_and_all_else_is_not(keyed, alice):
    for path in ["/", "/livez", "/docs", "/openapi.json", "/web/main.js", "/problems/unauthorized"]:
        assert keyed.http.get(path).status_code == 200, path
    operations = keyed.http.get("/openapi.json").json()["paths"]
    for path, methods in operations.items():
        for method in methods:
            status = keyed.http.request(method, path.format(job_id="0" * 32, clip_id="0" * 64, name="tiny")).status_code
            assert (status == 401) == (path not in ("/livez", "/readyz")), (method, path)
    assert keyed.http.get("/web/../jobs").status_code in (401, 404)


def test_another_keys_jobs_and_clips_are_unknown(keyed, alice, bob):
    job = alice.encode().json()["id"]
    keyed.work(job)
    clip = alice.http.post("/clips", files={"video": ("a.mp4", MP4)}).json()["id"]
    for path in [f"/jobs/{job}", f"/jobs/{job}/result", f"/jobs/{job}/events", f"/clips/{clip}"]:
        assert alice.http.get(path).status_code == 200, path
        assert bob.http.get(path).status_code == 404, path
    assert bob.http.delete(f"/jobs/{job}?purge=true").status_code == 404
    assert bob.http.delete(f"/clips/{clip}").status_code == 404
    assert bob.http.post("/encode", data={"clip": clip}).status_code == 404
    assert bob.http.post("/sample", json={"static_job": job}).status_code == 404
    assert bob.http.get("/jobs").json()["jobs"] == []
    assert [one["id"] for one in alice.http.get("/jobs").json()["jobs"]] == [job]
    assert bob.encode().json()["id"] != job, "the same request of another is another job"


def test_a_removed_key_is_refused_at_once_and_a_new_one_of_its_name_sees_nothing_of_it(keyed, alice, person):
    job = alice.encode().json()["id"]
    KeyFile(keyed.settings.own_keys_file).remove("alice")
    assert alice.http.get("/jobs").status_code == 401
    again = person("alice")
    assert again.http.get(f"/jobs/{job}").status_code == 404


@pytest.mark.parametrize("harm", ["lost", "broken", "emptied"])
def test_a_server_that_loses_its_keys_lets_nobody_in(keyed, alice, harm):
    assert alice.http.get("/jobs").status_code == 200
    file = keyed.settings.own_keys_file
    if harm == "lost":
        file.unlink()
    elif harm == "broken":
        file.write_text(file.read_text()[:-20])
    else:
        KeyFile(file).remove("alice")
    assert keyed.http.get("/jobs").status_code == 401
    assert alice.http.get("/jobs").status_code == 401


def test_a_key_has_so_many_jobs_at_once_and_another_key_is_not_the_poorer(keyed, person, bob):
    carol = person("carol", max_jobs=2)
    jobs = [carol.encode(stride=str(n)).json()["id"] for n in (1, 2)]
    refused = carol.encode(stride="3")
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-jobs")
    assert refused.headers["Retry-After"] == "5"
    assert carol.http.get("/latent-grid?seed=1&wait=0").status_code == 429, "what makes a job without a body, too"
    assert bob.encode().status_code == 202
    keyed.work(jobs[0])
    assert carol.encode(stride="3").status_code == 202
    assert carol.http.delete(f"/jobs/{jobs[1]}").status_code == 200
    assert carol.encode(stride="4").status_code == 202


def test_drawing_a_movie_is_one_of_a_keys_jobs_and_the_movie_is_its_owners(keyed, person, bob):
    carol = person("carol", max_jobs=1)
    job = carol.encode().json()["id"]
    arrays = io.BytesIO()
    zipfile.ZipFile(arrays, "w").close()
    keyed.work(job, {"application/json": b"{}", "application/x-npz": arrays.getvalue()})
    movie = f"/jobs/{job}/result?format=mp4"
    other = carol.encode(stride="2").json()["id"]
    refused = carol.http.get(movie)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-jobs")
    assert refused.headers["Retry-After"] == "5"
    assert carol.http.delete(f"/jobs/{other}").status_code == 200
    worker = keyed.work_next({"video/mp4": MP4})
    assert carol.http.get(movie).content == MP4
    worker.join()
    assert bob.http.get(movie).status_code == 404


@pytest.mark.parametrize("path", ["/encode", "/sample"])
def test_a_request_that_was_sent_before_has_its_job_though_there_is_room_for_no_other(keyed, person, path):
    carol = person("carol", max_jobs=1)

    def ask(key, **said):
        headers = {"Idempotency-Key": key}
        if path == "/encode":
            return carol.encode(headers=headers, **said)
        return carol.http.post(path, json={"seed": 1} | said, headers=headers)

    first = ask("key-1")
    assert first.status_code == 202
    assert ask("key-2").status_code == 429
    again = ask("key-1")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert ask("key-1", model="another").status_code in (404, 422), "it is no way to make another"


def test_over_the_limit_of_jobs_a_body_is_not_read(keyed, person):
    carol = person("carol", max_jobs=1)
    carol.encode()
    answer = keyed.raw(f"{HEAD}\nX-API-Key: {carol.secret}\nContent-Length: 100000000")
    assert answer.startswith(b"HTTP/1.1 429 ")


def test_a_key_may_send_so_many_bytes_said_or_not(person, bob):
    carol = person("carol", max_upload_bytes=10_000)
    assert carol.encode(MP4 + bytes(10_000)).status_code == 413
    assert bob.encode(MP4 + bytes(10_000)).status_code == 202
    assert carol.encode().status_code == 202

    def unsaid():
        yield b'--XX\r\nContent-Disposition: form-data; name="video"; filename="a.mp4"\r\n\r\n' + MP4
        yield bytes(10_000)
        yield b"\r\n--XX--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    assert carol.http.post("/encode", content=unsaid(), headers=headers).status_code == 413


def test_with_keys_any_name_of_the_server_is_served(keyed, alice):
    assert alice.http.get("/jobs", headers={"Host": "twofold.example"}).status_code == 200


def test_pages_of_named_origins_may_ask_and_no_others(make_served):
    served = make_served(cors_origins="https://lab.example, http://localhost:3000")
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,prefer"}
    for origin, allowed in [("https://lab.example", True), ("https://evil.example", False)]:
        preflight = served.http.options("/encode", headers={"Origin": origin, **asked})
        assert (preflight.status_code == 200) is allowed
        answer = served.http.get("/models", headers={"Origin": origin})
        assert answer.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
        posted = served.http.post("/encode", headers={"Origin": origin}, files={"video": ("a.mp4", MP4)})
        assert posted.status_code == (202 if allowed else 403)
    KeyFile(served.settings.own_keys_file).add("alice")
    refused = served.http.get("/models", headers={"Origin": "https://lab.example"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://lab.example", "its page may read why"


def test_cors_is_off_unless_origins_are_named(served):
    answer = served.http.get("/models", headers={"Origin": "https://lab.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_what_the_description_says_is_open_is_and_all_else_needs_a_key(keyed, alice):
    said = keyed.http.get("/openapi.json").json()
    assert {} in said["security"], "a server need not have keys"
    for path, operations in said["paths"].items():
        for method, operation in operations.items():
            answer = keyed.http.request(method, path.replace("{", "").replace("}", ""))
            closed = "security" not in operation
            assert (answer.status_code == 401) == closed, (method, path)
            assert ("401" in operation["responses"]) == closed, (method, path)
            if closed:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert alice.http.get("/models").status_code == 200
