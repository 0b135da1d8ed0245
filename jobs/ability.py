"""Whether a model can do what is asked of it, as far as its config tells: refused before anything waits in a queue."""

from collections.abc import Iterator

from jobs.catalogue import Catalogue, ModelEntry
from jobs.errors import WrongValue
from jobs.requests import DecodeRequest, JobRequest, PredictRequest, TrainRequest


def check_ability(request: JobRequest, catalogue: Catalogue) -> None:
    """Let a request pass that its model can do.

    Raises:
        WrongValue: it has no motion model to predict with, or its codes have another length.

    """
    if isinstance(request, TrainRequest):
        return  # its model is still to be
    entry = catalogue.find(f"{request.model}@{request.digest}")
    if isinstance(request, PredictRequest) and not entry.motion:
        able = sorted(name for name, other in catalogue.models().items() if other.motion)
        instead = f"those that have one: {', '.join(able)}" if able else "none of the models served has one"
        raise WrongValue.for_field("model", f"{entry.name} has no motion model, so it predicts nothing; {instead}")
    if isinstance(request, DecodeRequest) and (wrong := next(_wrong_lengths(request, entry), None)):
        raise WrongValue.for_field(*wrong)


def _wrong_lengths(request: DecodeRequest, entry: ModelEntry) -> Iterator[tuple[str, str]]:
    vectors = [("static", "static_dim", request.static)] if request.static is not None else []
    for field, name, vector in [
        *vectors,
        *((f"dynamic.{number}", "dynamic_dim", code) for number, code in enumerate(request.dynamic)),
    ]:
        expected = entry.config.get(name)
        if expected is not None and len(vector) != expected:
            yield field, f"expected {expected} numbers, as {entry.name} has, got {len(vector)}"
