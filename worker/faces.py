"""Follows one face through a clip, so that a crop can keep it in the middle. Runs in the decoder process only."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from worker.area import Box
from worker.order import Refusal

WORKING_SIDE = 360  # pixels of the longer side that faces are looked for in
MARGIN = 1.9  # side of the crop over that of the face: the whole head with hair and chin
EVERY = 0.1  # seconds between two looks; what is between them is interpolated
SMOOTHING = 0.25  # seconds over which the crop's path is averaged


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
        """Return every face as x, y of its centre and its side, (n, 3), in the picture's own pixels."""
        height, width = picture.shape[:2]
        scale = min(1.0, WORKING_SIDE / max(height, width))
        gray = self.cv2.cvtColor(picture, self.cv2.COLOR_RGB2GRAY)
        small = self.cv2.resize(gray, None, fx=scale, fy=scale, interpolation=self.cv2.INTER_AREA)
        small = self.cv2.equalizeHist(small)
        found = list(self._look(self.frontal, small)) or list(self._look(self.profile, small))
        if not found:
            # The profile cascade knows faces that look to the left only.
            mirrored = list(self._look(self.profile, self.cv2.flip(small, 1)))
            found = [(small.shape[1] - x - w, y, w, h) for x, y, w, h in mirrored]
        faces = [((x + w / 2) / scale, (y + h / 2) / scale, max(w, h) / scale) for x, y, w, h in found]
        return np.array(faces, np.float64).reshape(-1, 3)

    def _look(self, cascade: Any, gray: NDArray[np.uint8]) -> Any:
        least = max(24, min(gray.shape) // 10)
        return cascade.detectMultiScale(gray, scaleFactor=1.1, minNeighbors=5, minSize=(least, least))


def follow_face(pictures: Iterable[Picture], finder: FaceFinder) -> FacePath:
    """Find the largest face and stay with it: each later look takes the face nearest to where it was.

    Raises:
        Refusal: no face is seen in any picture.

    """
    times: list[float] = []
    places: list[NDArray[np.float64]] = []
    next_look = -np.inf
    for picture in pictures:
        if picture.time < next_look:
            continue
        next_look = picture.time + EVERY
        faces = finder.find(picture.rgb())
        if not len(faces):
            continue
        if places:
            # Log of the side, so that a small false face inside the true one counts as far away.
            was = places[-1]
            jumps = np.hypot(*(faces[:, :2] - was[:2]).T) / was[2] + np.abs(np.log(faces[:, 2] / was[2]))
            if jumps.min() > 1 + (picture.time - times[-1]):  # nobody moves that fast: another's face
                continue
            face = faces[jumps.argmin()]
        else:
            face = faces[faces[:, 2].argmax()]
        times.append(picture.time)
        places.append(face)
    if not places:
        raise Refusal("no-face", "no face was found in any frame; use crop=center, or name the part as x,y,w,h")
    return smooth(np.array(times), np.array(places))


def smooth(times: NDArray[np.float64], places: NDArray[np.float64]) -> FacePath:
    """Average the path with a Gaussian window in time, which looks ahead as well as back and so does not lag."""
    distance = (times[:, None] - times[None, :]) / SMOOTHING
    weights = np.exp(-0.5 * distance**2)
    return FacePath(times, weights @ places / weights.sum(1, keepdims=True))
