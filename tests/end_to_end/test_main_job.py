"""The main job over HTTP, on the whole system: upload a clip; get codes, swaps, the plane; and look at the pixels."""

import io
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.asking import FORMATS, arrays_of, finished, post_clip, post_swap
from tests.end_to_end.clips import as_a_model_sees, decoded, drawn_faces, psnr, write_h264
from tests.end_to_end.running import System, descendants
from twofold.client import Client

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that keeps a worker busy for some seconds."""
    once = drawn_faces(1, motion=1, frames=40)
    frames = np.concatenate([np.roll(once, shift, axis=0) for shift in range(20)])
    return write_h264(tmp_path_factory.mktemp("clips") / "long.mp4", frames, enlarge=2)


def test_a_clip_gives_its_codes_and_what_the_model_saw(http, face_clip):
    arrays = arrays_of(post_clip(http, face_clip, "application/x-npz"))
    drawn = drawn_faces(0, motion=0)
    assert psnr(arrays["frames"], drawn) > 35
    frames = len(drawn)
    assert arrays["static"].ndim == 1
    assert arrays["static_std"].shape == arrays["static"].shape
    assert arrays["dynamic"].shape == arrays["dynamic_std"].shape == (frames, arrays["dynamic"].shape[1])
    assert np.allclose(arrays["timestamps"], np.arange(frames) / 12, atol=1e-3)
    assert (arrays["static_std"] > 0).all()
    assert (arrays["dynamic_std"] > 0).all()
    for name in ("static", "static_std", "dynamic", "dynamic_std"):
        assert arrays[name].dtype == np.float32


def test_a_trained_model_draws_a_face_it_never_saw(http, face_clip):
    arrays = arrays_of(post_clip(http, face_clip, "application/x-npz"))
    assert psnr(arrays["reconstruction"], arrays["frames"]) > 25  # H.264 takes its share of the 28 dB


def test_a_clip_like_the_training_data_is_told_from_a_foreign_one(http, tmp_path):
    fits = [
        post_clip(http, write_h264(tmp_path / f"{n}.mp4", drawn_faces(n, motion=n))).json()["fit"] for n in range(5)
    ]
    # One in fifty held-out clips is called foreign by the way that typical is defined.
    assert sum(fit["typical"] for fit in fits) >= 4, fits
    assert all(fit["typical"] == (fit["reason"] is None) for fit in fits)
    noise = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    foreign = post_clip(http, write_h264(tmp_path / "noise.mp4", noise)).json()["fit"]
    assert foreign["typical"] is False
    assert "dB" in foreign["reason"]
    assert foreign["psnr_db"] < min(fit["psnr_db"] for fit in fits)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("derived/sprite_walk_front.gif", "faces-vae"),
        ("real/person-bicycle-car-detection.gif", "faces-vae"),
        ("real/friday.mp4", "faces-vae"),
        ("signers/book.mkv", "faces-vae"),
        ("real/friday.mp4", "sprites-vae"),
        ("real/person-bicycle-car-detection.gif", "digits-drnet"),
    ],
)
def test_real_videos_of_what_a_model_never_saw_are_not_typical(http, shared_data, name, model):
    fit = post_clip(http, shared_data / "videos" / name, model=model, max_frames="16").json()["fit"]
    assert fit["typical"] is False
    assert fit["reason"]


def test_sprites_are_typical_of_their_own_model(http, shared_data):
    path = shared_data / "videos" / "derived" / "sprite_walk_front.gif"
    assert post_clip(http, path, model="sprites-vae").json()["fit"]["typical"] is True


def test_a_face_is_asked_for_where_there_is_none(http, shared_data):
    street = shared_data / "videos" / "real" / "person-bicycle-car-detection.gif"
    answer = post_clip(http, street, crop="face", max_frames="8")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/no-face")


def test_without_waiting_there_is_a_job_to_follow(http, face_clip):
    with face_clip.open("rb") as file:
        answer = http.post("/encode", files={"video": file}, data={"stride": "2"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}"
    done = finished(http, job["id"], 60)
    assert done["status"] == "succeeded"
    assert done["progress"] == 1
    result = http.get(f"/jobs/{job['id']}/result", params={"format": "json"}).json()
    assert result["frames"] == 8
    assert len(result["dynamic"]) == 8


def test_the_same_request_is_one_job_and_another_one_is_not(http, face_clip):
    def ask(**fields: str) -> str:
        with face_clip.open("rb") as file:
            return str(http.post("/encode", files={"video": file}, data=fields).json()["id"])

    assert ask(stride="3") == ask(stride="3")
    assert ask(stride="3") != ask(stride="4")


def true_swap(first: int, second: int, motions: tuple[int, int]) -> np.ndarray:
    return np.stack([[drawn_faces(who, motion) for motion in motions] for who in (first, second)])


def test_a_swap_shows_the_right_face_doing_the_right_thing(http, tmp_path):
    clips = [
        write_h264(tmp_path / f"{n}.mp4", drawn_faces(who, motion)) for n, (who, motion) in enumerate([(2, 5), (3, 6)])
    ]
    arrays = arrays_of(post_swap(http, clips, "application/x-npz"))
    truth = true_swap(2, 3, (5, 6))
    assert arrays["frames"].shape == truth.shape
    assert psnr(arrays["frames"], truth) > 24
    # Each cell is nearer to its own truth than to that of any other identity or motion.
    for who in range(2):
        for motion in range(2):
            scores = {(a, m): psnr(arrays["frames"][who, motion], truth[a, m]) for a in range(2) for m in range(2)}
            assert max(scores, key=scores.__getitem__) == (who, motion), scores


def test_a_swap_of_finished_encodes_is_the_swap_of_their_clips(system, tmp_path):
    clips = [write_h264(tmp_path / f"{n}.mp4", drawn_faces(n + 4, motion=n)) for n in range(2)]
    with Client(system.url) as client:
        encoded = [client.encode(clip) for clip in clips]
        from_jobs = client.swap(encoded, encoded[:1])
        from_files = client.swap(clips, clips[:1])
    assert np.array_equal(from_jobs.static, from_files.static)
    assert np.array_equal(from_jobs.frames, from_files.frames)
    assert np.allclose(from_files.static[0], encoded[0].static)


def test_sprites_swap_into_characters_nobody_has_trained_on(http, shared_data, tmp_path):
    import torch

    from training.data.sprites import Sprites, characters

    sprites = Sprites.load(shared_data / "sprites")
    who = [int(number) for number in characters("test")[:2]]
    motions = [
        [i for i, pose in enumerate(sprites.poses) if (pose.action, pose.direction) == moving]
        for moving in (("spellcast", "s"), ("walk", "e"))
    ]

    def show(character: int, poses: list[int]) -> np.ndarray:
        pictures = sprites.render(torch.full((len(poses),), character), torch.tensor(poses))
        return np.ascontiguousarray(pictures.permute(0, 2, 3, 1).numpy())

    clips = [write_h264(tmp_path / f"{n}.mp4", show(who[n], motions[n])) for n in range(2)]
    arrays = arrays_of(post_swap(http, clips, "application/x-npz", model="sprites-vae"))
    assert arrays["lengths"].tolist() == [len(poses) for poses in motions]
    scores = []
    for a in range(2):
        for m in range(2):
            length = len(motions[m])
            swapped = arrays["frames"][a, m]
            assert (swapped[length:] == swapped[length - 1]).all()
            scores.append(psnr(swapped[:length], show(who[a], motions[m])))
            assert scores[-1] > psnr(swapped[:length], show(who[1 - a], motions[m]))
    assert np.mean(scores) > 24, scores


REAL = {
    # file: frames it gives (of at most 12), the least PSNR against OpenCV's decoding
    "derived/flower_vp9_opus.webm": (12, 30),
    "derived/flower_odd_161x91.webm": (12, 30),
    "derived/flower_odd_161x91_yuv444.mp4": (12, 30),
    "derived/flower_portrait_90x160.mp4": (12, 30),
    "derived/flower_vfr.mp4": (12, 30),
    "derived/flower_mjpeg.mov": (12, 30),
    "derived/nasa_mpeg4_mp3.avi": (12, 30),
    "derived/seven_frames.mp4": (7, 30),
    "derived/sprite_walk_front.gif": (8, 40),
    "derived/sprite_walk_front_ffv1.mkv": (8, 60),
    "derived/large_4096x2304.mp4": (10, 30),
    "real/av1_video.mkv": (12, 30),
    "real/flower.webm": (12, 30),
    "real/friday.mp4": (12, 30),
    "real/h265_video.mp4": (10, 30),
    "real/person-bicycle-car-detection.gif": (12, 30),
    "real/rotate0.mov": (3, 30),
    "real/rotate90.mov": (3, 30),
    "real/unordered.mov": (4, 30),
    "signers/book.mkv": (12, 30),
}


@pytest.mark.parametrize("name", REAL)
def test_a_real_file_is_decoded_as_others_decode_it(http, shared_data, name):
    path = shared_data / "videos" / name
    count, least = REAL[name]
    arrays = arrays_of(post_clip(http, path, "application/x-npz", max_frames="12"))
    expected = as_a_model_sees(decoded(path)[:count])
    assert len(arrays["frames"]) == count
    assert psnr(arrays["frames"], expected) > least
    assert np.isfinite(arrays["static"]).all()
    assert np.isfinite(arrays["dynamic"]).all()


def test_an_uneven_frame_rate_is_kept_in_the_timestamps(http, shared_data):
    import av

    path = shared_data / "videos" / "derived" / "flower_vfr.mp4"
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    arrays = arrays_of(post_clip(http, path, "application/x-npz"))
    assert np.allclose(arrays["timestamps"], np.array(times) - times[0], atol=1e-3)
    assert len(np.unique(np.diff(arrays["timestamps"]).round(3))) > 1


def test_what_is_transparent_lies_on_black(http, shared_data):
    path = shared_data / "videos" / "real" / "transparent.webm"
    arrays = arrays_of(post_clip(http, path, "application/x-npz", max_frames="12"))
    corners = arrays["frames"][:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() < 16
    assert arrays["frames"].max() > 64


INVALID = {
    "audio_only.mp4": 422,
    "corrupted.mp4": 422,
    "empty.mp4": 422,
    "header_only.avi": 422,
    "header_only.gif": 422,
    "no_streams.mp4": 422,
    "png_renamed.mp4": 415,
    "text.mp4": 415,
    "truncated_no_index.mp4": 422,
    "truncated_with_index.mp4": 422,
}


@pytest.mark.parametrize("name", INVALID)
def test_a_broken_file_gets_a_clear_problem_and_the_next_request_works(http, shared_data, face_clip, name):
    answer = post_clip(http, shared_data / "videos" / "invalid" / name)
    assert answer.status_code == INVALID[name], answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == INVALID[name]
    assert problem["type"].startswith("/problems/")
    assert len(problem["detail"]) > 20
    assert not any(word in answer.text for word in ("Traceback", "worker/", ".py", "/tmp"))
    assert post_clip(http, face_clip).status_code == 200


def test_every_broken_file_of_the_folder_is_tried(shared_data):
    assert {path.name for path in (shared_data / "videos" / "invalid").iterdir()} == set(INVALID)


def test_the_latent_grid_is_a_smooth_plane_of_one_identity(http):
    arrays = arrays_of(http.get("/latent-grid", params={"seed": 3, "format": "npz"}))
    frames = arrays["frames"].astype(float)
    assert frames.shape == (9, 9, 64, 64, 3)
    assert arrays["coordinates"].shape[:2] == (9, 9)

    def apart(steps: int) -> float:
        along = np.abs(frames[steps:] - frames[:-steps]).mean()
        across = np.abs(frames[:, steps:] - frames[:, :-steps]).mean()
        return float(along + across)

    assert 0 < apart(1) < apart(2) < apart(4) < apart(8)
    assert apart(1) < 0.5 * apart(8)
    # The identity stays: two planes differ more from each other, place by place, than neighbours within one do.
    other = arrays_of(http.get("/latent-grid", params={"seed": 4, "format": "npz"}))["frames"].astype(float)
    assert np.abs(frames - other).mean() > np.abs(frames[1:] - frames[:-1]).mean()


def test_the_latent_grid_opens_in_a_browser_tab(http):
    answer = http.get(
        "/latent-grid", params={"seed": 3}, headers={"Accept": "text/html,image/avif,image/webp,*/*;q=0.8"}
    )
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "image/png"
    assert min(Image.open(io.BytesIO(answer.content)).size) >= 9 * 64
    again = http.get("/latent-grid", params={"seed": 3}, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert not again.content


def workers_of(system: System, queue: str) -> list[int]:
    """The worker process of a queue, and the decoder processes it has started."""
    (worker,) = system.processes("-m worker --queue", queue)
    return [worker, *descendants(worker)]


def test_a_job_whose_worker_is_killed_ends_well_all_the_same(system, http, long_clip):
    began = time.monotonic()
    half = {"end": "33"}  # it is encoded nearly three times
    undisturbed = post_job(http, long_clip, **half)
    assert finished(http, undisturbed, 120)["status"] == "succeeded"
    normal = time.monotonic() - began

    job = post_job(http, long_clip, crop="none", **half)
    wait_until_running(http, job)
    for pid in workers_of(system, "batch"):
        os.kill(pid, signal.SIGKILL)
    done = finished(http, job, normal + 60)
    assert done["status"] == "succeeded"
    assert done["attempts"] == 2
    arrays = [
        arrays_of(http.get(f"/jobs/{each}/result", headers={"Accept": FORMATS["npz"]})) for each in (undisturbed, job)
    ]
    assert np.array_equal(arrays[0]["dynamic"], arrays[1]["dynamic"])


def test_a_running_job_is_canceled_and_the_worker_goes_on(http, long_clip, face_clip):
    job = post_job(http, long_clip, start="0.5")
    wait_until_running(http, job)
    assert http.delete(f"/jobs/{job}").status_code == 202
    assert finished(http, job, 20)["status"] == "canceled"
    assert http.get(f"/jobs/{job}/result").status_code in (409, 410)
    answer = post_clip(http, face_clip)
    assert answer.status_code == 200
    assert http.delete(answer.headers["Location"]).status_code == 409


def post_job(http: httpx.Client, clip: Path, **fields: str) -> str:
    with clip.open("rb") as file:
        answer = http.post("/encode", files={"video": file}, data=fields)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def wait_until_running(http: httpx.Client, job: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        now = http.get(f"/jobs/{job}").json()
        if now["status"] == "running" and now["progress"] > 0:
            return
        assert now["status"] in ("queued", "running"), now
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_users_at_once_each_get_their_own(system, tmp_path):
    clips = [write_h264(tmp_path / f"{n}.mp4", drawn_faces(n + 6, motion=n + 10)) for n in range(4)]
    ready = threading.Barrier(len(clips))

    def user(number: int) -> np.ndarray:
        with Client(system.url) as client:
            ready.wait()
            return client.encode(clips[number]).frames

    with ThreadPoolExecutor(len(clips)) as users:
        seen = list(users.map(user, range(len(clips))))
    for number, frames in enumerate(seen):
        assert psnr(frames, drawn_faces(number + 6, motion=number + 10)) > 35


def test_a_latent_query_does_not_wait_behind_video(http, long_clip):
    job = post_job(http, long_clip, start="1.0")
    wait_until_running(http, job)
    began = time.monotonic()
    assert http.get("/latent-grid", params={"seed": 77, "size": 3}).status_code == 200
    assert time.monotonic() - began < 20
    assert http.get(f"/jobs/{job}").json()["status"] == "running"
    http.delete(f"/jobs/{job}")
