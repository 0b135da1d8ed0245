"""Which sheets of the Liberated Pixel Cup the sprites are composited from, and what is in their cells.

Source: github.com/jrconway3/Universal-LPC-spritesheet at commit 2668274d, whose files these are, byte for byte. Of each
attribute six variants are used; skin and hair 0 to 5, legs and shirt 0 to 4 and the shoes are the files of the
published Sprites set (Li & Mandt 2018, github.com/YingzhenLi/Sprites). Its fifth legs and shirt lack two actions.
"""

import hashlib
from dataclasses import dataclass

ARTISTS = (
    "Stephen Challener (Redshrike), Johannes Sjölund, Matthew Krohn, Marcel van de Steeg, Nila122, Mark Weyer, "
    "Shaun Williams, Manuel Riecke, Joe White and JaidynReiman"
)  # of these sheets, as the repository credits them
ROWS = (("spellcast", 7), ("thrust", 8), ("walk", 9), ("slash", 6), ("shoot", 13))  # frames; four rows each
DIRECTIONS = ("n", "w", "s", "e")  # back, left, front, right: the rows of an action, in order
LAST_ROW = ("hurt", "s", 6)


@dataclass(frozen=True, slots=True)
class Pose:
    """One cell of the sheet: what the character does there."""

    row: int
    column: int
    action: str
    direction: str  # n, w, s or e: back, left, front, right
    frame: int  # within the action


@dataclass(frozen=True, slots=True)
class Sheet:
    """One layer: a variant of an attribute in every pose."""

    attribute: str
    index: int
    path: str  # in the repository
    sha256: str

    @property
    def short_path(self) -> str:
        """Where it lies in a folder of sheets alone: `layers/<attribute>/<index>_<variant>.png`."""
        return f"layers/{self.attribute}/{self.index}_{self.variant}.png"

    @property
    def variant(self) -> str:
        """Its name among its attribute's."""
        *folders, file = self.path.removesuffix(".png").split("/")
        name = file.removesuffix("_male")
        return VARIANTS.get(self.path, f"{folders[-1]}_{name}" if self.attribute == "hair" else name)


def all_poses() -> tuple[Pose, ...]:
    """The 178 filled cells, row by row."""
    rows = [(action, direction, frames) for action, frames in ROWS for direction in DIRECTIONS]
    return tuple(
        Pose(row, frame, action, direction, frame)
        for row, (action, direction, frames) in enumerate([*rows, LAST_ROW])
        for frame in range(frames)
    )


VARIANTS = {
    "torso/plate/chest_male.png": "plate",
    "torso/leather/chest_male.png": "leather",
    "torso/chain/mail_male.png": "chain_mail",
}
SHEETS = (
    Sheet("skin", 0, "body/male/light.png", "27d1ac78db37c42f35a20d15c42705efc5e58d47c236cc01423879d4f797f151"),
    Sheet("skin", 1, "body/male/tanned2.png", "1535e9228357b884df80f777a0d1dac10ac35e550e4d8d077105ccad014a1460"),
    Sheet("skin", 2, "body/male/darkelf.png", "7c241033b4897501cb3721b6c3a9ebfa94b13db10a539edbd9bcc3e0c2a4bcb9"),
    Sheet("skin", 3, "body/male/darkelf2.png", "055f5aa33fc112d8444b42fce2cf50608a9fbbf2466c54ceaa46c777589a717a"),
    Sheet("skin", 4, "body/male/dark.png", "57f3b9c510482379aba9a32fc0de7d48e9cbe3dc40f2447283547f773b77ca72"),
    Sheet("skin", 5, "body/male/dark2.png", "91e49453aeab5ebbb4fd2b48253812895dcfb4cb1829b84e24425c66de8f04ff"),
    Sheet(
        "legs",
        0,
        "legs/pants/male/white_pants_male.png",
        "4ec356c488e272fde2d2d0d722b12a80217871e41161d43ba784caf243969ec2",
    ),
    Sheet(
        "legs",
        1,
        "legs/armor/male/golden_greaves_male.png",
        "0674312eaa4ab548f8bb31ef95d7dbd46b41555758cec51bd6c3e9fac9a0f936",
    ),
    Sheet(
        "legs",
        2,
        "legs/pants/male/red_pants_male.png",
        "3b464feb0d20ff34b0ca2a6d1fd00766ad86e2229c3d56ff91379fe27588a893",
    ),
    Sheet(
        "legs",
        3,
        "legs/armor/male/metal_pants_male.png",
        "b366e84ea0519d06cf693f51e0ee2f9ac32b3132d27c75dfdc4b6f52fca072de",
    ),
    Sheet(
        "legs",
        4,
        "legs/pants/male/teal_pants_male.png",
        "4ed7e7702e4f50b9692c0043be04b7296a108d85ea97230fb50d13c150d98771",
    ),
    Sheet(
        "legs",
        5,
        "legs/pants/male/magenta_pants_male.png",
        "2b2f5b9a75cbc65b1966ea7c34b7102d84fee66437b0d14fae634081ecbc316c",
    ),
    Sheet(
        "shirt",
        0,
        "torso/shirts/longsleeve/male/maroon_longsleeve.png",
        "b917edcf2b3c35d51ef57a6fad67557c5edf048785bea29db09a640d09ac9a90",
    ),
    Sheet(
        "shirt",
        1,
        "torso/shirts/longsleeve/male/teal_longsleeve.png",
        "e33c6cb31ed1268a2c0dc73b665b1c9b9420e22baf3321880222bdb22682368b",
    ),
    Sheet(
        "shirt",
        2,
        "torso/shirts/longsleeve/male/white_longsleeve.png",
        "2b9b8fefa08894b7ea536cd62b86d494aefe6e54495c5c1d83460827b13b6448",
    ),
    Sheet("shirt", 3, "torso/plate/chest_male.png", "807f5b628592f6747e2814be9435963069dba6c360577168c02f57bbe903433d"),
    Sheet(
        "shirt", 4, "torso/leather/chest_male.png", "b51b17878503877e179ce4f9231713bf2b2d2d666c3ec9ee29f4e784469867a2"
    ),
    Sheet("shirt", 5, "torso/chain/mail_male.png", "b1da999190e2c41f2e5861d34adc551ad68016ecdcb125ab1371d8af8f7f36cb"),
    Sheet("hair", 0, "hair/male/messy2/green2.png", "e4007b0635a239ad16cdebfe90759349ccc73dfc6836c9d19625714be185f43d"),
    Sheet(
        "hair", 1, "hair/male/longknot/blue2.png", "fa6369f84d3310705df6d8ca8c9d515a7d211e73d2826c50a9cb5bb285652c66"
    ),
    Sheet(
        "hair",
        2,
        "hair/male/messy1/light-blonde.png",
        "1b8046752be7233e829ebe9b11048e171d8d181ee6f68e07042b34f57bb8af0d",
    ),
    Sheet("hair", 3, "hair/male/bangs/white.png", "333783285c5fd94ff434ae5000d2da39aac7940269f173119eaa70d34c8acfa1"),
    Sheet(
        "hair", 4, "hair/male/plain/ruby-red.png", "24df8e9b291cbd444f6c4d12d35b3d43d909cd13f04e6401e0fd8ab10216d5a2"
    ),
    Sheet("hair", 5, "hair/male/jewfro/purple.png", "4dd471cc20e0b1cf71adcaab01c88598767e5cfe680adacdf560ca91574f17ae"),
    Sheet(
        "shoes",
        0,
        "feet/armor/male/golden_boots_male.png",
        "d56a561616a20a12030d2d40a52eeec63e6d048871bf3b6994221869362151f1",
    ),
)
FINGERPRINT = hashlib.sha256("".join(sheet.sha256 for sheet in SHEETS).encode()).hexdigest()
