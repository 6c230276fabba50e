from __future__ import annotations

from pathlib import Path

import pytest

from search_spaces.errors import StudyError
from search_spaces.study import load_study

GOOD = """
name: tiny
cohort: {data: data, development: [a], external: [b]}
arms:
  - task: classification
    labels: {positive: [malignant], negative: [benign]}
    grid: {backbone: [resnet18], pretraining: [none], init: [scratch]}
"""
TUNED = GOOD + "    tune: {%s}\n"


def load(tmp_path: Path, text: str):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    return load_study(path)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(StudyError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_a_small_study_gets_the_documented_defaults(tmp_path):
    study = load(tmp_path, GOOD)

    assert study.split.kind == "kfold"
    assert (study.split.folds, study.split.reserve) == (5, 0.2)
    assert study.arms[0].name == "classification"


@pytest.mark.parametrize("name", ["demo", "phantom_full", "bone_tumor_classification", "knee_malignancy_detection"])
def test_every_shipped_study_loads(name):
    assert load_study(Path("studies") / f"{name}.yaml").name


def test_on_and_no_are_words_and_not_booleans(tmp_path):
    study = load(
        tmp_path, GOOD + "corpora: {chest: {data: d, commercial_use: no}}\nanalysis: {primary: {on: reserve}}\n"
    )

    assert study.corpora["chest"].commercial_use == "no"
    assert study.analysis.primary.on == "reserve"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            GOOD.replace("pretraining:", "pretrainin:"),
            ["arms.0.grid.pretrainin", "Did you mean 'pretraining'?", "backbone"],
        ),
        (GOOD.replace("name: tiny", "nmae: tiny"), ["nmae", "Did you mean 'name'?"]),
        (GOOD.replace("[scratch]", "[scrach]"), ["arms.0.grid.init.0", "'scrach'", "Did you mean 'scratch'?"]),
        (GOOD.replace("task: classification", "task: clasification"), ["arms.0", "Did you mean 'classification'?"]),
        (GOOD + "split: {kind: kfold, folds: 1}\n", ["split.folds", "is 1", "greater than or equal to 2"]),
        (GOOD + "split: {kind: kfold, fold: 3}\n", ["split.fold", "Did you mean 'folds'?"]),
        (GOOD.replace("external: [b]", "external: [a]"), ["'a' is both development and external"]),
        (GOOD.replace("negative: [benign]", "negative: [malignant]"), ["'malignant' is both positive and negative"]),
        (GOOD + "analysis: {thresholds: [{sensitivity: 1.5}]}\n", ["analysis.thresholds.0", "1.5"]),
        (GOOD.replace("[scratch]", "[partial]"), ["'partial' is no init", "as partial_1 to partial_9"]),
        (TUNED % "epochs: 4, rungs: [4]", ["arms.0", "tune", "rungs [4] must rise and lie below epochs, 4"]),
        (
            GOOD.replace("[scratch]", "[probe_then_transfer]") + "    fit: {epochs: 1}\n",
            ["probe_then_transfer with 1 epoch", "at least 2"],
        ),
        (TUNED % "rungs: [3, 2]", ["rungs [3, 2] must rise"]),
        (TUNED % "search: [dropout]", ["'dropout' is not a hyperparameter", "learning_rate"]),
        (TUNED % "fixed: {schedule: step}", ["schedule is 'step'", "one of cosine, linear, constant"]),
        (TUNED % "search: [ema], fixed: {ema: off}", ["'ema' is both in `search` and in `fixed`"]),
        (TUNED % "search: [margin]", ["whole images have none"]),
        (
            GOOD + "corpora: {chest: {data: d}}\nsources: {chest: {}}\n",
            ["'chest' is both a corpus and one of the sources"],
        ),
        (GOOD + "sources: {x: {normalization: {mean: [1, 2], std: [1, 2]}}}\n", ["sources.x", "give one or three"]),
        ("- 1\n- 2\n", ["a study is a mapping"]),
        ("name: [", ["cannot be read as YAML"]),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_is_allowed(tmp_path, text, expected):
    sentence = refusal(tmp_path, text)

    assert sentence.startswith(str(tmp_path / "study.yaml"))
    for part in expected:
        assert part in sentence


def test_a_study_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(StudyError, match="no such study file"):
        load_study(tmp_path / "absent.yaml")
