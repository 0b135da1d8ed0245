"""The sizes of an unordered VAE, and which of our additions it has."""

from dataclasses import dataclass

from models.frames import CODE_PIXELS


@dataclass(frozen=True, kw_only=True, slots=True)
class UnorderedVAEConfig:
    """Sizes of an unordered VAE. Pictures are 64 × 64: four halvings end at 4 × 4."""

    widths: tuple[int, int, int, int]  # channels at 32, 16, 8 and 4 pixels, in the encoder
    decoder_widths: tuple[int, int, int, int]  # channels at 4, 8, 16 and 32 pixels, in the decoder
    compared_channels: int  # of the comparison of two frames
    static_hidden: int
    static_dim: int
    dynamic_hidden: int
    dynamic_dim: int
    pinned_prior: bool = False  # p(z | f) has deviations of at most 1 (see `DynamicPrior`)
    dynamic_sees_static: bool = True  # q(z | x, f); without, q(z | x) (see `DynamicPosterior`)
    static_shortcut: bool = False  # comparisons reach f past the dense layers too (see `StaticPosterior`)
    style_dim: int = 0  # of the codes' mixture that modulates every size of the decoder; 0 for none
    residual: bool = False  # a residual block after every size of trunk and decoder
    scene_hidden: int = 0  # of a discriminator of dynamic codes, which training alone uses; 0 for none
    channels: int = 3
    image_size: int = 64

    def __post_init__(self) -> None:
        if self.image_size != CODE_PIXELS * 2 ** len(self.widths):
            raise ValueError(f"image_size must be 64, four halvings to 4 pixels; got {self.image_size}")

    @classmethod
    def paper(cls, dynamic_dim: int = 2) -> "UnorderedVAEConfig":
        """The sizes of the paper's table: 21.0 million parameters at `dynamic_dim` 2."""
        return cls(
            widths=(256, 256, 256, 256),
            decoder_widths=(256, 256, 256, 256),
            compared_channels=512,
            static_hidden=512,
            static_dim=512,
            dynamic_hidden=512,
            dynamic_dim=dynamic_dim,
        )

    @classmethod
    def compact(cls, dynamic_dim: int = 8) -> "UnorderedVAEConfig":
        """Sizes that two CPU cores can train: a pyramid of widths, most of its work in the decoder.

        The paper's equal widths spend most multiplications at the finest size; a pyramid learns about
        twice as much a minute on a CPU, by one small probe. `style_dim` and `static_shortcut` are our
        additions (see `Upsampling` and `StaticPosterior`).
        """
        return cls(
            widths=(24, 48, 96, 192),
            decoder_widths=(256, 192, 96, 48),
            compared_channels=128,
            static_hidden=256,
            static_dim=256,
            dynamic_hidden=256,
            dynamic_dim=dynamic_dim,
            static_shortcut=True,
            style_dim=512,
        )

    @classmethod
    def tiny(cls, dynamic_dim: int = 2) -> "UnorderedVAEConfig":
        """Sizes for tests: a step takes milliseconds."""
        return cls(
            widths=(8, 8, 16, 16),
            decoder_widths=(16, 16, 8, 8),
            compared_channels=16,
            static_hidden=32,
            static_dim=16,
            dynamic_hidden=32,
            dynamic_dim=dynamic_dim,
        )
