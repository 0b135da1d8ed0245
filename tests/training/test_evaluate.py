"""Evaluating a model writes the same numbers to config, card and results page, and leaves the digest alone."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.checkpoint import load_model, read_config, save_model, write_config
from models.drnet import DrNET, DrNETConfig
from models.unordered_config import UnorderedVAEConfig
from models.unordered_vae import UnorderedVAE
from training.card import METRICS_BEGIN, METRICS_END
from training.data.digits import MovingDigits
from training.data.errors import DataError
from training.data.sides import Sides
from training.data.videos import SquareVideo
from training.evaluate import Budget, evaluate, undecided
from training.future_tables import prediction_table
from training.metrics.pictures import MAX_BYTES
from training.report import flat_metrics, replace_between, sentence_of
from training.sources import DIGITS_TEST, clips_source, digits_source
from training.statistics import MAX_CLIPS


def save_tiny(folder: Path, name: str, data: str) -> str:
    card = f"# {name}\n\n{METRICS_BEGIN}\nNot yet.\n{METRICS_END}\n\n## Limits\n"
    statistics = {"dynamic": {"order": [1, 0]}}
    model = UnorderedVAE(UnorderedVAEConfig.tiny())
    return save_model(folder, name, model, data={"name": data}, card=card, statistics=statistics)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluated model of faces, in a folder with its cache and docs."""
    root = tmp_path_factory.mktemp("evaluated")
    (root / "docs").mkdir()
    root.joinpath("digest").write_text(save_tiny(root / "tiny", "tiny", "drawn faces"))
    evaluate(
        root / "tiny", cache=root / "cache", docs=root / "docs", device="cpu", budget=Budget.quick(), command="by hand"
    )
    return root


def test_an_evaluation_leaves_digest_weights_and_statistics_alone(places):
    loaded = load_model(places / "tiny")
    assert loaded.digest == places.joinpath("digest").read_text()
    assert loaded.statistics == {"dynamic": {"order": [1, 0]}}


def test_config_card_and_results_page_say_the_same(places):
    metrics = load_model(places / "tiny").config["metrics"]
    stated = json.loads((places / "tiny" / "evaluation.json").read_text())
    swap = stated["fidelity"]["raw"]["swap_psnr"]
    assert metrics["swap_psnr_db"] == round(swap["value"], 4)
    assert metrics["gap_db"] == pytest.approx(metrics["reconstruction_psnr_db"] - metrics["swap_psnr_db"], abs=1e-3)
    assert swap["low"] <= swap["value"] <= swap["high"]
    line = f"| **swap against the true picture** | **{swap['value']:.2f} ({swap['low']:.2f} to {swap['high']:.2f})** |"
    card, page = (places / "tiny" / "README.md").read_text(), (places / "docs" / "results.md").read_text()
    assert line in card
    assert line in page
    assert "Not yet." not in card
    assert card.rstrip().endswith("## Limits")
    assert "by `by hand`" in page


def test_every_factor_is_probed_in_both_codes_and_judged_in_swaps(places):
    stated = json.loads((places / "tiny" / "evaluation.json").read_text())
    static = {"skin", "face_shape", "hair_style", "hair_colour", "eyes", "brows", "glasses", "beard", "background"}
    dynamic = {"smile", "surprise", "turn"}
    for code in ("static", "dynamic"):
        assert set(stated["probes"][f"static_from_{code}"]) == static
        assert set(stated["probes"][f"dynamic_from_{code}"]) == dynamic
    for part in ("swaps_raw", "swaps_prior", "true_pictures", "reconstructions", "true_swaps"):
        assert set(stated["judge"][part]["static"]) == static
        assert set(stated["judge"][part]["dynamic"]) == dynamic


def test_codes_are_probed_by_two_readers_encoded_again_and_drawn_against_each_other(places):
    stated = json.loads((places / "tiny" / "evaluation.json").read_text())
    assert set(stated["probes_mlp"]["static_from_dynamic"]) == set(stated["probes"]["static_from_dynamic"])
    assert 0 <= stated["mig"]["mean"]["value"] <= 1
    assert set(stated["dci"]["informativeness"]) == set(stated["mig"]["factors"])
    assert stated["consistency"]["identities"] == 10
    assert stated["kept"]["seeds"] == 2
    assert "smile" in stated["kept"]["dynamic_fixed"]
    page = (places / "docs" / "results.md").read_text()
    for title in ("dynamic fixed, static drawn", "encoded again", "linear | network", "completeness C", "MIG, mean"):
        assert title in page, title


def test_every_share_of_swaps_has_an_interval_around_it(places):
    swaps = json.loads((places / "tiny" / "evaluation.json").read_text())["judge"]["swaps_raw"]
    for name, share in {**swaps["static"], **swaps["dynamic"], "static_all": swaps["static_all"]}.items():
        interval = swaps["intervals"][name]
        assert interval["value"] == pytest.approx(share)
        assert interval["low"] <= interval["value"] <= interval["high"]


def test_what_a_judge_reads_of_true_pictures_and_a_picture_of_nothing_have_intervals_too(places):
    stated = json.loads((places / "tiny" / "evaluation.json").read_text())
    true = stated["judge"]["true_pictures"]
    for name in true["static"]:
        assert true["intervals"][name]["low"] < true["static"][name] < true["intervals"][name]["high"], name
    for name, value in true["r2"].items():
        assert true["r2_intervals"][name]["low"] < value < true["r2_intervals"][name]["high"], name
    for measure in ("psnr", "ssim"):
        sure = stated["constant"]["intervals"][measure]
        assert sure["low"] < stated["constant"][measure] == sure["value"] < sure["high"]
    sure = stated["constant"]["intervals"]["psnr"]
    line = f"| one constant picture for all | {sure['value']:.2f} ({sure['low']:.2f} to {sure['high']:.2f}) |"
    assert line in (places / "docs" / "results.md").read_text()


def test_what_is_typical_of_digits_is_asked_of_clips_that_set_no_threshold(shared_data):
    held_out = undecided(digits_source(shared_data / "mnist").held_out)
    assert isinstance(held_out, MovingDigits)
    judged = {(MAX_CLIPS + number) % len(held_out) for number in range(Budget().judged)}
    assert judged.isdisjoint(range(DIGITS_TEST))


@pytest.mark.parametrize(("channels", "size"), [(1, 64), (3, 128)])
def test_a_model_of_other_frames_than_the_data_set_has_is_refused(tmp_path, channels, size):
    network = DrNETConfig(content="dcgan", pose="dcgan", static_dim=4, dynamic_dim=2, width=4)
    model = DrNET(replace(network, channels=channels, image_size=size))
    save_model(tmp_path / "other", "other", model, data={"name": "moving digits"}, card="")
    with pytest.raises(DataError, match=f"other reads {channels} channels? of {size} pixels"):
        evaluate(tmp_path / "other", data=tmp_path, cache=tmp_path, device="cpu", budget=Budget.quick())


def test_the_figure_is_a_small_picture_named_by_the_page(places):
    figure = places / "docs" / "figures" / "swaps-tiny.png"
    assert figure.stat().st_size <= MAX_BYTES
    with Image.open(figure) as picture:
        assert picture.size == (2 * 6 * 64 + 10, 5 * 64 + 18)
    assert "figures/swaps-tiny.png" in (places / "docs" / "results.md").read_text()


def test_a_second_evaluation_replaces_the_first_and_keeps_other_models(places):
    page = places / "docs" / "results.md"
    other = "<!-- model other -->\nkept\n<!-- /model other -->\n"
    page.write_text(page.read_text() + other)
    once = places / "docs" / "figures" / "futures-tiny.png"
    once.write_bytes(b"of a motion that the model had, and has no more")
    evaluate(places / "tiny", cache=places / "cache", docs=places / "docs", device="cpu", budget=Budget.quick())
    assert page.read_text().count("<!-- model tiny -->") == 1
    assert "by hand" not in page.read_text()
    assert other in page.read_text()
    assert not once.exists()
    assert once.name not in page.read_text()
    assert "figures/swaps-tiny.png" in page.read_text()


def test_sprites_are_evaluated_on_their_sheets(shared_data, tmp_path):
    save_tiny(tmp_path / "tiny", "tiny", "LPC sprites")
    results = evaluate(
        tmp_path / "tiny", data=shared_data / "sprites", cache=tmp_path, device="cpu", budget=Budget.quick()
    )
    assert set(results["judge"]["swaps_raw"]["dynamic"]) == {"action", "direction", "pose"}
    assert set(results["probes"]["static_from_dynamic"]) == {"skin", "legs", "shirt", "hair"}
    assert results["actions"]["clips"] == 10 * 9
    assert results["actions"]["drawn_by"] == "motion of the nine actions", "though this model has learnt no motion"
    assert set(results["actions"]["static_fixed"]["static"]) == {"skin", "legs", "shirt", "hair"}
    assert results["actions"]["dynamic_fixed"]["inception_score"]["value"] <= 9
    assert "kept" not in results


def test_the_error_of_a_prediction_is_told_as_the_mean_of_its_first_ten_frames():
    told = json.loads((Path(__file__).parents[2] / "models" / "zoo" / "digits-drnet" / "evaluation.json").read_text())
    errors = told["prediction"]["squared_error"]["predicted"]
    said = flat_metrics(told)["predicted_10_squared_error"]
    assert said == pytest.approx(sum(errors[:10]) / 10)
    assert f"**predicted** {said:.1f} (" in prediction_table(told["prediction"])


def test_a_table_of_predictions_says_how_sure_they_are_where_that_is_known():
    told = json.loads((Path(__file__).parents[2] / "models" / "zoo" / "faces-vae" / "evaluation.json").read_text())
    measured = told["prediction"]
    rows = prediction_table(measured).splitlines()
    after = {rows[number - 1].split(" | ")[0]: row for number, row in enumerate(rows) if "95 % over movements" in row}
    names = ("**predicted**, PSNR, dB", "**predicted**, SSIM", "**predicted**, squared error", "**predicted**, edges")
    samples = ("true codes within the samples' central 90 %, %", "spread of the samples, deviations of the code")
    assert list(after) == [f"| {name}" for name in (*names, *samples)]
    low, high = measured["intervals"]["psnr"]["predicted"][4]
    assert after["| **predicted**, PSNR, dB"].split(" | ")[2] == f"{low:.2f} to {high:.2f}"
    low, high = measured["intervals"]["far_edges"]["predicted"][0]
    assert f"({low:.2f} to {high:.2f}) 100 frames ahead" in rows[-1]
    assert "| 95 % over the 25 toys, persons or files that they are of | " in prediction_table(measured | {"files": 25})
    unsure = prediction_table(measured | {"intervals": {}})
    assert "95 % over movements" not in unsure
    assert " 100 frames ahead, " in unsure.splitlines()[-1]


@pytest.mark.parametrize(("data", "remedy"), [("LPC sprites", "layer sheets"), ("7 own clips", "own clips")])
def test_a_data_set_that_needs_a_folder_says_so(tmp_path, data, remedy):
    save_tiny(tmp_path / "tiny", "tiny", data)
    with pytest.raises(DataError, match=f"{remedy}.*--data"):
        evaluate(tmp_path / "tiny", cache=tmp_path, device="cpu", budget=Budget.quick())


def test_text_between_markers_is_replaced_and_all_else_kept():
    text = "a\n<b>\nold\n</b>\nz\n"
    assert replace_between(text, "<b>", "</b>", "new") == "a\n<b>\nnew\n</b>\nz\n"
    assert replace_between("a\n", "<b>", "</b>", "new") == "a\n\n<b>\nnew\n</b>\n"


def test_what_is_typical_can_be_measured_anew_beside_all_other_numbers(places, tmp_path):
    folder = Path(shutil.copytree(places / "tiny", tmp_path / "tiny"))
    config = read_config(folder)
    quantiles = {name: [float(rank) for rank in range(101)] for name in ("psnr_db", "excess_nats", "static_kl")}
    write_config(folder, config | {"statistics": {"fit": quantiles}})
    before = json.loads((folder / "evaluation.json").read_text())
    with pytest.raises(DataError, match="keeps no scores of held-out clips"):
        evaluate(places / "tiny", cache=places / "cache", only_fit=True)
    docs = Path(shutil.copytree(places / "docs", tmp_path / "docs"))
    options = {"cache": places / "cache", "device": "cpu", "budget": Budget.quick(), "only_fit": True}
    evaluate(folder, **options, docs=docs, command="that part")
    assert (docs / "figures" / "swaps-tiny.png").is_file()
    assert "figures/swaps-tiny.png" in (docs / "results.md").read_text()
    after = json.loads((folder / "evaluation.json").read_text())
    assert {name: part for name, part in after.items() if name != "typical"} == before
    assert after["typical"]["clips"] == 6
    assert after["typical"]["measured"]["command"] == "that part"
    card = (folder / "README.md").read_text()
    assert "called typical" in card
    assert sentence_of(before["measured"]) in card, "of all the rest"
    assert "by `that part`" in card
    (folder / "evaluation.json").write_text(json.dumps(before | {"digest": "sha256:other"}))
    with pytest.raises(DataError, match="evaluate the whole first"):
        evaluate(folder, **options)


def test_what_is_typical_of_own_clips_has_intervals_over_files_and_tells_what_has_changed(tmp_path):
    def read(path: Path, size: int) -> SquareVideo:
        """Each file has four scenes of noise."""
        noise = np.random.default_rng(ord(path.name[0])).integers(0, 256, (48, size, size, 3), np.uint8)
        return SquareVideo(noise, list(range(48)), 1, 48, [12, 24, 36], digest=path.name)

    clips, folder, found = tmp_path / "clips", tmp_path / "mine", list[str]()
    clips.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (clips / name).touch()
    sides = clips_source(clips, 4, read).sides
    assert sides is not None
    known = sides.training | sides.held_out
    held_out = {name: one for name, one in known.items() if not name.startswith("a")}
    sides = Sides({name: one for name, one in known.items() if name not in held_out}, held_out)
    quantiles = {name: [float(rank) for rank in range(101)] for name in ("psnr_db", "excess_nats", "static_kl")}
    digest = save_model(
        folder,
        "mine",
        UnorderedVAE(UnorderedVAEConfig.tiny()),
        data={"name": "12 own clips"},
        card="",
        statistics={"fit": quantiles},
        training={"clips": sides.to_json()},
    )
    (folder / "evaluation.json").write_text(json.dumps({"digest": digest, "measured": {}}))
    (clips / "d.mp4").touch()
    options = {"data": clips, "cache": tmp_path, "device": "cpu", "budget": Budget.quick(), "only_fit": True}
    judged = evaluate(folder, **options, read=read, keep=False, on_found=found.append)["typical"]
    assert set(judged["shares"]["held-out clips"]) == {"value"}, "eight clips, and of two files only"
    assert len(found) == 1
    assert "new since then: d.mp4, scene 1" in found[0]
