"""Where a recipe's clips come from on this machine: pools for training and for the held-out measure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from training.data.digits import MovingDigits
from training.data.duplicates import near_duplicates
from training.data.errors import DataError
from training.data.face_clips import FaceClips
from training.data.kth import NUM_FILES, PERSONS, SEQUENCES, Performances, Persons, find_recordings, read_sequences
from training.data.labels import Labels
from training.data.norb import CLIPS, Turns
from training.data.pool import ClipPool, Clips
from training.data.sheets import ARTISTS
from training.data.sides import SHOWN, Sides, known_by
from training.data.sprite_clips import SpriteClips, sprite_pool
from training.data.sprites import Sprites
from training.data.told import scenes_of_one_file, told
from training.data.videos import Reader, VideoFolder, cut_alone, find_videos, read_videos, split_clips, video_pool

DIGITS_TEST = 300  # held-out clips
# Of a person's own clip. One number for whoever reads the folder: were a clip used here and left out there, the split
# would be another, and the held-out clips of an evaluation would have been trained on.
LEAST_FRAMES = 4
MNIST_LICENCE = "CC-BY-SA-3.0, as commonly stated (LeCun, Cortes)"
ORDER = 1  # the seed of that in which labelled clips are held out
SIZE = 64  # pixels a side of a person's own clips
NAME_LONG, WHY_LONG = 60, 160  # characters of a file's name, and of why it was left out, in an error
# Which data set a model's card names.
BY_CARD = {
    "drawn faces": "faces",
    "LPC sprites": "sprites",
    "moving digits": "digits",
    "moving digits, grey": "digits_grey",
    "small NORB": "norb",
    "KTH actions": "kth",
    "KTH actions, PredRNN's split": "kth_predrnn",
}


@dataclass(frozen=True, slots=True)
class Source:
    """Clips to learn from, clips held out, and what the model card says about them."""

    training: Clips
    held_out: Clips
    card: dict[str, str]
    labels: tuple[Labels, Labels] | None = None  # of both, where files say them and pictures cannot be drawn
    found: tuple[str, ...] = ()  # what there is to say of a person's own videos, line by line
    held_out_files: tuple[str, ...] = ()  # whose scene each held-out clip is; without them each is a file of its own
    sides: Sides | None = None  # which of them are on which side
    changed: tuple[str, ...] = ()  # what there is to say of them where they are not those that a model learnt from


def open_source(
    data: str, folder: Path | None, clip_frames: int, read: Reader | None = None, sides: Sides | None = None
) -> Source:
    """The clips of a recipe's data set: "faces" are drawn, the others read from `folder`, a person's own by `read`.

    Where `sides` says how a person's own were split for a model, they are split so again.

    Raises:
        DataError: the folder is needed and not given, or its files cannot be used.

    """
    if data == "faces":
        return faces_source()
    if folder is None:
        raise DataError(f"the data set {data!r} is read from a folder: give it with --data")
    if data == "sprites":
        return sprites_source(folder)
    if data in ("digits", "digits_consecutive"):
        return digits_source(folder, consecutive=data == "digits_consecutive")
    if data == "digits_grey":
        return grey_digits_source(folder)
    if data == "norb":
        return norb_source(folder)
    if data in ("kth", "kth_predrnn"):
        return kth_source(folder, "drnet" if data == "kth" else "predrnn")
    assert read is not None, "whoever opens a person's own videos brings what reads them"
    return clips_source(folder, clip_frames, read, sides)


def open_held_out(data: str, folder: Path | None) -> Clips:
    """The held-out clips of a data set alone, which is not a person's own.

    Raises:
        DataError: as `open_source`.

    """
    if data == "sprites" and folder is not None:
        return SpriteClips(Sprites.load(folder), "test")
    return open_source(data, folder, 2).held_out


def kind_of(card: Mapping[str, str]) -> str:
    """The data set that a model's card names: what `open_source` calls it."""
    return BY_CARD.get(card.get("name", ""), "clips")


def faces_source() -> Source:
    """Drawn faces: every identity of a split, each drawn as it is asked for."""
    training, held_out = FaceClips("train"), FaceClips("test")
    return Source(
        training,
        held_out,
        {
            "name": "drawn faces",
            "licence": "none needed: drawn by this project's own generator",
            "split": f"{len(training)} identities train, {len(held_out)} others are held out",
            "source": "training/data/faces.py",
        },
    )


def sprites_source(folder: Path) -> Source:
    """LPC sprites: 1000 characters in 178 poses, 296 characters held out."""
    sprites = Sprites.load(folder)
    return Source(
        sprite_pool(sprites, "train"),
        SpriteClips(sprites, "test"),
        {
            "name": "LPC sprites",
            "licence": "CC-BY-SA-3.0 or GPL-3.0; drawn for the Liberated Pixel Cup by " + ARTISTS,
            "split": "RandomState(423).permutation(1296): first 1000 characters train, 296 held out, "
            "by which the recipe was chosen too",
            "source": "github.com/jrconway3/Universal-LPC-spritesheet, commit 2668274d",
        },
    )


def digits_source(folder: Path, consecutive: bool = False) -> Source:
    """Moving MNIST as DrNET has it: two digits, coloured, one in front of the other.

    With `consecutive` an example is a clip's first frames, as in the authors' later code.
    """
    return Source(
        replace(MovingDigits.load(folder, "train"), consecutive=consecutive),
        replace(MovingDigits.load(folder, "test"), clips=DIGITS_TEST),
        {
            "name": "moving digits",
            "licence": MNIST_LICENCE,
            "split": "MNIST's: clips of its training digits, held-out clips of its test digits, "
            "by which the recipe was chosen too",
            "source": "MNIST; movement and occlusion after Denton & Birodkar 2017 (training/data/digits.py)",
        },
    )


def grey_digits_source(folder: Path) -> Source:
    """Moving MNIST as Srivastava et al. 2015 have it, which the unordered VAE's paper learnt from: two grey digits."""
    training, held_out = (MovingDigits.load(folder, split, style="srivastava") for split in ("train", "test"))
    return Source(
        training,
        replace(held_out, clips=DIGITS_TEST),
        {
            "name": "moving digits, grey",
            "licence": MNIST_LICENCE,
            "split": "MNIST's: clips of its training digits, held-out clips of its test digits",
            "source": "MNIST; movement after Srivastava et al. 2015 (training/data/digits.py)",
        },
    )


def norb_source(folder: Path) -> Source:
    """Small NORB, of its two cameras the first: a turn of a toy at one elevation under one lighting is a clip."""
    training, held_out = Turns.load(folder, "train"), Turns.load(folder, "test")
    unknown, labels = mixed(held_out.pool(), held_out.labels())
    counts = f"{len(training.static)} of {CLIPS} clips train, {len(held_out.static)} of {CLIPS} held out"
    return Source(
        training.pool(),
        unknown,
        {
            "name": "small NORB",
            "licence": "for research; it cannot be sold (LeCun, Huang & Bottou 2004)",
            "split": f"NORB's: instances 4, 6, 7, 8, 9 of each category train, the others are held out; {counts}",
            "source": "cs.nyu.edu/~ylclab/data/norb-v1.0-small, first camera, azimuth as time",
        },
        labels=(training.labels(), labels),
    )


def kth_source(folder: Path, persons: Persons) -> Source:
    """The KTH actions, of which each stretch that shows somebody is a clip, split by person in one of two ways."""
    training, held_out = (Performances.load(folder, split, persons=persons) for split in PERSONS[persons])
    unknown, labels = mixed(held_out.pool(), held_out.labels())
    people = PERSONS[persons]
    by = f"the set's {SEQUENCES}" if read_sequences(folder) is not None else "this project's rule, without the list"
    left_out = "; ".join(f"{name} {why}" for name, why in (training.left_out | held_out.left_out).items())
    return Source(
        training.pool(),
        unknown,
        {
            "name": "KTH actions" if persons == "drnet" else "KTH actions, PredRNN's split",
            "licence": "the terms are on the set's page (Schuldt, Laptev & Caputo 2004)",
            "split": f"by person, 1 to {people['train'][-1]} train and {people['test'][0]} to 25 held out: "
            f"{len(training.stretches)} and {len(held_out.stretches)} clips",
            "source": f"www.csc.kth.se/cvap/actions, {len(find_recordings(folder))} of {NUM_FILES} files, cut by {by}"
            + (f"; not whole: {left_out}" if left_out else ""),
        },
        labels=(training.labels(), labels),
    )


def mixed(pool: ClipPool, labels: Labels) -> tuple[ClipPool, Labels]:
    """The same clips in a random order, always the same one.

    Files have them in the order of toys or persons: what is measured of the first so many would be of a few of them.
    """
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(ORDER))
    clips = {name: levels[order.numpy()] for name, levels in labels.clips.items()}
    return replace(pool, starts=pool.starts[order], lengths=pool.lengths[order]), replace(labels, clips=clips)


def clips_source(folder: Path, clip_frames: int, read: Reader, sides: Sides | None = None) -> Source:
    """A person's own videos, split by clip, or as `sides` says.

    Raises:
        DataError: there are none, or too few that can be used.

    """
    return source_of(read_videos(find_videos(folder), SIZE, max(clip_frames, LEAST_FRAMES), read), sides)


def split(found: VideoFolder, duplicates: list[tuple[int, int]], sides: Sides | None) -> tuple[list[int], list[int]]:
    """The numbers of the clips to train on and of those held out: as `sides` says, else by rule.

    Raises:
        DataError: there are too few; the message says what was left out, and why.

    """
    try:
        return sides.split(found) if sides else split_clips(found.names, duplicates, scenes_of_one_file(found))
    except DataError as error:
        left_out = [f"{name:.{NAME_LONG}}: {why:.{WHY_LONG}}" for name, why in found.left_out.items()]
        more = [f"and {len(left_out) - SHOWN} more"] if len(left_out) > SHOWN else []
        told = f"; left out: {'; '.join(left_out[:SHOWN] + more)}" if left_out else ""
        raise DataError(f"{error}{told}") from error


def source_of(found: VideoFolder, sides: Sides | None = None) -> Source:
    """Videos that have been read, split by clip, or as `sides` says.

    Raises:
        DataError: too few can be used.

    """
    found = sides.cut(found) if sides else cut_alone(found)
    duplicates = near_duplicates(found.clips)
    training, held_out = split(found, duplicates, sides)
    left_out = "; ".join(f"{name} {why}" for name, why in found.left_out.items())
    return Source(
        video_pool([found.clips[number] for number in training]),
        video_pool([found.clips[number] for number in held_out]),
        {
            "name": f"{len(found.clips)} own clips, {sum(map(len, found.clips))} frames",
            "licence": "the owner's",
            "split": f"by clip: {len(training)} train, {len(held_out)} held out"
            + ("; all are stretches of one video" if found.stretches else ""),
            "source": "videos of the owner" + (f"; left out: {left_out}" if left_out else ""),
        },
        held_out_files=tuple(found.files[number] for number in held_out),
        found=tuple(told(found, duplicates, held_out)),
        sides=Sides.of(found, training, held_out),
        changed=tuple(sides.changes(dict(zip(found.names, known_by(found), strict=True)))) if sides else (),
    )
