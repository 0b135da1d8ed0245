"""A run's folder: its recipe, its log, and checkpoints from which it resumes exactly. No pickles."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.checkpoint import write_atomically
from training.data.sides import Sides
from training.errors import NameHeld, ResumeMismatch
from training.recipe import Recipe

STATE, BEST = "state.safetensors", "best.safetensors"
SIDES = "clips.json"
FINISHED = "finished"  # an empty file: the run's model has been written


@dataclass(frozen=True, slots=True)
class Best:
    """The best measure of a run so far, and the step at which it was taken."""

    score: float
    step: int


def as_json(value: Any) -> Any:
    """What it is once it has been through a file."""
    return json.loads(json.dumps(value, default=asdict))


def completed(record: Mapping[str, Any], of: Any) -> dict[str, Any]:
    """A dataclass as it was noted, with the defaults of what this version has and the one that noted it had not."""
    whole = dict(record)
    for field in fields(of):
        value, noted = getattr(of, field.name), record.get(field.name)
        if is_dataclass(value) and isinstance(noted, Mapping):
            whole[field.name] = completed(noted, value)
        elif field.name not in record and (field.default, field.default_factory) != (MISSING, MISSING):
            default = field.default if field.default_factory is MISSING else field.default_factory()
            whole[field.name] = as_json(default)
    return whole


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where one run keeps what it needs to go on."""

    path: Path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep the run's name from every other training, which would share its files, until this one has ended.

        However the process ends, the system then lets go of the name.

        Raises:
            NameHeld: another training has it.

        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder, which is renamed where a run is put aside. It is never removed: two could hold one name, if
        # one of them had opened the file before that.
        with self.path.with_name(f".{self.path.name}.lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise NameHeld(f"a training called {self.path.name} is going on; wait for its end") from error
            yield

    def begin(self, recipe: Recipe, resume: bool) -> None:
        """Claim the folder for a recipe: as a new run, or as the one that goes on.

        Raises:
            ResumeMismatch: the folder holds a run of another recipe, or `resume` is asked of none.

        """
        stated = as_json(recipe)
        record = self.path / "recipe.json"
        if not resume:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / STATE).unlink(missing_ok=True)
            (self.path / BEST).unlink(missing_ok=True)
            (self.path / "log.jsonl").unlink(missing_ok=True)
            (self.path / FINISHED).unlink(missing_ok=True)
            write_atomically(record, json.dumps(stated, indent=1).encode())
            return
        if not record.is_file():
            raise ResumeMismatch(f"{self.path} holds no run to resume; start it without --resume")
        begun = completed(json.loads(record.read_text()), recipe)
        changed = [key for key in stated if begun.get(key) != stated[key]]
        if changed == ["began_with"] and recipe.began_with is None:
            raise ResumeMismatch(
                f"{self.path} holds a run that began with {begun['began_with']} and has no checkpoint: say --from again"
            )
        if changed:
            raise ResumeMismatch(
                f"{self.path} holds a run with other {', '.join(changed)}; start afresh without --resume"
            )

    def keep_sides(self, sides: Sides, crop: str | None, resume: bool) -> None:
        """Note which of a person's clips the run learns from, and how they are cut; one that goes on has the same.

        Raises:
            ResumeMismatch: it began with others, or with these cut otherwise.

        """
        record = self.path / SIDES
        if not resume:
            self.path.mkdir(parents=True, exist_ok=True)
            write_atomically(record, json.dumps({**sides.to_json(), "crop": crop}, indent=1).encode())
            return
        if not record.is_file():
            return
        stated = json.loads(record.read_text())
        begun_crop = stated.pop("crop", None)  # what earlier versions noted has none, and is taken as it is
        if begun_crop is not None and begun_crop != crop:
            raise ResumeMismatch(
                f"the run was begun with --crop {begun_crop}: say that again, or start without --resume ({self.path})"
            )
        if (begun := Sides(**stated)) != sides:
            changes = "; ".join(begun.changes(sides.training | sides.held_out)) or "the same by other names"
            raise ResumeMismatch(
                f"{self.path} holds a run on other clips ({changes}): bring those back, or start without --resume"
            )

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write weights, optimizer state and the number of steps taken, in one atomic file."""
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in state.items()}
        tensors["step"] = torch.tensor(step)
        on_cpu = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        write_atomically(self.path / STATE, save(on_cpu))

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the last checkpoint, if there is one; returns the number of steps taken."""
        if not (self.path / STATE).is_file():
            return 0
        tensors = load_file(self.path / STATE)
        model.load_state_dict(
            {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
        )
        states: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, name = key.split(".", 2)
                states.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
        return int(tensors["step"])

    def keep_best(self, best: Best, model: nn.Module) -> None:
        """Write the weights that measured best so far."""
        tensors = {f"model.{key}": value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
        told = {"score": torch.tensor(best.score, dtype=torch.float64), "step": torch.tensor(best.step)}
        write_atomically(self.path / BEST, save(tensors | told))

    def best(self) -> Best | None:
        """Say what measured best so far, where anything was kept."""
        if not (self.path / BEST).is_file():
            return None
        with safe_open(self.path / BEST, "pt") as file:
            return Best(float(file.get_tensor("score")), int(file.get_tensor("step")))

    def restore_best(self, model: nn.Module) -> None:
        """Load the weights that measured best."""
        tensors = load_file(self.path / BEST)
        model.load_state_dict(
            {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
        )

    def begun_steps(self) -> int | None:
        """How many steps the run that the folder holds was to take, if it holds any."""
        begun = self._begun()
        return int(begun["steps"]) if begun else None

    def began_with(self) -> str | None:
        """Whose weights the run began with, where a checkpoint holds what has become of them."""
        return self._begun().get("began_with") if (self.path / STATE).is_file() else None

    def _begun(self) -> dict[str, Any]:
        record = self.path / "recipe.json"
        return dict(json.loads(record.read_text())) if record.is_file() else {}

    def finish(self) -> None:
        """Note that the run's model has been written: nobody will go on with it."""
        (self.path / FINISHED).touch()

    def put_aside(self) -> Path | None:
        """Move a run that did not finish to the same name with the next free number; returns where it is now."""
        if not (self.path / STATE).is_file() or (self.path / FINISHED).is_file():
            return None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        return self.path.rename(aside)

    def entries(self) -> list[dict[str, Any]]:
        """The lines of the run's log, without those that a full disk or a death broke off."""
        log = self.path / "log.jsonl"
        entries = []
        for line in log.read_text().splitlines() if log.is_file() else []:
            with contextlib.suppress(json.JSONDecodeError):
                entries.append(json.loads(line))
        return entries

    def forget_after(self, step: int) -> None:
        """Take out of the log what was told of later steps: a run that goes on takes them anew."""
        entries = self.entries()
        kept = [entry for entry in entries if entry.get("step", 0) <= step]
        if kept != entries:
            lines = "".join(json.dumps(entry) + "\n" for entry in kept)
            write_atomically(self.path / "log.jsonl", lines.encode())

    def log(self, entry: Mapping[str, Any]) -> None:
        """Append one line of JSON to the run's log, after the end of one that was broken off."""
        with (self.path / "log.jsonl").open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                broken = file.read() != b"\n"
            else:
                broken = False
            file.write(b"\n" * broken + json.dumps(entry).encode() + b"\n")
