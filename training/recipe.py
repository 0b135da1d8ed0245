"""What a run is: its network, its loss, its steps and its motion, complete and frozen."""

from dataclasses import dataclass, field

from models.drnet import DrNETConfig
from models.unordered_config import UnorderedVAEConfig
from training.schedule import Anneal


@dataclass(frozen=True, kw_only=True, slots=True)
class VariationalLoss:
    """Minus the unordered VAE's bound; as it is by default it is the paper's."""

    static_weight: Anneal = field(default_factory=Anneal)
    dynamic_weight: Anneal = field(default_factory=Anneal)
    static_from_others: bool = False
    recoloured: bool = False  # dynamic codes are read from frames in random colours
    stretched: bool = False  # and of random sizes, at random places
    static_free: float = 0.0  # nats that the static KL may have for nothing
    worst_weight: float = 0.0  # of what is drawn worst, counted once more (`models.bernoulli.worst_log_likelihood`)
    scene_weight: float = 0.0  # nats of a clip, of DrNET's adversary on dynamic codes; needs a discriminator
    contrast_weight: float = 0.0  # nats of a clip, of `training.contrast` on dynamic codes


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialLoss:
    """DrNET's: reconstruction + α similarity + β adversarial; by default the weights of the authors' code."""

    similarity_weight: Anneal = field(default_factory=Anneal)  # α
    adversarial_weight: Anneal = field(default_factory=lambda: Anneal(((0.0, 1e-4),)))  # β
    discriminator_steps: int = 1  # that it takes for each of the rest


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionRecipe:
    """How a motion is taught: sizes and frames observed as in the authors' code, which takes 120 000 steps of 100."""

    hidden: int = 256
    layers: int = 2
    runs: int = 3000  # stretches of movement whose codes are learnt from
    length: int = 40  # frames of each
    observed: int = 10
    batch: int = 32
    steps: int = 1500
    learning_rate: float = 2e-3
    own_weight: float = 1.0  # of the roll-outs, beside the likelihood of single steps
    growing: float = 0.5  # share of the run over which the rolled-out horizon grows to its full length
    components: int = 1  # things that may come next (`models.mixture`)
    unsure: float = 0.0  # noise on the codes that are seen, in deviations of their posteriors
    jitter: float = 0.0  # and in deviations of the codes themselves
    starts: int = 256  # codes that are kept to begin sampled movements with
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.observed < self.length:
            raise ValueError(f"observed must lie between 0 and length {self.length}, got {self.observed}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """Everything that decides a run, the data's place on this machine and the device aside."""

    name: str
    data: str  # as `training.sources.open_source` names it
    network: UnorderedVAEConfig | DrNETConfig
    loss: VariationalLoss | AdversarialLoss = field(default_factory=VariationalLoss)
    clip_frames: int = 3  # N random frames of each clip, as in the VAE's paper; DrNET's takes 4
    reach: Anneal | None = None  # frames of an example are less than so many apart; None: from anywhere in a clip
    batch: int = 16  # clips
    steps: int
    learning_rate: float
    momenta: tuple[float, float] = (0.9, 0.999)  # of Adam
    warmup: int = 200  # steps
    cycles: int = 1  # times that the learning rate falls to 0, with equal steps in each
    seed: int = 1
    largest_gradient: float = 2e4  # norm; a step's gradient is cut to it (in nats, five times the usual)
    measure_every: int = 2000  # steps between two looks at held-out clips
    patience: int = 0  # looks in a row without a better one that end a run, and the best weights are kept; 0: never
    kept: tuple[str, ...] = ()  # parts of the network that stay as they began, by name
    began_with: str | None = None  # the model whose weights it starts from, by name and digest; else none
    motion: MotionRecipe = field(default_factory=MotionRecipe)  # taught last, on the finished model's codes

    def __post_init__(self) -> None:
        if isinstance(self.loss, VariationalLoss) != isinstance(self.network, UnorderedVAEConfig):
            raise ValueError(f"{type(self.loss).__name__} does not train a {type(self.network).__name__} network")
        if isinstance(self.loss, AdversarialLoss):
            if self.clip_frames != 4:
                raise ValueError(f"two contents and two poses: clip_frames must be 4, got {self.clip_frames}")
        elif self.loss.static_from_others and self.clip_frames < 3:
            raise ValueError(
                f"static_from_others compares two other frames: clip_frames must be at least 3, got {self.clip_frames}"
            )
        if self.kept and isinstance(self.network, DrNETConfig):
            raise ValueError(f"normalisation of a DrNET goes on in parts that are kept: {', '.join(self.kept)}")
        if self.steps % self.cycles:
            raise ValueError(f"{self.steps} steps do not divide into {self.cycles} equal cycles")
