"""Bodies that are cut, endless, slow, or no form at all: bounded, answered, and leaving nothing behind."""

import hashlib
import threading
import time

import httpx
import pytest

from jobs.requests import parse_request

MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(3000)
HEAD = "POST /encode HTTP/1.1\nHost: localhost\nContent-Type: multipart/form-data; boundary=XX"


def part(name, content, filename=None):
    file = f'; filename="{filename}"' if filename else ""
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"


FORM = part("video", MP4, "a.mp4") + b"--XX--\r\n"


def nothing_is_left(served):
    return not served.unfinished() and not list(served.artifacts.all()) and not served.store.queued("batch")


def wait_until_nothing_is_left(served, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not nothing_is_left(served) and time.monotonic() < deadline:
        time.sleep(0.02)
    return nothing_is_left(served)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_body_of_another_type_is_415(served):
    for content_type in ["text/plain", "application/json", "video/mp4", "multipart/mixed; boundary=XX"]:
        answer = served.http.post("/encode", content=MP4, headers={"Content-Type": content_type})
        assert answer.status_code == 415
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert served.http.post("/encode").status_code == 415


def test_multipart_without_a_boundary_is_400(served):
    headers = {"Content-Type": "multipart/form-data"}
    assert served.http.post("/encode", content=FORM, headers=headers).status_code == 400


def test_what_is_not_multipart_inside_is_400(served):
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    bodies = [
        b"no boundary at all, just text of some length",
        b"--XX\r\nno colon here\r\n\r\nx\r\n--XX--\r\n",
        b"--XX\r\nContent-Type: text/plain\r\n\r\nx\r\n--XX--\r\n",
        b'--XX\r\nContent-Disposition: form-data; name="stride"\r\n\r\n\xff\xfe\r\n--XX--\r\n',
    ]
    for body in bodies:
        assert served.http.post("/encode", content=body, headers=headers).status_code == 400, body
    long = {"Content-Type": "multipart/form-data; boundary=" + "X" * 300}
    assert served.http.post("/encode", content=FORM, headers=long).status_code == 400


@pytest.mark.parametrize("cut", [1, 4, 10, len(FORM) // 2, len(FORM) - 60])
def test_a_form_cut_before_its_closing_boundary_is_422_and_no_job(served, cut):
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    body = FORM.removesuffix(b"\r\n")[:-cut]
    answer = served.http.post("/encode", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "/problems/truncated-body"
    assert nothing_is_left(served)


def test_a_client_that_drops_leaves_no_file_and_no_job(served):
    head = f"{HEAD}\nContent-Length: 10000000"
    began = part("video", MP4 * 300, "a.mp4")
    thread = threading.Thread(target=served.raw, args=(head, began), kwargs={"close_after": 0.3})
    thread.start()
    deadline = time.monotonic() + 5
    while not served.unfinished() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert served.unfinished(), "the upload is being written"
    thread.join()
    assert wait_until_nothing_is_left(served)


def test_a_stated_length_over_the_limit_is_413_before_reading(make_served):
    served = make_served(upload_max_bytes=10_000)
    answer = served.raw(f"{HEAD}\nContent-Length: 10001")  # and not one byte of the body
    assert status(answer) == 413
    assert b"application/problem+json" in answer
    assert served.encode().status_code == 202


def test_a_chunked_body_that_passes_the_limit_is_413_with_the_disk_bounded(make_served):
    served = make_served(upload_max_bytes=400_000)
    largest = 0

    def body():
        nonlocal largest
        yield part("video", MP4, "a.mp4")[:-2]
        for _ in range(200):
            yield bytes(65536)
            largest = max([largest, *(path.stat().st_size for path in served.unfinished())])

    try:
        answer = served.http.post(
            "/encode", content=body(), headers={"Content-Type": "multipart/form-data; boundary=XX"}
        )
        assert answer.status_code == 413
    except httpx.TransportError:
        pass  # the server hung up while the client still sent, as it may
    assert largest <= 400_000
    assert wait_until_nothing_is_left(served)


def test_a_refusal_in_the_middle_of_a_large_upload_reaches_its_client(served):
    answer = served.encode(b"\x7fELF" + bytes(20 * 2**20))
    assert answer.status_code == 415
    assert nothing_is_left(served)


def test_a_length_that_is_no_number_is_400(served):
    assert status(served.raw(f"{HEAD}\nContent-Length: ten")) == 400


def test_an_upload_that_falls_silent_is_408(make_served):
    served = make_served(upload_idle_timeout=0.3)
    began = time.monotonic()
    answer = served.raw(f"{HEAD}\nContent-Length: 100000", FORM[:500])
    assert time.monotonic() - began < 5
    assert status(answer) == 408
    assert wait_until_nothing_is_left(served)


def test_an_upload_that_drips_is_408_although_it_never_falls_silent(make_served):
    served = make_served(upload_idle_timeout=0.4, upload_min_rate=10_000)

    def body():
        yield part("video", MP4, "a.mp4")[:-2]
        for _ in range(200):
            time.sleep(0.05)
            yield b"x"

    try:
        answer = served.http.post(
            "/encode", content=body(), headers={"Content-Type": "multipart/form-data; boundary=XX"}
        )
        assert answer.status_code == 408
    except httpx.TransportError:
        pass
    assert wait_until_nothing_is_left(served)


def test_too_many_fields_or_too_much_text_is_refused(served):
    headers = {"Content-Type": "multipart/form-data; boundary=XX"}
    many = b"".join(part(f"field{n}", b"x") for n in range(1001)) + FORM
    assert served.http.post("/encode", content=many, headers=headers).status_code == 422
    large = part("stride", b"1" * (2**20 + 1)) + FORM
    answer = served.http.post("/encode", content=large, headers=headers)
    assert answer.status_code == 422
    assert "text fields" in answer.json()["detail"]
    twice = part("stride", b"1") + part("stride", b"2") + FORM
    assert served.http.post("/encode", content=twice, headers=headers).status_code == 422
    assert nothing_is_left(served)


def test_a_large_upload_is_stored_as_sent(served):
    content = MP4 + bytes(range(256)) * 40_000 + b"\r\n--XX\r\n--X"
    job_id = served.job(served.encode(content))
    sha256 = hashlib.sha256(content).hexdigest()
    assert served.store.get(job_id).inputs == (sha256,)
    assert served.artifacts.path(sha256).read_bytes() == content


def test_a_queue_that_fills_up_during_an_upload_is_503_and_the_upload_goes(make_served):
    served = make_served(queue_limit=1)
    reading, filled = threading.Event(), threading.Event()

    def body():
        yield FORM[:1000]
        reading.set()
        filled.wait(10)
        yield FORM[1000:]

    def fill():
        reading.wait(10)
        time.sleep(0.2)
        request = {"kind": "encode", "model": "m", "digest": "sha256:" + "0" * 64, "clip": "0" * 64}
        served.store.create_once(served.store.new_id(), parse_request(request), "local")
        filled.set()

    filler = threading.Thread(target=fill)
    filler.start()
    answer = served.http.post("/encode", content=body(), headers={"Content-Type": "multipart/form-data; boundary=XX"})
    filler.join()
    assert answer.status_code == 503
    assert not served.unfinished()
    assert not list(served.artifacts.all())


def test_a_full_disk_is_507_and_leaves_nothing(make_served):
    served = make_served(min_free_bytes=2**60)
    answer = served.encode()
    assert answer.status_code == 507
    assert answer.json()["type"] == "/problems/storage-full"
    assert nothing_is_left(served)


def test_a_full_queue_is_503_before_the_body_is_read(make_served):
    served = make_served(queue_limit=2)
    for n in (1, 2):
        assert served.encode(stride=str(n)).status_code == 202
    answer = served.raw(f"{HEAD}\nContent-Length: 100000")  # and not one byte of the body
    assert status(answer) == 503
    assert b"retry-after: 10" in answer.lower()
    assert served.http.get("/latent-grid?wait=0").status_code == 202, "the other queue has room"
    served.work(served.store.queued("batch")[0])
    assert served.encode(stride="3").status_code == 202
