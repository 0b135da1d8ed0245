"""Follows one face through a clip, so that a crop can keep it in the middle. Runs in the decoder process only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from worker.area import Box
from worker.order import Refusal

WORKING_SIDE = 640  # pixels of the longer side that faces are looked for in
MARGIN = 1.9  # side of the crop over that of the face: the whole head with hair and chin
EVERY = 0.1  # seconds between two looks; what is between them is interpolated
SELDOM = 0.3  # and once nobody has been seen for a while: it takes all three searches to say so
AWHILE = 1.0  # seconds
MOMENT = 1e-6  # and what sums of tenths of a second may be out by
SMOOTHING = 0.25  # seconds over which the crop's path is averaged


@runtime_checkable
class Picture(Protocol):
    """A frame of a clip that can be looked at."""

    time: float
    aspect: float

    def rgb(self) -> NDArray[np.uint8]:
        """Return the picture, (h, w, 3)."""


@dataclass(frozen=True, slots=True)
class FacePath:
    """Where the face is over time: centre and side in pixels, already smoothed."""

    times: NDArray[np.float64]
    places: NDArray[np.float64]  # (n, 3): x, y, side

    def box(self, time: float, height: int, width: int, aspect: float) -> Box:
        """Return the square around the face at a time, pushed inside the picture."""
        x, y, side = (float(np.interp(time, self.times, self.places[:, i])) for i in range(3))
        tall = min(side * MARGIN, height, width * aspect)
        wide = tall / aspect
        return Box(
            float(np.clip(x - wide / 2, 0, width - wide)), float(np.clip(y - tall / 2, 0, height - tall)), wide, tall
        )


class FaceFinder:
    """OpenCV's Haar cascades, loaded before the process is locked down."""

    def __init__(self) -> None:
        import cv2  # a tenth of a second that only face crops pay
        import cv2.data

        cv2.setNumThreads(1)
        self.cv2: Any = cv2
        folder = cv2.data.haarcascades
        self.frontal = cv2.CascadeClassifier(f"{folder}haarcascade_frontalface_default.xml")
        self.profile = cv2.CascadeClassifier(f"{folder}haarcascade_profileface.xml")

    def find(self, picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return every face as x, y of its centre, its side in the picture's own pixels, and how sure it is, (n, 4)."""
        height, width = picture.shape[:2]
        scale = min(1.0, WORKING_SIDE / max(height, width))
        gray = self.cv2.cvtColor(picture, self.cv2.COLOR_RGB2GRAY)
        small = self.cv2.resize(gray, None, fx=scale, fy=scale, interpolation=self.cv2.INTER_AREA)
        small = self.cv2.equalizeHist(small)
        found = list(self._look(self.frontal, small)) or list(self._look(self.profile, small))
        if not found:
            # The profile cascade knows faces that look to the left only.
            mirrored = list(self._look(self.profile, self.cv2.flip(small, 1)))
            found = [(small.shape[1] - x - w, y, w, h, sure) for x, y, w, h, sure in mirrored]
        faces = [((x + w / 2) / scale, (y + h / 2) / scale, max(w, h) / scale, sure) for x, y, w, h, sure in found]
        return np.array(faces, np.float64).reshape(-1, 4)

    def _look(self, cascade: Any, gray: NDArray[np.uint8]) -> list[tuple[float, ...]]:
        least = max(24, min(gray.shape) // 14)
        boxes, _, sure = cascade.detectMultiScale3(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(least, least), outputRejectLevels=True
        )
        return [(*map(float, box), float(weight)) for box, weight in zip(boxes, sure, strict=True)]


@dataclass(slots=True)
class Track:
    """One face over time, as it is being followed."""

    times: list[float]
    places: list[NDArray[np.float64]]
    sure: float

    def jump(self, time: float, face: NDArray[np.float64]) -> float:
        """Return how far a face lies from where this one was, in its own sides; infinite if nobody moves so fast."""
        was = self.places[-1]
        # The logarithm counts a small false face inside the true one as far away.
        far = float(np.hypot(*(face[:2] - was[:2])) / was[2] + abs(np.log(face[2] / was[2])))
        return far if far <= 1 + (time - self.times[-1]) else float("inf")


def follow_face(pictures: Iterable[Picture], finder: FaceFinder) -> FacePath:
    """Follow every face that is seen, and keep the one that was surest over the whole clip.

    What looks like a face for a moment may be larger; it is seldom as sure for as long. (A clock on the wall can be.)

    Raises:
        Refusal: no face is seen in any picture.

    """
    tracks: list[Track] = []
    next_look = seen = -np.inf
    for picture in pictures:
        if picture.time < next_look - MOMENT:
            continue
        faces = finder.find(picture.rgb())
        if len(faces) or seen == -np.inf:
            seen = picture.time  # nobody at first is nobody since then
        next_look = picture.time + (EVERY if picture.time - seen < AWHILE else SELDOM)
        for face in faces:
            free = [track for track in tracks if track.times[-1] < picture.time]
            nearest = min(free, key=lambda track: track.jump(picture.time, face), default=None)
            if nearest is None or nearest.jump(picture.time, face) == float("inf"):
                tracks.append(Track([picture.time], [face[:3]], float(face[3])))
            else:
                nearest.times.append(picture.time)
                nearest.places.append(face[:3])
                nearest.sure += float(face[3])
    if not tracks:
        raise Refusal("no-face", "no face was found in any frame; use crop=center, or name the part as x,y,w,h")
    best = max(tracks, key=lambda track: track.sure)
    return smooth(np.array(best.times), np.array(best.places))


def smooth(times: NDArray[np.float64], places: NDArray[np.float64]) -> FacePath:
    """Average the path with a Gaussian window in time, which looks ahead as well as back and so does not lag."""
    distance = (times[:, None] - times[None, :]) / SMOOTHING
    weights = np.exp(-0.5 * distance**2)
    return FacePath(times, weights @ places / weights.sum(1, keepdims=True))
