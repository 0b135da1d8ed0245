"""A data set so simple that a model of it can be written by hand, and every metric of that model worked out.

A picture is four stripes. The grey of the first two says the static factors hat and coat, that of the others the
dynamic factors act and lean.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from jobs.settings import Settings
from models.codes import Codes, DynamicCode, StaticCode
from models.disentangler import Disentangler, FitScores
from models.gaussian import Gaussian
from training.data.drawable import Drawable, Labelled
from training.data.videos import Reader
from twofold.learning import reading

SIZE, STRIPE = 64, 16
HATS, COATS, ACTS = 3, 4, 5


class Stripes(Drawable):
    """Hat and coat are who, act (a class) and lean (a number) are what they do."""

    def __init__(self) -> None:
        self.name, self.fingerprint = "stripes", "1"
        self.static_levels = {"hat": HATS, "coat": COATS}
        self.classes, self.ranges = {"act": ACTS}, {"lean": (-1.0, 1.0)}

    def identities(self, split, count=None):
        rng = np.random.default_rng(0 if split == "train" else 1)
        count = count or 60
        return np.stack([rng.integers(HATS, size=count), rng.integers(COATS, size=count)], 1)

    def motions(self, rng, count, frames, motion):
        if motion == "movement":
            act = np.repeat(rng.integers(ACTS, size=(count, 1)), frames, 1)
            lean = np.repeat(rng.integers(256, size=(count, 1)), frames, 1)
        else:
            act, lean = rng.integers(ACTS, size=(count, frames)), rng.integers(256, size=(count, frames))
        return np.stack([act.astype(float), lean / 127.5 - 1], -1)

    def draw(self, static, dynamic):
        count, length = dynamic.shape[:2]
        parts = np.stack(
            [
                np.repeat(static[:, :1] / (HATS - 1), length, 1),
                np.repeat(static[:, 1:] / (COATS - 1), length, 1),
                dynamic[..., 0] / (ACTS - 1),
                (dynamic[..., 1] + 1) / 2,
            ],
            -1,
        )
        grey = torch.from_numpy((parts * 255).round().astype(np.uint8))
        stripes = grey.repeat_interleave(STRIPE, -1)
        return stripes[:, :, None, None].expand(count, length, 3, SIZE, SIZE).contiguous()

    def read(self, dynamic):
        return {"act": dynamic[..., 0], "lean": dynamic[..., 1]}

    def legible(self, pose):
        return np.ones((*pose["act"].shape, 2), dtype=bool)

    def examples(self, split, count, rng):
        people = self.identities(split)
        static = people[rng.integers(len(people), size=count)]
        dynamic = self.motions(rng, count, 1, "scattered")
        return Labelled(self.draw(static, dynamic)[:, 0], static, dynamic[:, 0])


class ByHand(Disentangler):
    """Reads the stripes and paints them again. What it does wrong is said by `fault`.

    "none": static = hat and coat, dynamic = act and lean; "leak": the hat it paints is the one in the dynamic
    code; "memory": the static code also holds the clip's mean act and lean, and nothing paints them; "grey": every
    code is 0 and every picture grey.
    """

    family = "by_hand"
    image_size, channels, static_dim, dynamic_dim = SIZE, 3, 4, 3

    def __init__(self, fault="none"):
        super().__init__()
        self.fault, self.anchor = fault, torch.nn.Parameter(torch.zeros(()))

    def network(self):
        return {}

    def features(self, frames):
        return frames[:, 0, 0, ::STRIPE]

    def codes(self, features, frame):
        return self.of(features[None])

    def encode(self, frames):
        return self.of(frames[:, :, 0, 0, ::STRIPE])

    def of(self, stripes):
        static, dynamic = stripes.mean(1), torch.cat([stripes[..., 2:], stripes[..., :1]], -1)
        if self.fault != "memory":
            static = torch.cat([static[:, :2], torch.zeros_like(static[:, 2:])], 1)
        if self.fault != "leak":
            dynamic = torch.cat([dynamic[..., :2], torch.zeros_like(dynamic[..., 2:])], -1)
        if self.fault == "grey":
            static, dynamic = static * 0, dynamic * 0
        return Codes(StaticCode(static, torch.zeros_like(static)), DynamicCode(dynamic, torch.zeros_like(dynamic)))

    def decode(self, static, dynamic):
        who = static.mean[:, None, :2].expand(-1, dynamic.shape[1], -1)
        if self.fault == "leak":
            who = torch.cat([dynamic[..., 2:], who[..., 1:]], -1)
        stripes = torch.cat([who, dynamic[..., :2]], -1)
        if self.fault == "grey":
            stripes = stripes * 0 + 0.5
        wide = stripes.repeat_interleave(STRIPE, -1)
        return wide[:, :, None, None].expand(*stripes.shape[:2], 3, SIZE, SIZE)

    def prior(self, static):
        shape = (len(static), self.dynamic_dim)
        return Gaussian(torch.zeros(shape), torch.zeros(shape))

    def sample_static(self, num, generator):
        return StaticCode(torch.rand(num, 4, generator=generator), torch.zeros(num, 4))

    def score(self, frames, reconstruction, codes):
        return FitScores(0.0)


@pytest.fixture
def stripes():
    """The data set of four stripes."""
    return Stripes()


@pytest.fixture
def by_hand():
    """Makes the model that a fault names."""
    return lambda fault="none": ByHand(fault).eval()


@pytest.fixture
def few_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typical of a model's clips is told by a few of them, where a test is about something else."""
    monkeypatch.setattr("training.statistics.MAX_CLIPS", 12)


@pytest.fixture
def read() -> Iterator[Reader]:
    """What reads a person's own videos."""
    with reading("center", Settings()) as read:
        yield read
