"""What is said of a folder of videos before a model is trained on it, so that nobody learns it from a bad model."""

from itertools import pairwise

from training.data.videos import VideoFolder


def told(found: VideoFolder, duplicates: list[tuple[int, int]], held_out: list[int]) -> list[str]:
    """Counts, sizes, cuts, near-duplicates, what was left out, and the split, in lines.

    `duplicates` are pairs of clips by their numbers, as `held_out` are clips.
    """
    separated = [pair for pair in scenes_of_one_file(found) if apart(pair, held_out)]
    lengths = [len(clip) for clip in found.clips]
    files = len(set(found.files))
    lines = [
        f"{counted(files, 'video')}, {counted(len(lengths), 'clip')}, {counted(sum(lengths), 'frame')} "
        f"({min(lengths)} to {max(lengths)} a clip){sizes(found)}"
    ]
    if found.stretches:
        lines.append(
            f"one clip alone: it is cut into {found.stretches} stretches; those held out show what the others show, "
            "so that their numbers flatter the model"
        )
    for name, cuts in found.cuts.items():
        short = found.short_scenes.get(name, 0)
        frames, clips = ", ".join(map(str, cuts)), counted(1 if found.stretches else found.files.count(name), "clip")
        too_short = f"; {counted(short, 'scene')} too short" if short else ""
        nobody = "".join(f"; scene {number} shows no face" for number in found.faceless.get(name, []))
        lines.append(f"scenes: {name} is cut at frame {frames} into {clips}{too_short}{nobody}")
    lines += [f"long: {name}, {used} of {count} frames are used" for name, (used, count) in found.thinned.items()]
    lines += [
        f"near-duplicates, on {'both sides' if apart((first, second), held_out) else 'one side'} of the split: "
        f"{found.names[first]} and {found.names[second]}"
        for first, second in duplicates
        if not found.stretches  # of one clip they are alike
    ]
    lines += [f"left out: {name} {why}" for name, why in found.left_out.items()]
    both = "; scenes of one file are on both sides" if separated and not found.stretches else ""
    return [*lines, f"split by clip: {len(lengths) - len(held_out)} to train on, {len(held_out)} held out{both}"]


def apart(pair: tuple[int, int], held_out: list[int]) -> bool:
    """Whether one of two clips is held out, and the other is not."""
    return (pair[0] in held_out) != (pair[1] in held_out)


def scenes_of_one_file(found: VideoFolder) -> list[tuple[int, int]]:
    """Pairs of clips that follow each other in one file: they show one place or person too often to be split."""
    return [(number, number + 1) for number, (first, second) in enumerate(pairwise(found.files)) if first == second]


def sizes(found: VideoFolder) -> str:
    """The sizes of the pictures of the files that are used, smallest area first, where the reader tells them."""
    told = {found.sizes[name] for name in found.files if name in found.sizes}
    if not told:
        return ""
    kept = sorted(told, key=lambda size: size[0] * size[1])
    smallest, largest = (f"{width} × {height}" for width, height in (kept[0], kept[-1]))
    return f", {smallest} pixels" if len(kept) == 1 else f", {smallest} to {largest} pixels"


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
