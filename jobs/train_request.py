"""What may be asked of training: a model of an owner's own clips."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from jobs.catalogue import NAME
from jobs.request_parts import TRAINING, Content, Decimal, Request

MODEL_NAME = f"^{NAME.pattern}$"
LEAST_CLIPS, MOST_CLIPS = 1, 500  # one has to be long: it is cut into stretches, some of which are held out


class TrainRequest(Request):
    """A new model, learnt from clips; `model` is what it is to be called, and it has no digest yet."""

    queue: ClassVar[str] = TRAINING
    no_result_of: ClassVar[frozenset[str]] = frozenset()
    kind: Literal["train"] = "train"
    model: Annotated[str, StringConstraints(pattern=MODEL_NAME)]
    digest: Literal[""] = ""
    clips: Annotated[tuple[Content, ...], Field(min_length=LEAST_CLIPS, max_length=MOST_CLIPS)]
    family: Literal["vae", "drnet"] = "vae"
    crop: Literal["center", "face"] = "center"
    minutes: Annotated[Decimal, Field(gt=0, le=7 * 24 * 60, description="about how long")] = 15.0

    @model_validator(mode="after")
    def _different_clips(self) -> Self:
        if len(set(self.clips)) < len(self.clips):
            raise ValueError("clips: each clip once; one is held out, and must not be trained on")
        return self

    @property
    def inputs(self) -> list[str]:
        """The clips."""
        return list(self.clips)
