"""The whole comparison: what it seals, what it survives, and that its frames keep their shape."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import polars as pl
import pytest

from evaluation.comparison.comparing import SCHEMAS, Further
from evaluation.tables import PREDICTIONS
from search_spaces.errors import StudyError
from search_spaces.study import Analysis, Primary
from tests.evaluation.study_example import (
    CHEST,
    IMAGENET,
    SCRATCH,
    cells,
    compared,
    labels,
    prediction,
    predictions,
    series,
)

EXTERNAL_ONLY = {"heterogeneity", "center_probe", "subgroups"}
NEED_MORE = {"localization", "froc", "stability", "stability_pairs", "saliency", "saliency_pairs"}
TRUTH = {"a": [0, 1] * 10, "b": [0, 1] * 6, "c": [1, 0] * 5}
PLAN = Analysis(primary=Primary(comparisons=(("chest", "imagenet"),)))


def study(**changes):
    rng = np.random.default_rng(8)
    rows = [
        row
        for cell in (IMAGENET, CHEST)
        for seed in (0, 1)
        for center, role in (("a", "reserve"), ("b", "external"), ("c", "external"))
        for row in series(cell, center, rng.random(len(TRUTH[center])), role=role, seed=seed)
    ]
    sexes = {"center": ["b"] * 12, "image": [f"b{place}" for place in range(12)], "sex": ["F", "M"] * 6}
    return compared(
        predictions(*rows),
        labels(TRUTH),
        **({"plan": PLAN, "further": Further(attributes=pl.DataFrame(sexes))} | changes),
    )


def frames(comparison):
    return {field.name: getattr(comparison, field.name) for field in fields(comparison)}


def test_every_frame_has_its_columns_and_no_empty_value():
    for name, frame in frames(study()).items():
        assert frame.schema == pl.Schema(SCHEMAS[name]), name
        assert frame.height or name in NEED_MORE, name
        assert frame.null_count().sum_horizontal().sum() == 0, name


def test_no_frame_has_an_external_row_before_the_external_centers_are_opened():
    for name, frame in frames(study(open_external=False)).items():
        assert "external" not in frame["role"], name
        assert "center" not in frame.columns or not {"b", "c"} & set(frame["center"]), name
        assert frame.height or name in EXTERNAL_ONLY | NEED_MORE, name


@pytest.mark.slow
def test_opening_the_external_centers_changes_nothing_about_the_reserve():
    before, after = frames(study(open_external=False)), frames(study())

    for name, frame in before.items():
        if name != "contrasts":
            assert after[name].filter(pl.col("role") == "reserve").equals(frame), name


def test_a_study_without_results_gives_empty_frames_of_the_same_shape():
    empty = compared(pl.DataFrame(schema=PREDICTIONS), labels(TRUTH), plan=PLAN)

    for name, frame in frames(empty).items():
        assert frame.schema == pl.Schema(SCHEMAS[name]), name
        assert frame.height == 0, name


def test_row_order_of_the_tables_does_not_matter():
    rows = predictions(*series(IMAGENET, "a", np.linspace(0, 1, 20)), *series(CHEST, "a", np.linspace(1, 0, 20)))

    straight, shuffled = (
        compared(table, labels(TRUTH)) for table in (rows, rows.sample(fraction=1, shuffle=True, seed=1))
    )

    for name, frame in frames(straight).items():
        assert getattr(shuffled, name).equals(frame), name


@pytest.mark.slow
def test_the_roc_curve_of_each_center_runs_from_corner_to_corner():
    for _, curve in study().roc.group_by("cell", "role", "center", maintain_order=True):
        assert curve.select("fpr", "tpr").row(0) == (0, 0)
        assert curve.select("fpr", "tpr").row(-1) == (1, 1)
        assert curve["fpr"].is_sorted()


def test_the_frames_keep_the_order_of_the_cells():
    found = study(cells=cells().reverse()).performance

    assert found["cell"].unique(maintain_order=True).to_list() == [CHEST, IMAGENET]


def test_an_unknown_primary_comparison_is_refused_even_before_there_are_results():
    plan = Analysis(primary=Primary(comparisons=(("chestt", "imagenet"),)))

    with pytest.raises(StudyError, match="Did you mean 'chest'"):
        compared(pl.DataFrame(schema=PREDICTIONS), labels(TRUTH), plan=plan)


def test_a_cell_listed_twice_is_refused():
    with pytest.raises(StudyError, match="names a cell more than once"):
        study(cells=pl.concat([cells(), cells()]))


def test_statistics_need_no_training_library():
    import subprocess
    import sys

    code = "import sys, evaluation.comparison; print([m for m in ('torch', 'ray', 'mlflow') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"


def test_logits_too_large_for_a_probability_still_order_the_images():
    logits = [60.0, 50.0, 48.0, 45.0, 42.0, 39.0, 44.0, 41.0, 40.0, 38.0]
    rows = [prediction(SCRATCH, f"a{place}", 1.0, logit=logit) for place, logit in enumerate(logits)]
    truth = labels({"a": [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]})

    found = compared(predictions(*rows), truth, open_external=False)

    pooled = found.performance.filter(pl.col("cell") == SCRATCH, pl.col("center") == "all").row(0, named=True)
    # Of 25 pairs one is out of order: the positive with 42 and the negative with 44.
    assert pooled["auc"] == 24 / 25
    assert pooled["single_mean"] == 24 / 25
    assert found.scores["score"].to_list() == [1.0] * 10
    youden = found.operating_points.filter(pl.col("rule") == "youden").row(0, named=True)
    assert youden["tp"] - youden["fp"] == 4
    assert youden["threshold"] == 1.0
