"""Which models are served, as their folders say."""

import json

import pytest

from jobs.catalogue import Catalogue
from jobs.errors import UnknownModel
from jobs.settings import Settings

DIGEST = "sha256:" + "ab" * 32


@pytest.fixture
def catalogue(tmp_path):
    return Catalogue(Settings(models_dir=tmp_path, data_dir=tmp_path / "var", default_model="mine"))


def write(folder, place, **changes):
    (folder / place).mkdir(exist_ok=True)
    said = {"format": 1, "name": place, "family": "unordered_vae", "digest": DIGEST}
    said.update(changes)
    (folder / place / "config.json").write_text(json.dumps(said))


def test_a_model_that_appears_changes_or_goes_is_noticed(catalogue, tmp_path):
    assert "mine" not in catalogue.models()
    write(tmp_path, "mine")
    assert catalogue.find(None).digest == DIGEST
    write(tmp_path, "mine", digest="sha256:" + "cd" * 32, metrics={"psnr_db": 30})
    assert catalogue.find("mine").digest == "sha256:" + "cd" * 32
    (tmp_path / "mine" / "config.json").unlink()
    with pytest.raises(UnknownModel):
        catalogue.find("mine")


def test_a_model_has_motion_where_its_config_states_one(catalogue, tmp_path):
    for said, has in [({}, False), ({"motion": None}, False), ({"motion": {"hidden": 8}}, True)]:
        write(tmp_path, "mine", metrics={"n": len(str(said))}, **said)
        assert catalogue.find("mine").motion is has


def test_a_model_draws_identities_unless_its_decoder_needs_a_real_frame(catalogue, tmp_path):
    for said, does in [({}, True), ({"network": None}, True), ({"network": {"content": "dcgan"}}, True)]:
        write(tmp_path, "mine", metrics={"n": len(str(said))}, **said)
        assert catalogue.find("mine").draws_identities is does
    write(tmp_path, "mine", network={"content": "vgg_unet"})
    assert not catalogue.find("mine").draws_identities
    for statistics in ({"dynamic": {"order": [0, 1]}}, {}):
        write(tmp_path, "mine", family="drnet", network={"content": "dcgan"}, statistics=statistics)
        assert catalogue.find("mine").draws_identities is bool(statistics), "an imported one has none"


def test_a_digest_in_the_name_must_be_the_one_that_is_served(catalogue, tmp_path):
    write(tmp_path, "mine")
    assert catalogue.find(f"mine@{DIGEST}").name == "mine"
    with pytest.raises(UnknownModel, match=f"mine is served as {DIGEST}"):
        catalogue.find("mine@sha256:" + "0" * 64)


@pytest.mark.parametrize(
    "changes",
    [{"name": "../x"}, {"name": "another"}, {"name": 5}, {"format": 2}, {"family": None}, {"digest": "md5:1"}],
)
def test_a_config_that_is_not_right_is_passed_over(catalogue, tmp_path, changes):
    write(tmp_path, "mine", **changes)
    write(tmp_path, "good")
    assert "good" in catalogue.models()
    assert "mine" not in catalogue.models()


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "\xff"])
def test_a_config_that_is_no_json_object_is_passed_over(catalogue, tmp_path, text):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_bytes(text.encode("latin-1"))
    assert "mine" not in catalogue.models()


def test_names_from_outside_are_only_looked_up(catalogue, tmp_path):
    write(tmp_path, "mine")
    for name in ["../mine", "/etc", "mine/../mine", "MINE", "@"]:
        with pytest.raises(UnknownModel):
            catalogue.find(name)
