from __future__ import annotations

from dataclasses import replace
from math import sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ttest_1samp
from sklearn.metrics import average_precision_score

from benchmarks import comparison, simulations
from benchmarks.simulated import areas, bootstrapped, calibrated, decisions, folds, replicates, shared
from benchmarks.simulated.large import LADDER, large
from benchmarks.simulated.lines import COVERAGE, TYPE_ONE, Band, Effort, Line, covers, line
from benchmarks.simulated.study import study
from evaluation.discrimination import delong
from evaluation.discrimination.areas import auc
from evaluation.discrimination.single_models import two_way_bootstrap
from evaluation.resampling import Resamples
from evaluation.tables import DETECTIONS, PREDICTIONS, check

ROOT = Path(__file__).resolve().parent.parent
GROSS = 4
"""Monte Carlo standard errors; the seeds are fixed, so nothing here happens by chance."""
KNOWN_TO_MISS = {"DerSimonian-Laird, normal"}


def rate_of(percent: float, band: Band | None = TYPE_ONE, repetitions: int = 1000) -> Line:
    return Line("a test", "a setting", percent / 100, repetitions, band)


@pytest.mark.slow
def test_the_short_form_prints_every_section_and_nothing_is_grossly_off(capsys):
    lines = simulations.run(simulations.SHORT, simulations.markdown)

    printed = capsys.readouterr().out
    assert all(f"### {section.title}\n" in printed for section in simulations.SECTIONS)
    assert {one.method for one in lines if one.outside > GROSS} <= KNOWN_TO_MISS


def test_a_variance_that_is_half_of_what_it_should_be_misses_the_band(monkeypatch):
    right = delong.variance
    monkeypatch.setattr(delong, "variance", lambda positive, negative: right(positive, negative) / 2)

    paired = next(areas.tests(Effort(0.02)))

    assert paired.outside > GROSS


def test_seeds_counted_as_folds_miss_the_band(monkeypatch):
    monkeypatch.setattr(folds, "Units", SimpleNamespace(of=lambda found: SimpleNamespace(means=np.eye(len(found)))))

    by_setting = {one.setting: one for one in folds.tests_without_cases(Effort(0.02)) if one.method == folds.FOLDS}

    assert by_setting["5 folds x 3 seeds, sd .04 of folds, .01 of seeds"].outside > GROSS
    assert by_setting["5 folds x 3 seeds, sd .00 of folds, .02 of seeds"].outside < 2


def test_a_rate_outside_its_band_by_less_than_two_errors_is_unclear():
    assert [rate_of(percent).verdict for percent in (4, 6, 6.5, 8, 1)] == [
        "held",
        "held",
        "unclear",
        "MISSED",
        "MISSED",
    ]
    assert rate_of(50, band=None).verdict == "beside"


def test_the_error_of_a_rate_is_that_of_a_proportion():
    assert rate_of(5, repetitions=100).error == sqrt(0.05 * 0.95 / 100)
    assert rate_of(5, repetitions=100).percent == "5.00 ± 2.18"


def test_an_interval_that_is_nan_covers_nothing():
    assert covers([0.1, np.nan, 0.6], [0.9, np.nan, 0.9], 0.5).tolist() == [True, False, False]


def test_a_wide_table_has_a_row_per_setting_and_marks_what_missed():
    good, bad = line("OR", "r = 3", [True] * 5 + [False] * 95, TYPE_ONE), rate_of(30)

    headings, rows = simulations.wide([good, replace(bad, setting="r = 3")])

    assert list(headings) == ["%, ± Monte Carlo se", "OR", "a test", "repetitions"]
    assert rows == [["r = 3", "5.00 ± 2.18", "30.00 ± 1.45 MISSED", "100"]]


def test_the_true_average_precision_is_that_of_a_very_large_sample():
    labels = areas.classes(40_000, 60_000)
    scores = areas.binormal(np.random.default_rng(0), labels, (0.8,))[0]

    assert areas.true_precision(0.8, 0.4) == pytest.approx(average_precision_score(labels, scores), abs=0.005)


def test_replicates_that_drift_have_the_areas_they_are_meant_to_have_on_average():
    setting = replicates.Setting(5, 0.04, 1000, 1000, areas=(0.8, 0.75))
    found = np.array(
        [
            [[auc(labels, model).auc for model in cell] for cell in scores]
            for labels, scores in replicates.studies(setting, 60)
        ]
    )

    assert found.mean(axis=(0, 2)) == pytest.approx([0.8, 0.75], abs=0.008)
    assert found.std(axis=2, ddof=1).mean() == pytest.approx(0.04, abs=0.006)


def test_seeds_of_a_fold_drift_together():
    design, random = folds.Design(2, 2, of_fold=0.04, of_seed=0.02), np.random.default_rng(0)
    found = np.array([design.drift(random)[0] for _ in range(20_000)])

    assert np.cov(found, rowvar=False)[0] == pytest.approx([0.0020, 0.0016, 0, 0], abs=0.00005)


def test_without_cases_folds_are_compared_by_students_test_of_their_means():
    design = folds.Design(3, 2, of_fold=0.02, of_seed=0.02)
    gaps = np.array([0.01, 0.03, 0.05, 0.01, 0.00, 0.02])

    found = folds.without_cases(design, gaps)

    assert found[folds.FOLDS] == pytest.approx(found[folds.PUBLISHED])
    assert found[folds.PUBLISHED] == pytest.approx(ttest_1samp([0.02, 0.03, 0.01], 0).pvalue)
    assert found[folds.EXCHANGEABLE] == pytest.approx(ttest_1samp(gaps, 0).pvalue)


def test_drawing_all_replicates_is_the_bootstrap_whose_variance_is_too_small():
    gaps, resamples = np.array([-1.0, 0.0, 1.0]), Resamples.of([0, 1], None, 100_000, 0)
    draws = np.tile(gaps, (100_000, 1))

    assert bootstrapped.draw_all(draws, 0).var() == pytest.approx(2 / 3 / 3, rel=0.02)
    assert two_way_bootstrap(draws, resamples).var() == pytest.approx(1 / 3, rel=0.02)


def test_models_shared_by_the_centers_shift_all_of_them_alike():
    found = list(shared.studies(shared.Shared(3, 0.08), 60))
    gaps = np.array([[one.truth, one.pooled[shared.CASES, "normal"].estimate] for one in found])

    assert gaps[:, 0].std() == pytest.approx(0.08 * np.sqrt(2 / 3), rel=0.25)
    assert (gaps[:, 1] - gaps[:, 0]).std() < 0.02
    assert (gaps[:, 1] - gaps[:, 0]).mean() == pytest.approx(0, abs=0.005)


def test_models_that_do_not_differ_have_the_difference_they_are_meant_to_have():
    assert next(shared.studies(shared.Shared(3, 0.0), 1)).truth == pytest.approx(0.05)


def test_mean_risk_without_slope_is_one_probability():
    assert calibrated.mean_risk(0.3, 0.0) == pytest.approx(expit(0.3), abs=1e-12)


def test_patients_with_several_images_keep_the_gap_between_the_models():
    found = decisions.repeated(400, 0.1)

    shares = (found.only_first - found.only_second) / found.sizes.sum()
    assert shares.mean() == pytest.approx(0.1, abs=0.01)
    assert found.gaps.sum() == (found.only_first - found.only_second).sum()


def test_the_study_that_is_timed_has_60_cells_in_tables_as_jobs_publish_them():
    made = study(replicates=2, per_center=10, reserve=10)

    assert made.cells.height == made.predictions["cell"].n_unique() == 60
    assert check(made.predictions, PREDICTIONS, "predictions").height == 60 * 2 * (4 * 10 + 10)


def test_the_report_that_is_timed_is_made_of_tables_as_jobs_publish_them():
    made = large(images=20, folds=2)

    assert made.cells.height == made.predictions["cell"].n_unique() == 60
    assert made.labels["center"].n_unique() == 5
    predictions = check(made.predictions, PREDICTIONS, "predictions")
    originals = predictions.filter(variant="original")
    assert originals.height == 60 * (2 * 4 * 20 + 2 * 4 + 16)  # each fold validates its own images only
    assert predictions["variant"].n_unique() == 1 + len(LADDER.variants())
    assert check(made.further.detections, DETECTIONS, "detections").height > 0
    assert set(made.further.lesions["arm"]) == {"detection"}


def test_the_speed_of_small_steps_is_measured_on_equal_results():
    pair, drawn = comparison.delong_pair(300), comparison.bootstrap(n=200, draws=50, timed=10)

    assert 0 < pair.before <= pair.peak
    assert drawn.note.endswith("peer: 10 draws x 5; same AUCs in them")


def test_a_ratio_is_a_gain_where_the_target_is_a_lower_limit():
    cost = comparison.Cost(seconds=2.0, peer=8.0, before=1, peak=1, note="")

    assert comparison.ratio_of(cost, "≥ 25") == 4
    assert comparison.ratio_of(cost, "≤ 1.2") == 0.25


def test_the_page_quotes_the_recorded_tables_row_by_row():
    recorded = (ROOT / "benchmarks" / "results" / "simulations.md").read_text(encoding="utf-8").splitlines()
    page = (ROOT / "docs" / "statistics" / "simulations.md").read_text(encoding="utf-8").splitlines()

    assert [row for row in recorded if row.startswith("| ") and row not in page] == []
    assert [row for row in page if row.startswith("| ") and "±" in row and row not in recorded] == []


def test_bands_are_those_of_the_page():
    assert (TYPE_ONE, COVERAGE) == ((0.04, 0.06), (0.935, 0.965))
