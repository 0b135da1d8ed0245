"""Every command of the manual, typed in order as a newcomer would, against a running server.

A block that cannot run here says so in its page's source, above it: `<!-- not run: why -->`.
"""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.running import ENVIRONMENT, System

ROOT = Path(__file__).resolve().parents[2]
FIGURES = os.environ.get("TWOFOLD_TEST_FIGURES")  # where `make manual` keeps the pictures
BLOCK = re.compile(
    r"^(<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
TOLD = {"", "text", "json", "yaml"}  # read, not typed
pytestmark = pytest.mark.timeout(900)


@dataclass
class Reader:
    """Somebody who types what a page says, in a folder of their own."""

    system: System
    folder: Path

    def follow(self, page: str) -> None:
        for block in BLOCK.finditer((ROOT / "docs" / page).read_text()):
            if block["why"] is None and block["language"] not in TOLD:
                self.type(block["language"], block["code"])

    def type(self, language: str, code: str) -> str:
        # What is installed is not this test's to change; that it is there, the blocks that follow show.
        code = re.sub(r"^pip install pandas$", "true", code, flags=re.MULTILINE)
        here = code.replace("http://127.0.0.1:8000", self.system.url)
        command = {"sh": ["bash", "-euo", "pipefail", "-c", here], "python": [sys.executable, "-c", here]}[language]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {
            **ENVIRONMENT,
            "PATH": f"{self.folder / 'bin'}:{ENVIRONMENT['PATH']}",
            "TWOFOLD_URL": self.system.url,
            # The page's reader works in the folder where the server was started, and so has its models.
            "TWOFOLD_DATA_DIR": str(self.system.data_dir),
        }

    def picture(self, name: str) -> Image.Image:
        with Image.open(self.folder / name) as image:
            image.load()
            return image

    def keep(self, name: str, figure: str) -> None:
        if FIGURES:
            # A palette: a third of the bytes, and the eye sees no other picture.
            self.picture(name).convert("RGB").quantize(256).save(Path(FIGURES) / figure, optimize=True)


@pytest.fixture
def reader(school: System, curl: None, tmp_path: Path) -> Reader:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "twofold").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m twofold "$@"\n')
    (programs / "twofold").chmod(0o755)
    (programs / "python").symlink_to(sys.executable)
    return Reader(school, tmp_path)


def pages() -> list[str]:
    return sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_a_newcomer_gets_a_timeline_and_a_table_of_codes(reader):
    reader.follow("quickstart.md")
    assert sorted(path.name for path in (reader.folder / "clips").iterdir()) == [f"face_{i}.mp4" for i in (1, 2, 3, 4)]
    fit = r"fit +([\d.]+) dB, percentile (\d+) among held-out clips"
    (shown,) = re.findall(fit, (ROOT / "docs" / "quickstart.md").read_text())
    (said,) = re.findall(fit, reader.type("sh", "twofold encode clips/face_1.mp4"))
    assert [float(number) for number in shown] == pytest.approx([float(number) for number in said], rel=0.02)
    for name in ("timeline.png", "timeline_local.png"):
        assert reader.picture(name).size[0] == 1200
    reader.keep("timeline.png", "timeline.png")
    rows = list(csv.DictReader((reader.folder / "codes.csv").read_text().splitlines()))
    with np.load(reader.folder / "codes.npz") as codes:
        assert len(rows) == len(codes["dynamic"]) == 48
        said = [[float(row[f"z{i}"]) for i in range(codes["dynamic"].shape[1])] for row in rows]
        np.testing.assert_allclose(said, codes["dynamic"], rtol=1e-4, atol=1e-5)
    assert float(rows[12]["seconds"]) == pytest.approx(1.0)


def test_the_plane_of_the_concepts_is_drawn(reader):
    reader.follow("concepts.md")
    plane = reader.picture("plane.png")
    assert plane.size[0] == plane.size[1] >= 5 * 64
    reader.keep("plane.png", "plane.png")


def test_recipes_give_what_they_promise(reader):
    reader.follow("recipes.md")
    assert reader.picture("timeline.png").size[0] == 1200
    for name in ("swap.png", "next.png", "path.png", "invented.png"):
        assert np.asarray(reader.picture(name).convert("RGB")).std() > 10, name
    for name, frames in (("swap.mp4", 48), ("again.mp4", 48)):
        with av.open(str(reader.folder / name)) as video:
            assert len(list(video.decode(video=0))) == frames
    drawn = np.asarray(reader.picture("map.png"))
    assert drawn.shape == (9 * 64, 9 * 64, 3)
    cells = drawn.reshape(9, 64, 9, 64, 3).std(axis=(1, 3)).sum(-1) > 1
    assert 8 <= cells.sum() <= 48, "some frames, each in its place, and white between"
    rows = list(csv.DictReader((reader.folder / "codes.csv").read_text().splitlines()))
    assert len(rows) == 2 * 48
    assert {row["typical"] for row in rows} == {"True"}
    assert len(json.loads((reader.folder / "codes.json").read_text())["dynamic"]) == 48
    reader.keep("swap.png", "swap_faces.png")
    reader.keep("map.png", "map.png")


def test_models_are_learnt_by_command_and_by_http(reader):
    reader.follow("training.md")
    assert reader.picture("mine.png").size[0] == 1200
    assert "event: result" in (reader.folder / "events.txt").read_text()
    served = json.loads(reader.type("sh", "twofold models --json"))
    assert {"mine", "theirs", "faces-vae"} <= {model["name"] for model in served}


def test_what_is_deleted_is_gone(reader):
    reader.follow("privacy.md")
    job = json.loads((reader.folder / "encoded.json").read_text())["job"]
    for path in (f"/jobs/{job}", f"/jobs/{job}/result"):
        asked = reader.type("sh", f"curl -sS -o /dev/null -w '%{{http_code}}' http://127.0.0.1:8000{path}")
        assert asked == "410", path
    clip = hashlib.sha256((reader.folder / "clips" / "face_4.mp4").read_bytes()).hexdigest()
    assert not list(reader.system.data_dir.rglob(clip)), "no other test keeps a job of this clip"


def test_operations_show_settings_and_the_reference_its_own_document(reader):
    reader.follow("operations.md")
    settings = {one["variable"]: one for one in json.loads((reader.folder / "settings.json").read_text())}
    assert settings["TWOFOLD_QUEUE_LIMIT"]["value"] == 20
    reader.type("sh", "twofold samples clips --count 1")
    reader.follow("http.md")
    described = json.loads((reader.folder / "openapi.json").read_text())
    assert described == json.loads((ROOT / "tests" / "golden" / "openapi.json").read_text())
    assert json.loads((reader.folder / "result.json").read_text())["frames"] == 48


def test_every_block_of_every_page_is_typed_or_says_why_not():
    followed = set(re.findall(r'follow\("([a-z]+\.md)"\)', Path(__file__).read_text()))
    for page in pages():
        text = (ROOT / "docs" / page).read_text()
        fences = len(re.findall(r"^ *```", text, re.MULTILINE))
        assert len(BLOCK.findall(text)) * 2 == fences, f"{page}: a block is hidden"
        for block in BLOCK.finditer(text):
            if block["why"] is None and block["language"] not in TOLD:
                assert block["language"] in ("sh", "python"), block["language"]
                assert page in followed, f"{page}: {block['code']}"


def test_every_command_that_a_page_names_exists():
    helped = subprocess.run([sys.executable, "-m", "twofold", "--help"], capture_output=True, text=True, check=True)
    known = set(re.findall(r"^│ ([a-z-]+)\s", helped.stdout, re.MULTILINE))
    for page in pages():
        named = set(re.findall(r"`twofold ([a-z][a-z-]+)", (ROOT / "docs" / page).read_text()))
        assert named <= known, page


def test_pictures_are_small():
    for path in (ROOT / "docs" / "figures").iterdir():
        assert path.stat().st_size < 300_000, path.name
