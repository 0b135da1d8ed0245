"""A face is looked for often while one is seen, and seldom while nobody is."""

from dataclasses import dataclass

import numpy as np
import pytest

from worker.faces import FaceFinder, follow_face
from worker.order import Refusal


@dataclass
class Picture:
    """A frame of which only the time matters."""

    time: float
    aspect: float = 1.0

    def rgb(self) -> np.ndarray:
        return np.full((4, 4, 3), round(10 * self.time), np.uint8)


class Finder(FaceFinder):
    """Sees one face, moving right by 10 pixels a second, between two moments."""

    def __init__(self, since: float, until: float) -> None:
        self.since, self.until, self.looks = since, until, []

    def find(self, picture):
        time = picture[0, 0, 0] / 10
        self.looks.append(time)
        seen = self.since <= time < self.until
        return np.array([[50 + 10 * time, 40, 20, 3.0]]) if seen else np.zeros((0, 4))


def film(seconds: float) -> list[Picture]:
    return [Picture(number / 10) for number in range(round(10 * seconds))]


def test_who_comes_in_later_is_followed_from_then_on_at_every_tenth_of_a_second() -> None:
    finder = Finder(since=6.0, until=8.0)
    path = follow_face(film(8), finder)
    assert sum(time < 1 for time in finder.looks) == 10, "a face may be missed for a moment"
    assert sum(1 <= time < 6 for time in finder.looks) == 17, "of an empty room one frame in three is looked at"
    assert sum(time >= 6 for time in finder.looks) >= 19
    middle = path.box(7.0, 100, 200, 1.0)
    assert middle.x + middle.width / 2 == pytest.approx(120, abs=0.5)
    before = path.box(0.0, 100, 200, 1.0)
    assert before.x + before.width / 2 == pytest.approx(110, abs=4), "waiting where they will come in"


def test_an_empty_room_is_said_to_be_one() -> None:
    finder = Finder(since=9.0, until=9.0)
    with pytest.raises(Refusal, match="no face was found in any frame"):
        follow_face(film(6), finder)
    assert len(finder.looks) == 10 + 17


def test_a_short_clip_whose_first_frame_hides_the_face_is_followed() -> None:
    finder = Finder(since=0.1, until=9.0)
    assert follow_face(film(0.3), finder).times.tolist() == [0.1, 0.2]
