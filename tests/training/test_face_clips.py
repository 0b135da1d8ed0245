"""Faces drawn as they come are those of their split, new each time, and the same again for the same generator."""

import pytest
import torch

from training.data.face_clips import FaceClips
from training.data.faces import numbers
from training.data.pool import Clips


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_they_are_clips_of_every_identity_of_their_split() -> None:
    clips = FaceClips("train")
    assert isinstance(clips, Clips)
    assert len(clips) == len(clips.with_runs(500)) == len(numbers("train"))
    assert clips.who(7).number == numbers("train")[7]
    assert {FaceClips("test").who(index).number for index in range(50)}.isdisjoint(numbers("train").tolist())


def test_identities_that_are_left_out_are_the_first_of_the_fixed_order() -> None:
    clips = FaceClips("test", first=300)
    assert clips.who(0).number == numbers("test")[300]
    assert len(clips) == len(clips.with_runs(40)) == len(numbers("test")) - 300
    assert clips.who(len(clips) - 1).number == numbers("test")[-1]
    with pytest.raises(IndexError):
        clips.who(len(clips))


def test_one_generator_draws_one_batch_and_another_one_others() -> None:
    first, again, other = (FaceClips("train").draw(2, 3, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == (2, 3, 3, 64, 64)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_frames_of_an_example_are_of_one_person_who_moves() -> None:
    frames = FaceClips("train").draw(6, 8, generator())
    corner = frames[..., :4, :4]  # nothing but ground
    assert torch.equal(corner, corner[:, :1].expand_as(corner))
    assert (frames - frames[:, :1]).abs().amax((1, 2, 3, 4)).min() > 0.2


def test_a_run_moves_smoothly_and_as_long_as_asked() -> None:
    run = FaceClips("train").run(3, 60, generator())
    steps = (run[1:] - run[:-1]).abs().mean((1, 2, 3))
    assert len(run) == 60
    assert 0.001 < steps.mean() < steps.max() < 0.1


def test_frames_of_an_example_tell_nothing_of_each_others_pose() -> None:
    """The mean picture of a movement's frames is like each of them; that of moments far apart is not."""
    clips = FaceClips("train")
    apart = clips.draw(12, 8, generator())
    together = torch.stack([clips.run(index, 8, generator(index)) for index in range(12)])
    spread = [(frames - frames.mean(1, keepdim=True)).abs().mean() for frames in (apart, together)]
    assert spread[0] > 1.5 * spread[1]
