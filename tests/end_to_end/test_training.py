"""A model of one's own clips, through the client and the whole running system, used without a restart."""

from pathlib import Path

import pytest

from jobs.errors import NameTaken
from tests.end_to_end.running import System
from twofold import Client

pytestmark = pytest.mark.timeout(900)
CLIPS = sorted((Path(__file__).parents[2] / "service" / "web" / "samples").glob("face_*.mp4"))


def test_clips_become_a_model_that_encodes_them(school: System) -> None:
    with Client(school.url) as client:
        stages: list[str] = []
        trained = client.train(CLIPS, "by-client", minutes=0.1, progress=lambda job: stages.append(job.stage or ""))
        assert any("on held-out clips" in stage for stage in stages)
        assert (trained.model, trained.family, trained.static_dim) == ("by-client", "unordered_vae", 16)
        assert trained.found[0].startswith("4 videos, 4 clips, 192 frames")
        assert trained.curve[-1, 1] > 5
        codes = client.encode(CLIPS[0], model="by-client")
        assert codes.digest == trained.digest
        assert codes.dynamic.shape == (48, trained.dynamic_dim)
        with pytest.raises(NameTaken):
            client.submit_train(CLIPS, "by-client", minutes=0.2)
