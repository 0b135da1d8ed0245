"""A model of one's own clips, through the client and the whole running system, used without a restart."""

from pathlib import Path

import pytest

from jobs.errors import NameTaken, TrainingOff
from tests.end_to_end.running import System, whole_system
from twofold import Client

pytestmark = pytest.mark.timeout(900)
CLIPS = sorted((Path(__file__).parents[2] / "service" / "web" / "samples").glob("face_*.mp4"))


@pytest.fixture(scope="module")
def school():
    with whole_system(TWOFOLD_TRAINING="true") as running:
        yield running


def test_clips_become_a_model_that_encodes_them(school: System) -> None:
    with Client(school.url) as client:
        stages: list[str] = []
        trained = client.train(CLIPS, "mine", minutes=0.1, progress=lambda job: stages.append(job.stage or ""))
        assert any("on held-out clips" in stage for stage in stages)
        assert (trained.model, trained.family, trained.static_dim) == ("mine", "unordered_vae", 16)
        assert trained.found[0].startswith("4 videos, 4 clips, 192 frames")
        assert trained.curve[-1, 1] > 5
        codes = client.encode(CLIPS[0], model="mine")
        assert codes.digest == trained.digest
        assert codes.dynamic.shape == (48, trained.dynamic_dim)
        with pytest.raises(NameTaken):
            client.submit_train(CLIPS, "mine", minutes=0.2)


def test_a_server_whose_operator_has_not_said_so_learns_nothing(system: System) -> None:
    with Client(system.url) as client, pytest.raises(TrainingOff, match="TWOFOLD_TRAINING"):
        client.train(CLIPS, "mine", minutes=0.1)
