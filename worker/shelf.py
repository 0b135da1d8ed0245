"""The models that a worker holds in memory: loaded when first asked for, the least used given up for the next."""

import threading
from collections import OrderedDict

import torch

from jobs.catalogue import Catalogue, ModelEntry
from jobs.errors import ConfigurationError, ModelChanged
from jobs.settings import Settings
from models.checkpoint import CheckpointError, LoadedModel, load_model

CAPACITY = 4  # models in memory at a time


class Shelf:
    """Loaded models by digest. A folder that is new or has changed is seen at the next job."""

    def __init__(self, settings: Settings, capacity: int = CAPACITY) -> None:
        self.catalogue = Catalogue(settings)
        self.device = choose_device(settings.device)
        self.capacity = capacity
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()
        self._lock = threading.Lock()  # the heartbeat thread lists what the main thread loads

    @property
    def loaded(self) -> dict[str, str]:
        """The digests of the models in memory, by name."""
        with self._lock:
            return {model.name: model.digest for model in self._loaded.values()}

    def take(self, name: str, digest: str) -> LoadedModel:
        """Return the model of this very digest, ready for use.

        Raises:
            ModelChanged: the model's folder now holds another model, or a broken one, or is gone.

        """
        with self._lock:
            if digest in self._loaded:
                self._loaded.move_to_end(digest)
                return self._loaded[digest]
        entry = self.catalogue.models().get(name)
        if entry is None or entry.digest != digest:
            now = "is gone" if entry is None else f"is now {entry.digest}"
            raise ModelChanged(f"{name} was {digest} when the job was made, and {now}; make the job again")
        try:
            return self.load(entry)
        except CheckpointError as error:
            raise ModelChanged(f"{name} cannot be loaded any more; its folder has changed on the server") from error

    def load(self, entry: ModelEntry) -> LoadedModel:
        """Load a model and run it once, so that the first job finds it warm.

        Raises:
            CheckpointError: the folder is incomplete, changed or broken.

        """
        loaded = load_model(entry.folder, self.device)
        warm_up(loaded, self.device)
        with self._lock:
            self._loaded[loaded.digest] = loaded
            while len(self._loaded) > self.capacity:
                self._loaded.popitem(last=False)
        return loaded


@torch.inference_mode()
def warm_up(loaded: LoadedModel, device: str) -> None:
    """Run a model on a black clip of two frames: what is allocated and chosen at the first call is so now."""
    model = loaded.model
    frames = torch.zeros(2, model.channels, model.image_size, model.image_size, device=device)
    codes = model.codes(model.features(frames), lambda number: frames[number])
    model.decode(codes.static, codes.dynamic.mean)


def gpu_memory() -> int:
    """Return the bytes of the GPU's memory that this process has reserved; 0 without one."""
    return int(torch.cuda.memory_reserved()) if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]


def choose_device(asked: str) -> str:
    """Return where models run: what was asked for, or the GPU where there is one.

    Raises:
        ConfigurationError: a GPU was asked for and there is none.

    """
    available = torch.cuda.is_available()
    if asked == "cuda" and not available:
        raise ConfigurationError("TWOFOLD_DEVICE is cuda and there is no usable GPU; set it to auto or cpu")
    return "cuda" if asked == "auto" and available else "cpu" if asked == "auto" else asked
