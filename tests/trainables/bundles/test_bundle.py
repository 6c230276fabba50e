from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from search_spaces.errors import StudyError
from tests.trainables.bundles.making import SIZE, make_bundle, write_films
from tests.trainables.classification_jobs import predict_job
from tests.trainables.fakes import FakeRun
from trainables.bundles.bundle import Bundle, Limit, Terms
from trainables.bundles.reading import File, Radiographs
from trainables.bundles.rows import answer_rows
from trainables.classification import ClassificationTask

BOX = (8.0, 16.0, 40.0, 56.0)


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "store")


def films(folder, boxes=(BOX,)):
    return [File(path.name, path, boxes) for path in write_films(folder)]


def read(files, **options):
    return Radiographs.read(files, SIZE, **{"needs_boxes": True, **options})


def test_a_written_bundle_reads_back_equal_and_stands_alone(bundle, tmp_path):
    written = bundle.write(tmp_path / "bundle")
    for replicate in bundle.replicates:
        for name in replicate.checksums:
            (replicate.folder / name).unlink()

    found = Bundle.read(tmp_path / "bundle")

    assert found == written == bundle
    assert found.digest == bundle.digest
    assert found.limits[1].value == math.inf
    assert found.predict(read(films(tmp_path / "films"))).images.height == 3


def test_bundle_json_is_plain_json_without_a_path_of_this_machine(bundle, tmp_path):
    bundle.write(tmp_path / "bundle")

    text = (tmp_path / "bundle" / "bundle.json").read_text()

    assert json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))["format"] == 1
    assert str(tmp_path) not in text


def test_the_digest_follows_what_decides_scores_and_not_when_it_was_made(bundle):
    assert replace(bundle, versions={}, code="other", locked_at="later", plan_hash="").digest == bundle.digest
    assert replace(bundle, limits=()).digest != bundle.digest
    assert replace(bundle, terms=()).digest != bundle.digest
    assert replace(bundle, replicates=bundle.replicates[:1]).digest != bundle.digest


def test_a_bundle_whose_weights_were_changed_is_refused(bundle, tmp_path):
    bundle.write(tmp_path / "bundle")
    path = tmp_path / "bundle" / "replicates" / "f1-s0" / "model.json"
    path.write_text(path.read_text().replace("0.2", "0.3"))

    with pytest.raises(StudyError, match=r"f1-s0/model\.json: missing or changed"):
        Bundle.read(tmp_path / "bundle")


@pytest.mark.parametrize("change", [lambda text: text[:300], lambda text: text.replace("-1000000000.0", "0.5")])
def test_a_bundle_whose_file_was_cut_off_or_whose_thresholds_were_changed_is_refused(bundle, tmp_path, change):
    bundle.write(tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    path.write_text(change(path.read_text()))

    with pytest.raises(StudyError, match=r"bundle\.json: cut off or changed since it was bundled"):
        Bundle.read(tmp_path / "bundle")


def test_a_bundle_of_another_way_of_decoding_is_refused(bundle, tmp_path):
    replace(bundle, decoding=bundle.decoding + 1).write(tmp_path / "bundle")

    with pytest.raises(StudyError, match="decoded in another way"):
        Bundle.read(tmp_path / "bundle")


def test_a_bundle_is_not_written_over_something_else(bundle, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("dear to somebody")

    with pytest.raises(StudyError, match="is not empty"):
        bundle.write(tmp_path / "taken")


def test_the_strictest_commercial_use_of_the_sources_is_the_bundle_s(bundle):
    def use(*words):
        return replace(bundle, terms=tuple(Terms(word, "", "", word) for word in words)).commercial_use

    assert (use("yes"), use("yes", "unknown"), use("unknown", "no", "yes"), use()) == ("yes", "unknown", "no", "yes")


def test_a_score_is_the_sigmoid_of_the_mean_logit_of_the_replicates_own_predict_jobs(bundle, tmp_path):
    radiographs = read(films(tmp_path / "films"))
    logits = []
    for number, replicate in enumerate(bundle.replicates):
        run = FakeRun(tmp_path / f"run-{number}", needs={"fit-key": replicate.folder})
        ClassificationTask().predict(predict_job(), radiographs.data, run)
        logits.append(run.tables["predictions"].sort("image")["logit"].to_numpy())

    scores = bundle.predict(radiographs)

    mean = np.mean(logits, axis=0)
    assert np.ptp(mean) > 1e-4, "the films must differ in score"
    np.testing.assert_allclose(scores.images["logit"], mean, atol=1e-9)
    np.testing.assert_allclose(scores.images["score"], 1 / (1 + np.exp(-mean)), atol=1e-9)


def test_of_several_boxes_the_image_has_the_highest_score_and_every_box_its_own(bundle, tmp_path):
    other = (30.0, 60.0, 60.0, 90.0)
    scores = bundle.predict(read(films(tmp_path / "films", (other, BOX))))

    of_first = scores.regions.filter(pl.col("file") == "a.png")
    assert of_first["region"].to_list() == [0, 1]
    assert of_first.select("x0", "y0", "x1", "y1").rows() == [pytest.approx(BOX), pytest.approx(other)]
    # One network alone: the highest logit of its two boxes.
    single = make_bundle(tmp_path / "single", count=1).predict(read(films(tmp_path / "films", (other, BOX))))
    assert single.images["logit"][0] == pytest.approx(single.regions["logit"][:2].max())


def test_a_value_at_the_threshold_is_positive_and_infinity_calls_nobody(bundle, tmp_path):
    radiographs = read(films(tmp_path / "films"))
    middle = sorted(bundle.predict(radiographs).images["logit"])[1]

    called = replace(
        bundle, limits=(Limit("youden", "reserve", middle, {}), Limit("never", "reserve", math.inf, {}))
    ).predict(radiographs)

    assert called.images["youden"].sum() == 2
    assert called.images["never"].sum() == 0


def test_without_one_threshold_more_than_half_of_the_models_must_call_it(tmp_path):
    bundle = make_bundle(tmp_path / "store", count=3)
    radiographs = read(films(tmp_path / "films"))

    def called(*thresholds):
        each = {f"f{number}-s0": threshold for number, threshold in enumerate(thresholds)}
        limits = (Limit("youden", "fold thresholds", None, each),)
        return replace(bundle, limits=limits).predict(radiographs).images["youden"].to_list()

    assert called(-1e9, -1e9, 1e9) == [True] * 3
    assert called(-1e9, 1e9, 1e9) == [False] * 3
    assert called(-1e9, 1e9) == [False] * 3, "a tie of those that vote is not a majority"


def test_alone_the_best_replicate_on_the_reserve_decides_by_its_own_thresholds(bundle, tmp_path):
    scores = bundle.predict(read(films(tmp_path / "films")), single=True)

    # f1-s0: its own thresholds call nobody and everybody, the opposite of the aggregate's.
    assert scores.images["sensitivity>=0.90"].to_list() == [False] * 3
    assert scores.images["specificity>=0.90"].to_list() == [True] * 3
    alone = make_bundle(tmp_path / "again").alone()
    assert [each.name for each in alone.replicates] == ["f1-s0"]
    assert scores.images["logit"].to_list() == alone.predict(read(films(tmp_path / "films"))).images["logit"].to_list()


def test_files_that_cannot_be_scored_are_named_with_the_reason_and_the_rest_goes_on(bundle, tmp_path):
    good, unboxed, outside = films(tmp_path / "films")
    broken = tmp_path / "films" / "broken.png"
    broken.write_bytes((tmp_path / "films" / "a.png").read_bytes()[:200])
    radiographs = read(
        [
            good,
            replace(unboxed, boxes=()),
            replace(outside, boxes=((10.0, 10.0, 80.0, 20.0),)),
            File("broken.png", broken, (BOX,)),
            File("absent.png", tmp_path / "absent.png", (BOX,)),
        ]
    )

    scores = bundle.predict(radiographs)

    assert scores.images["file"].to_list() == ["a.png"]
    assert "no box is given" in scores.failed["b.png"]
    assert "allowed is x 0..64, y 0..96" in scores.failed["c.png"]
    assert scores.failed["broken.png"].startswith("truncated")
    assert scores.failed["absent.png"] == "there is no such file"


def test_where_nothing_can_be_read_there_are_reasons_and_no_rows(bundle, tmp_path):
    scores = bundle.predict(read([File("absent.png", tmp_path / "absent.png", (BOX,))]))

    assert (scores.images.height, scores.regions.height, scores.boxes.height) == (0, 0, 0)
    assert list(scores.images.columns) == ["file", "score", "logit", "sensitivity>=0.90", "specificity>=0.90"]
    assert set(scores.failed) == {"absent.png"}


def test_rows_of_one_path_are_boxes_of_one_radiograph(bundle, tmp_path):
    first, second, _ = (str(path) for path in write_films(tmp_path / "films"))
    corners = dict(zip(("x0", "y0", "x1", "y1"), BOX, strict=True))
    other = {**corners, "y0": 60.0, "y1": 90.0}

    rows = answer_rows(
        bundle,
        [{"path": first, **corners}, {"path": second, **dict.fromkeys(corners, math.nan)}, {"path": first, **other}],
    )

    together = bundle.predict(read([File(first, write_films(tmp_path / "films")[0], (BOX, tuple(other.values())))]))
    assert [row["path"] for row in rows] == [first, second, first]
    assert rows[0]["score"] == rows[2]["score"] == together.images["score"][0]
    assert (rows[0]["sensitivity>=0.90"], rows[0]["specificity>=0.90"]) == ("positive", "negative")
    assert "no box" in rows[1]["error"]
    assert math.isnan(rows[1]["score"])


def test_whole_radiographs_need_no_box(tmp_path):
    bundle = make_bundle(tmp_path / "store", region="image")

    scores = bundle.predict(read(films(tmp_path / "films", ()), needs_boxes=bundle.needs_boxes))

    assert scores.images.height == 3
    assert scores.regions.height == 0
