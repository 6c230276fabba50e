"""Certificates of different jobs that cannot all be true are found, and nothing else is."""

from __future__ import annotations

from orchestrator.reporting.certificates import Training
from orchestrator.reporting.contradictions import alike, same_files, sentences, started_alike
from tests.orchestrator.reporting.trainings import SCRATCH, TRANSFER, training
from tests.search_spaces.builders import make_study

SAME = {"fingerprint_trained_after": "same"}
NATURAL = "classification/resnet18-natural-transfer"
FILES = {"source": {"kind": "file", "file": "x.pt", "sha256": "one file"}}


def trial(number: int, rate: float, facts: dict | None = None) -> Training:
    return training(f"{TRANSFER}-t{number}", facts, rate)


def test_trials_that_differ_in_the_learning_rate_but_train_alike_are_found() -> None:
    (finding,) = alike([trial(0, 0.001, SAME), trial(1, 0.01, SAME)])

    assert finding.kind == "alike"
    assert finding.sentence.startswith(
        f"{TRANSFER}-t0 and {TRANSFER}-t1 ended with the same weights, although they were given learning rate 0.001 "
        "and 0.01: at least one did not train as it says."
    )
    assert sentences([finding]) == {finding.second: finding.sentence}


def test_replicates_of_different_folds_or_seeds_that_train_alike_are_found() -> None:
    folds = [training(f"{TRANSFER}-f{fold}-s0", SAME) for fold in (0, 1)]
    seeds = [training(f"{TRANSFER}-f0-s0", SAME, seed=seed) for seed in (1_000_000, 1_000_001)]

    assert [finding.sentence.count("fold 0 and 1") for finding in alike(folds)] == [1]
    assert len(list(alike(seeds))) == 1


def test_one_leak_among_many_sound_trainings_is_found() -> None:
    sound = [trial(0, 0.001), trial(1, 0.01)]

    assert list(alike(sound)) == []
    assert len(list(alike([*sound, training(f"{TRANSFER}-f0-s0", SAME), training(f"{TRANSFER}-f1-s0", SAME)]))) == 1


def test_equal_weights_are_right_where_nothing_that_must_act_differs() -> None:
    first = trial(0, 0.001, SAME)
    other_weighting = Training(trial(1, 0.001).job, {"learning_rate": 0.001, "class_weighting": "none"}, first.facts)

    assert list(alike([first, other_weighting])) == []


def test_cells_are_not_compared_with_each_other() -> None:
    assert list(alike([training(f"{TRANSFER}-t0", SAME), training(f"{NATURAL}-t0", SAME, 0.01)])) == []


def test_trainings_without_a_fingerprint_are_left_alone() -> None:
    unknown = {"fingerprint_trained_after": ""}

    assert list(alike([trial(0, 0.001, unknown), trial(1, 0.01, unknown)])) == []


def test_a_scratch_fit_that_began_with_the_weights_of_a_transfer_fit_is_found() -> None:
    began = {"fingerprint_before": "pretrained"}

    (finding,) = started_alike([training(f"{TRANSFER}-f0-s0", began), training(f"{SCRATCH}-f0-s0", began)])

    assert finding.sentence.startswith(f"{SCRATCH}-f0-s0 says scratch, and its backbone began with the weights of")


def test_transfer_fits_begin_alike_and_scratch_fits_of_one_seed_may() -> None:
    folds = [training(f"{TRANSFER}-f{fold}-s0") for fold in (0, 1)]
    scratch = [training(f"{SCRATCH}-f{fold}-s0", {"fingerprint_before": "seed 0"}) for fold in (0, 1)]

    assert list(started_alike([*folds, *scratch])) == []


def test_two_sources_that_loaded_the_same_file_are_found() -> None:
    both = [training(f"{TRANSFER}-f0-s0", FILES), training(f"{NATURAL}-f0-s0", FILES)]

    (finding,) = same_files(both, make_study())

    assert finding.sentence.startswith("Sources chest and natural loaded the same file into resnet18 (sha256 one file")
    assert "`sources: {natural: {files: chest}}`" in finding.sentence


def test_the_same_file_is_allowed_where_the_study_declares_it_under_another_normalization() -> None:
    declared = make_study(sources={"per_image": {"files": "radimagenet", "normalization": "per_image"}})
    cells = [training(f"{TRANSFER}-f0-s0", FILES, pretraining=name) for name in ("radimagenet", "per_image")]

    assert list(same_files(cells, declared)) == []
    assert len(list(same_files(cells, make_study()))) == 1


def test_cells_of_one_source_share_its_file() -> None:
    frozen = "classification/resnet18-chest-frozen-f0-s0"

    assert list(same_files([training(f"{TRANSFER}-f0-s0", FILES), training(frozen, FILES)], make_study())) == []
