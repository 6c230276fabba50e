from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import polars as pl
import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.models.output import check_output, write_output
from orchestrator.models.predicting import Question, answer, given_files, introduce, overlay_name
from search_spaces.errors import StudyError
from tests.trainables.bundles.making import make_bundle, write_films


@pytest.fixture
def center(tmp_path):
    """A folder like a center's: films and a boxes.csv; the third film has no box."""
    write_films(tmp_path / "center" / "images")
    rows = ["file,x,y,width,height", "images/a.png,8,16,32,40", "images/b.png,8,16,32,40", "images/b.png,30,60,20,20"]
    (tmp_path / "center" / "boxes.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "center"


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "store")


def question(*files, **options):
    return Question(tuple(files), **options)


def test_a_folder_stands_for_its_images_and_the_table_beside_them_names_them_from_there(center):
    files = given_files(question(center, boxes=center / "boxes.csv"))

    assert [Path(file.name).name for file in files] == ["a.png", "b.png", "c.png"]
    assert [len(file.boxes) for file in files] == [1, 2, 0]
    assert files[0].boxes == ((8.0, 16.0, 40.0, 56.0),)


def test_a_table_may_name_files_as_they_were_given(center, monkeypatch):
    monkeypatch.chdir(center.parent)
    table = Path("elsewhere") / "boxes.csv"
    table.parent.mkdir()
    table.write_text("file,x,y,width,height\ncenter/images/a.png,8,16,32,40\nb.png,1,1,9,9\n")

    files = given_files(question(Path("center/images/a.png"), Path("center/images"), boxes=table))

    assert {file.name: len(file.boxes) for file in files} == {
        "center/images/a.png": 1,
        "center/images/b.png": 1,
        "center/images/c.png": 0,
    }


def test_a_file_that_is_given_by_its_folder_and_by_its_name_is_one_file(center):
    files = given_files(question(center, center / "images" / "b.png", boxes=center / "boxes.csv"))

    assert [Path(file.name).name for file in files] == ["a.png", "b.png", "c.png"]
    assert [len(file.boxes) for file in files] == [1, 2, 0]


def test_a_box_that_two_given_folders_could_mean_is_refused(center, tmp_path):
    write_films(tmp_path / "other" / "images")
    table = tmp_path / "boxes.csv"
    table.write_text("file,x,y,width,height\nimages/a.png,8,16,32,40\n")

    with pytest.raises(StudyError, match=r"boxes\.csv, line 2: `file` is 'images/a\.png', which 2 of the given"):
        given_files(question(center, tmp_path / "other", boxes=table))


def test_a_cell_that_scores_boxes_is_refused_without_them(bundle, center):
    with pytest.raises(StudyError, match=r"name them with --boxes boxes\.csv"):
        answer(bundle, question(center), print)


def test_scores_keep_the_order_in_which_files_were_given(bundle, center):
    names = [center / "images" / name for name in ("b.png", "a.png")]

    scores = answer(bundle, question(*names, boxes=center / "boxes.csv"), print)

    assert scores.images["file"].to_list() == [str(name) for name in names]


def test_what_a_reader_must_know_is_said(bundle, tmp_path):
    said: list[str] = []
    lacking = replace(bundle, missing=("f2-s0",), exploratory=True, terms=bundle.terms)

    introduce(lacking, said.append)

    text = "\n".join(said)
    assert "2 of 3 replicates (f0-s0, f1-s0)" in text
    assert "Not used, because not finished: f2-s0" in text
    assert "exploratory" in text
    assert "license: CC0-1.0; commercial use: unknown" in text
    assert "research only" in text
    assert "chosen on the reserve" in text


def test_two_files_never_share_a_picture():
    taken: set[str] = set()

    names = [overlay_name(name, taken) for name in ("a/b.png", "a_b.png", "../a/b.png", "/a/b.png")]

    assert names == ["a_b.png.png", "a_b.png-2.png", "a_b.png-3.png", "a_b.png-4.png"]


def test_another_ending_than_csv_or_json_is_refused_before_anything_is_computed():
    with pytest.raises(StudyError, match=r"scores\.xlsx: is written as \.csv or \.json"):
        check_output(Path("scores.xlsx"))


@pytest.mark.parametrize("options", [["--output", "taken/scores.csv"], ["--overlays", "taken"]])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_computed(bundle, center, monkeypatch, options):
    monkeypatch.chdir(center)
    Path("taken").touch()
    bundle.write(center / "bundle")

    done = CliRunner().invoke(app, ["predict", "--bundle", "bundle", "images", "--boxes", "boxes.csv", *options])

    assert isinstance(done.exception, StudyError)
    assert f"{options[0]}: taken cannot be made a folder" in str(done.exception)
    assert "research only" not in done.stderr


def test_a_name_with_brackets_is_shown_as_it_is(center, bundle, tmp_path):
    bundle.write(tmp_path / "bundle")
    odd = center / "images" / "[left].png"
    (center / "images" / "a.png").rename(odd)
    (tmp_path / "boxes.csv").write_text(f"file,x,y,width,height\n{odd.relative_to(tmp_path)},8,16,32,40\n")

    command = ["predict", "--bundle", str(tmp_path / "bundle"), str(odd), "--boxes", str(tmp_path / "boxes.csv")]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "300"})

    assert "[left].png" in done.stdout


def test_csv_files_hold_scores_with_reasons_and_beside_them_each_box(bundle, center, tmp_path):
    scores = answer(bundle, question(center, boxes=center / "boxes.csv"), print)

    written = write_output(tmp_path / "out" / "scores.csv", bundle, scores)

    assert [path.name for path in written] == ["scores.csv", "scores_regions.csv"]
    table, regions = (pl.read_csv(path) for path in written)
    assert table.columns == ["file", "score", "logit", "sensitivity>=0.90", "specificity>=0.90", "error"]
    assert table["score"].null_count() == 1
    assert "no box" in table["error"][2]
    assert regions["region"].to_list() == [0, 0, 1]


def test_the_command_scores_with_a_bundle_alone_and_ends_with_1_where_a_file_failed(bundle, center, tmp_path):
    bundle.write(tmp_path / "bundle")
    options = ["--boxes", str(center / "boxes.csv"), "--overlays", str(tmp_path / "pictures")]
    command = ["predict", "--bundle", str(tmp_path / "bundle"), str(center), *options]

    done = CliRunner().invoke(app, [*command, "--output", str(tmp_path / "scores.json")])
    fine = CliRunner().invoke(app, [*command[:3], str(center / "images" / "a.png"), *options])

    assert (done.exit_code, fine.exit_code) == (1, 0)
    assert "c.png: no score, no box is given for it" in done.stderr
    assert "license: CC0-1.0" in fine.stderr
    assert "license" not in fine.stdout
    assert "positive" in fine.stdout
    body = json.loads((tmp_path / "scores.json").read_text())
    assert [Path(row["file"]).name for row in body["images"]] == ["a.png", "b.png"]
    assert [row["value"] for row in body["thresholds"]] == [-1e9, "inf"]
    assert body["commercial_use"] == "unknown"
    pictures = sorted((tmp_path / "pictures").glob("*.png"))
    assert len(pictures) == 2
    assert cv2.imread(str(pictures[0])).shape == (480, 320, 3)
