"""A server's kinds of job as methods: files and names in, numpy arrays out; coroutines over whichever network."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from operator import index
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal, cast
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import ArrayLike

from jobs.errors import WrongValue
from twofold.connection import KEYED, Representation, new_key
from twofold.results import (
    Decoded,
    Encoded,
    Interpolated,
    Job,
    LatentGrid,
    Predicted,
    ProgressCallback,
    Sampled,
    Swapped,
    Trained,
    Uploaded,
)
from twofold.waiting import Waiting

ClipFile = str | os.PathLike[str] | IO[bytes]
"""A clip to upload: a file's path, or a file opened for reading in binary."""

Source = ClipFile | Encoded | Uploaded
"""What a swap or a prediction takes: a clip to upload, one that was, or an earlier encode, for its codes."""

End = tuple[Encoded | str, int]
"""One end of a path: an earlier encode, or its job's id, and the number of a frame of it."""

ASK_FOR_THE_JOB = {"Prefer": "respond-async", "Accept": "application/json"}
READ = ("json", "npz")  # what a typed result is made of


class Server(Waiting):
    """A Twofold server, as methods, one for each kind of job, and what is known of jobs and models."""

    async def encode(
        self,
        clip: ClipFile | Uploaded,
        *,
        model: str | None = None,
        start: float | None = None,
        end: float | None = None,
        stride: int | None = None,
        max_frames: int | None = None,
        crop: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Encoded:
        """Return the static and dynamic codes of a clip, and how well it fits the model.

        `start` and `end` in seconds; `crop` is none, center, face or "x,y,w,h" in pixels.
        """
        fields = {"model": model, "start": start, "end": end, "stride": stride, "max_frames": max_frames, "crop": crop}
        job = await self.wait(await self.submit_encode(clip, **fields), progress=progress)
        return Encoded.of(job.id, await self._read(job))

    async def swap(
        self,
        static: Source | Sequence[Source],
        dynamic: Source | Sequence[Source],
        *,
        model: str | None = None,
        transfer: Literal["raw", "prior"] | None = None,
        progress: ProgressCallback | None = None,
    ) -> Swapped:
        """Return every static source doing the motion of every dynamic one; up to 8 of each."""
        job = await self.wait(
            await self.submit_swap(static, dynamic, model=model, transfer=transfer), progress=progress
        )
        return Swapped.of(job.id, await self._read(job))

    async def latent_grid(
        self,
        *,
        model: str | None = None,
        static: Encoded | str | None = None,
        seed: int | None = None,
        size: int | None = None,
        dims: str | tuple[int, int] | None = None,
        extent: float | None = None,
        spacing: Literal["linear", "quantile"] | None = None,
        progress: ProgressCallback | None = None,
    ) -> LatentGrid:
        """Return the dynamic plane of one identity: an earlier encode's (or its job's id), or one drawn by seed.

        `dims` are two dimensions, "auto" (the two most active) or "principal" (axes).
        """
        fields = {
            "model": model,
            "static_job": _job_of(static),
            "seed": seed,
            "size": size,
            "dims": ",".join(map(str, dims)) if isinstance(dims, tuple) else dims,
            "extent": extent,
            "spacing": spacing,
        }
        job = await self.wait(await self.submit_latent_grid(**fields), progress=progress)
        return LatentGrid.of(job.id, await self._read(job))

    async def predict(
        self,
        clip: Source,
        *,
        model: str | None = None,
        observe: int | None = None,
        frames: int | None = None,
        samples: int | None = None,
        seed: int | None = None,
        start: float | None = None,
        end: float | None = None,
        stride: int | None = None,
        max_frames: int | None = None,
        crop: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Predicted:
        """Return the next `frames` after the first `observe` of a clip, or of an earlier encode.

        The likeliest future, or with a `seed`, and where `samples` are several, sampled ones.
        """
        fields = {"model": model, "observe": observe, "frames": frames, "samples": samples, "seed": seed}
        cut = {"start": start, "end": end, "stride": stride, "max_frames": max_frames, "crop": crop}
        job = await self.wait(await self.submit_predict(clip, **fields, **cut), progress=progress)
        return Predicted.of(job.id, await self._read(job))

    async def sample(
        self,
        *,
        model: str | None = None,
        seed: int | None = None,
        identities: int | None = None,
        frames: int | None = None,
        static: Encoded | str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Sampled:
        """Return new identities and motions from the prior; or new motions of an earlier encode (or its job's id)."""
        fields = {"model": model, "seed": seed, "identities": identities, "frames": frames}
        job = await self.wait(await self.submit_sample(**fields, static_job=_job_of(static)), progress=progress)
        return Sampled.of(job.id, await self._read(job))

    async def interpolate(
        self,
        first: End,
        last: End,
        *,
        model: str | None = None,
        steps: int | None = None,
        part: Literal["dynamic", "static", "both"] | None = None,
        progress: ProgressCallback | None = None,
    ) -> Interpolated:
        """Return the path from the codes of one frame to those of another; `part` says which code goes."""
        ends = [(str(_job_of(encode)), frame) for encode, frame in (first, last)]
        asked = await self.submit_interpolate(ends, model=model, steps=steps, part=part)
        job = await self.wait(asked, progress=progress)
        return Interpolated.of(job.id, await self._read(job))

    async def decode(
        self,
        static: Encoded | str | ArrayLike,
        dynamic: ArrayLike,
        *,
        model: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Decoded:
        """Return the pictures of codes: `static` a vector (S), an earlier encode or its job's id, `dynamic` (T, D)."""
        named = isinstance(static, Encoded | str)
        who = {"static_job": _job_of(cast("Encoded | str", static))} if named else {"static": static}
        job = await self.wait(await self.submit_decode(dynamic, model=model, **who), progress=progress)
        return Decoded.of(job.id, await self._read(job))

    async def train(
        self,
        clips: Sequence[ClipFile | Uploaded],
        name: str,
        *,
        family: Literal["vae", "drnet"] | None = None,
        crop: Literal["center", "face"] | None = None,
        minutes: float | None = None,
        progress: ProgressCallback | None = None,
    ) -> Trained:
        """Have a model learnt from clips, two at least, where the server's operator allows it; it takes minutes.

        Whoever may ask the server may use it then, as `name`.
        """
        job = await self.submit_train(clips, name, family=family, crop=crop, minutes=minutes)
        job = await self.wait(job, progress=progress)
        return Trained.of(job.id, json.loads(await self.result(job, "json")))

    async def upload(self, clip: ClipFile) -> Uploaded:
        """Upload a clip to be used more than once, wherever a clip is asked for; it lives as long as results do."""
        with contextlib.ExitStack() as opened:
            # The id is the content's: the same upload twice is one clip.
            said = await self._told("POST", "/clips", harmless=True, files=[_part(opened, "video", clip)])
        return Uploaded.of(said)

    async def clip(self, clip: Uploaded | str) -> Uploaded:
        """Return what the server knows of an uploaded clip."""
        return Uploaded.of(await self._told("GET", f"/clips/{_clip_id(clip)}"))

    async def delete_clip(self, clip: Uploaded | str) -> None:
        """Forget an uploaded clip; jobs that use it keep it to their end."""
        await self._ask("DELETE", f"/clips/{_clip_id(clip)}")

    async def submit_encode(self, /, clip: ClipFile | Uploaded, **fields: Any) -> Job:
        """Queue an encode and return its job at once; the fields are those of `encode`.

        `callback`, here as for every kind, is an https address that is told when the job has ended.
        """
        return await self._submit("/encode", [("video", clip)], fields)

    async def submit_swap(
        self, /, static: Source | Sequence[Source], dynamic: Source | Sequence[Source], **fields: Any
    ) -> Job:
        """Queue a swap and return its job at once; the fields are those of `swap`."""
        sources = [
            (side, each) for side, given in (("static", static), ("dynamic", dynamic)) for each in _listed(given)
        ]
        return await self._submit("/swap", sources, fields)

    async def submit_latent_grid(self, /, **fields: Any) -> Job:
        """Queue a latent grid and return its job at once; the fields are those of the request's query."""
        answer = await self._ask("GET", "/latent-grid", params={**_given(fields), "wait": 0}, headers=ASK_FOR_THE_JOB)
        return Job.of(answer.json()) if answer.status_code == 202 else await self.job(_job_named_by(answer))

    async def submit_predict(self, /, clip: Source | None = None, **fields: Any) -> Job:
        """Queue a prediction and return its job at once; the fields are those of `predict`, or `job` for the clip."""
        if isinstance(clip, Encoded):
            return await self._submit("/predict", [], {**fields, "job": _job_of(clip)})
        return await self._submit("/predict", [] if clip is None else [("video", clip)], fields)

    async def submit_sample(self, /, **fields: Any) -> Job:
        """Queue samples and return their job at once; the fields are those of the request."""
        return await self._submit_json("/sample", fields)

    async def submit_interpolate(self, /, ends: Sequence[tuple[str, int]], **fields: Any) -> Job:
        """Queue a path between two frames, each a finished encode's id and a number, and return its job at once."""
        given = [{"job": job, "frame": index(frame)} for job, frame in ends]
        return await self._submit_json("/interpolate", {**fields, "ends": given})

    async def submit_decode(self, /, dynamic: ArrayLike, *, static: ArrayLike | None = None, **fields: Any) -> Job:
        """Queue the pictures of codes and return their job at once; `static_job` may stand for `static`."""
        codes = {"dynamic": as_numbers(dynamic), "static": None if static is None else as_numbers(static)}
        return await self._submit_json("/decode", {**fields, **codes})

    async def submit_train(self, /, clips: Sequence[ClipFile | Uploaded], name: str, **fields: Any) -> Job:
        """Upload the clips, queue the training of a model on them, and return its job at once."""
        uploaded = [clip if isinstance(clip, Uploaded) else await self.upload(clip) for clip in clips]
        return await self._submit_json("/train", {**fields, "name": name, "clips": [clip.id for clip in uploaded]})

    async def _read(self, job: Job) -> dict[str, bytes]:
        return {name: await self.result(job, cast(Representation, name)) for name in READ}

    async def _submit_json(self, path: str, fields: Mapping[str, Any]) -> Job:
        given = {name: _plain(value) for name, value in fields.items() if value is not None}
        return Job.of(await self._told("POST", path, json=given, headers=_as_one()))

    async def _submit(self, path: str, sources: Sequence[tuple[str, Source]], fields: Mapping[str, Any]) -> Job:
        with contextlib.ExitStack() as opened:
            # Everything is a part of one multipart form, in order: the order of the sources is that of the rows.
            parts = [_part(opened, name, source) for name, source in sources]
            parts += [(name, (None, value)) for name, value in _given(fields).items()]
            return Job.of(await self._told("POST", path, files=parts, headers=_as_one()))


def _as_one() -> dict[str, str]:
    """Return the headers of a request that makes a job: repeated after its answer was lost, it is the same job."""
    return {**ASK_FOR_THE_JOB, KEYED: new_key()}


def _plain(value: Any) -> Any:
    """Return a number of NumPy's as Python's own, which JSON takes; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value) for name, value in fields.items() if value is not None}


def _listed(sources: Source | Sequence[Source]) -> list[Source]:
    return list(sources) if isinstance(sources, list | tuple) else [cast(Source, sources)]


def _part(opened: contextlib.ExitStack, name: str, source: Source) -> tuple[str, tuple[str | None, IO[bytes] | str]]:
    if isinstance(source, Encoded):
        return f"{name}_job", (None, str(_job_of(source)))
    if isinstance(source, Uploaded):
        return "clip" if name == "video" else f"{name}_clip", (None, source.id)
    if isinstance(source, str | os.PathLike):
        return name, (Path(source).name, _whole(opened, opened.enter_context(Path(source).open("rb"))))
    return name, (Path(str(getattr(source, "name", "clip"))).name, _whole(opened, source))


def _whole(opened: contextlib.ExitStack, file: IO[bytes]) -> IO[bytes]:
    """Return a file whose length is known, and that can be sent again: a pipe is neither until it has been read."""
    if file.seekable():
        return file
    whole = opened.enter_context(TemporaryFile())  # noqa: SIM115 - closed with the others
    shutil.copyfileobj(file, whole)
    whole.seek(0)
    return whole


def _clip_id(clip: Uploaded | str) -> str:
    return quote(clip if isinstance(clip, str) else clip.id, safe="")


def _job_of(encode: Encoded | str | None) -> str | None:
    if isinstance(encode, Encoded) and encode.job is None:
        raise ValueError("these codes were made without a server, which knows nothing of them: give it the clip")
    return encode.job if isinstance(encode, Encoded) else encode


def as_numbers(codes: ArrayLike) -> Any:
    """Return codes as the nested lists that JSON has; float32, which every model computes in.

    Raises:
        WrongValue: they are no numbers, or no finite ones.

    """
    try:
        numbers = np.asarray(codes, np.float32)
    except (ValueError, TypeError) as error:
        raise WrongValue(f"expected vectors of numbers, all of one length: {error}") from None
    if not np.isfinite(numbers).all():
        raise WrongValue("codes must be finite numbers, these hold NaN or infinity")
    return numbers.tolist()


def _job_named_by(answer: httpx.Response) -> str:
    return answer.headers["Location"].rsplit("/", 1)[-1]
