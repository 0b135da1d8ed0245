"""Which factors each code tells a reader: two directions that should fail, and two that should succeed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from rich.progress import Progress

from training.data.drawable import Drawable
from training.metrics.coded import CodedSplits, clip_means, clip_of_frame, each_frame, flat, frame_factors, together
from training.metrics.probes import Probe, Reader, probe_class, probe_value


@dataclass(frozen=True, slots=True)
class Leakage:
    """Probes by factor. The first two are leaks: at chance, a code keeps to what it is for.

    Static factors are read from the dynamic code of single frames, and from those of a whole clip together (their
    mean and deviation), which may tell what no frame does. Dynamic factors are read from the static code of
    clips that show one movement only, where a static code that holds the average pose would tell; of numbers,
    the clip's mean is read.
    """

    static_from_dynamic: dict[str, Probe]
    static_from_movement: dict[str, Probe]  # of a clip's dynamic codes together
    dynamic_from_static: dict[str, Probe]
    static_from_static: dict[str, Probe]
    dynamic_from_dynamic: dict[str, Probe]


def leakage(coded: CodedSplits, data: Drawable, reader: Reader, progress: Progress) -> Leakage:
    """Fit every probe on training identities and score it on held-out ones."""
    fit, test = coded.scattered, coded.scattered_held_out
    moving, moving_test = coded.movement, coded.movement_held_out
    from_frames = static_from_dynamic(coded, data, reader, progress)
    names, frames = list(data.static_levels), clip_of_frame(test)
    task = progress.add_task(f"probing codes, {reader}", total=2 * len(names) + 2 * len(frame_factors(data, test)))

    def static(codes: Float[np.ndarray, "n d"], held_out_codes: Float[np.ndarray, "m d"]) -> dict[str, Probe]:
        found = {}
        for column, name in enumerate(names):
            known, true = (part.static_factors[:, column].astype(np.float64) for part in (fit, test))
            found[name] = probe_class(codes, known, held_out_codes, true, reader=reader)
            progress.advance(task)
        return found

    def dynamic(
        codes: Float[np.ndarray, "n d"],
        factors: Mapping[str, Float[np.ndarray, " n"]],
        held_out_codes: Float[np.ndarray, "m d"],
        held_out_factors: Mapping[str, Float[np.ndarray, " m"]],
        clips: Int[np.ndarray, " m"] | None = None,
    ) -> dict[str, Probe]:
        found = {}
        for name, values in factors.items():
            probe = probe_class if name in data.classes else probe_value
            found[name] = probe(codes, values, held_out_codes, held_out_factors[name], reader=reader, clips=clips)
            progress.advance(task)
        return found

    return Leakage(
        static_from_dynamic=from_frames,
        static_from_movement=static(together(fit), together(test)),
        dynamic_from_static=dynamic(
            moving.static, clip_means(data, moving), moving_test.static, clip_means(data, moving_test)
        ),
        static_from_static=static(fit.static, test.static),
        dynamic_from_dynamic=dynamic(
            flat(fit.dynamic), frame_factors(data, fit), flat(test.dynamic), frame_factors(data, test), frames
        ),
    )


def static_from_dynamic(coded: CodedSplits, data: Drawable, reader: Reader, progress: Progress) -> dict[str, Probe]:
    """Static factors as the dynamic code of single frames tells them, fitted and scored likewise."""
    fit, test = coded.scattered, coded.scattered_held_out
    frames, found = clip_of_frame(test), {}
    for column, name in enumerate(progress.track(list(data.static_levels), description=f"probing frames, {reader}")):
        levels = each_frame(fit, column), each_frame(test, column)
        found[name] = probe_class(
            flat(fit.dynamic), levels[0], flat(test.dynamic), levels[1], reader=reader, clips=frames
        )
    return found
